/**
 * The compiler that tslab's converter is given: tslab's fork of TypeScript 5.0 with the seams this
 * kernel needs (own module resolution, strict options, one program update a cell, source maps).
 * The fork on disk is untouched. The converter takes its compiler from the module system, so this
 * file, alone in the kernel, keeps state: the hooks of the one converter of this process.
 */
import type * as ts from "@tslab/typescript-for-tslab";
import { requireFromHome } from "./home.ts";
import { loadWithCodeCache } from "./code-cache.ts";
import { addDocumentation, withoutDocumentation } from "./late-documentation.ts";

/** The fork, with the functions that its type declarations leave out. */
export type Compiler = typeof ts & {
  bindSourceFile(file: ts.SourceFile, options: ts.CompilerOptions): void;
  getPreEmitDiagnosticsOfFiles(
    program: ts.Program,
    files: readonly ts.SourceFile[],
  ): ts.Diagnostic[];
};

/** What the kernel decides about compiling. */
export interface CompilerHooks {
  /** Adds to or replaces tslab's options. */
  readonly options: ts.CompilerOptions;
  /** Declaration files that every cell sees. */
  readonly globalDeclarations: readonly string[];
  /** The declaration file for an import of one of our sources; undefined for any other import. */
  declarationOf(specifier: string, importer: string): string | undefined;
  /** Told of each file of the program that may change. */
  watch(file: string, changed: ts.FileWatcherCallback): ts.FileWatcher;
  /** Told of the errors in a cell, before tslab shortens them. */
  diagnosed(diagnostics: readonly ts.Diagnostic[]): void;
  /** Changes the cell before its types are taken away. */
  transform(): ts.TransformerFactory<ts.SourceFile>;
  /** Told of the source maps of a cell: TypeScript to ES module, and ES module to CommonJS. */
  mapped(toModule: string, toCommonJs: string): void;
}

/** "Could not find a declaration file for module": a package without types is `any`, no error. */
const untypedPackage = 7016;

/** The file in which tslab's converter keeps the declarations of earlier cells. */
const earlierCells = "/__prev__.d.ts";

const forkFile = requireFromHome.resolve("@tslab/typescript-for-tslab");
const fork = loadWithCodeCache(forkFile) as Compiler;
let hooks: CompilerHooks;
let builder: ts.BuilderProgram;

/** Sets the hooks; before the converter is created. */
export function setCompilerHooks(wanted: CompilerHooks): void {
  hooks = wanted;
}

/** What tslab sees in the place of `@tslab/typescript-for-tslab`. */
export const compiler: Compiler = {
  ...fork,
  sys: Object.assign(Object.create(fork.sys) as ts.System, {
    watchFile: (file: string, changed: ts.FileWatcherCallback) => hooks.watch(file, changed),
    watchDirectory: () => ({ close: () => undefined }),
    readFile: (file: string, encoding?: string) => {
      const text = fork.sys.readFile(file, encoding);
      return text && withoutDocumentation(file, text);
    },
  }),
  createWatchCompilerHost: createHost as unknown as typeof ts.createWatchCompilerHost,
  getPreEmitDiagnosticsOfFiles: diagnose,
  transpileModule: transpileWithMaps,
  Completions: {
    ...fork.Completions,
    getCompletionsAtPositionForTslab: (host, program, ...rest) => {
      // Completion walks from a token to its parents, which exist once the cell is bound.
      program.getTypeChecker();
      return fork.Completions.getCompletionsAtPositionForTslab(host, program, ...rest);
    },
  },
  visitEachChild,
};

/** Adds to the declarations of the current program what documents them. */
export function documentProgram(): void {
  addDocumentation(fork, builder.getProgram().getSourceFiles(), (file) => fork.sys.readFile(file));
}

type Host = ts.WatchCompilerHostOfFilesAndCompilerOptions<ts.BuilderProgram>;

function createHost(
  files: readonly string[],
  tslabOptions: ts.CompilerOptions,
  system: ts.System,
  _createProgram: unknown,
  reportDiagnostic: ts.DiagnosticReporter,
  reportStatus: ts.WatchStatusReporter,
): Host {
  const host: Host = fork.createWatchCompilerHost(
    [...files, ...hooks.globalDeclarations],
    { ...tslabOptions, ...hooks.options, inlineSourceMap: true },
    system,
    createLightBuilder,
    reportDiagnostic,
    reportStatus,
  );
  return resolveOurselves(host, system.getCurrentDirectory());
}

/**
 * Own resolution of modules and of `/// <reference types>`. Both must be own: where TypeScript
 * resolves one itself, it makes a type checker when it creates a program, which binds the cell, and
 * a bound cell makes tslab's converter update the program a second time (see cell-source.ts).
 */
function resolveOurselves(host: Host, folder: string): Host {
  const cache = fork.createModuleResolutionCache(folder, (file) => file, hooks.options);
  /** Files of ours with an import that could not be found: they are resolved again each time. */
  const unresolved = new Set<string>();
  host.hasInvalidatedResolutions = (file) => unresolved.has(file);
  host.resolveModuleNameLiterals = (literals, importer, redirect, options) => {
    unresolved.delete(importer);
    return literals.map(({ text }) => {
      const declaration = hooks.declarationOf(text, importer);
      if (declaration !== undefined) return declarationModule(declaration);
      const found = fork.resolveModuleName(text, importer, options, host, cache, redirect);
      if (!found.resolvedModule && !importer.includes("/node_modules/")) unresolved.add(importer);
      return found;
    });
  };
  host.resolveTypeReferenceDirectiveReferences = (references, importer, redirect, options) =>
    references.map((reference) => {
      const name = typeof reference === "string" ? reference : reference.fileName;
      return fork.resolveTypeReferenceDirective(name, importer, options, host, redirect);
    });
  return host;
}

function declarationModule(file: string): ts.ResolvedModuleWithFailedLookupLocations {
  return {
    resolvedModule: {
      resolvedFileName: file,
      extension: fork.Extension.Dts,
      isExternalLibraryImport: false,
      resolvedUsingTsExtension: false,
    },
  };
}

/**
 * tslab asks for the semantic builder, which follows every reference of every declaration file. Of
 * all that it uses only the list of sources to emit, and that is the cell alone.
 */
function createLightBuilder(
  ...args: Parameters<typeof fork.createAbstractBuilder>
): ts.BuilderProgram {
  builder = fork.createAbstractBuilder(...args);
  builder.getAllDependencies = (file) => [file.fileName];
  const emit = builder.emit.bind(builder);
  builder.emit = (file, write, cancellation, onlyDeclarations, transformers) =>
    emit(file, write, cancellation, onlyDeclarations, {
      ...transformers,
      before: [hooks.transform()],
    });
  return builder;
}

function diagnose(program: ts.Program, files: readonly ts.SourceFile[]): ts.Diagnostic[] {
  const found = files.flatMap((file) => [
    ...program.getSyntacticDiagnostics(file),
    ...program.getSemanticDiagnostics(file),
  ]);
  // Emitting declarations of a wrong program only adds errors that follow from the first ones.
  const all =
    found.length > 0 ? found : files.flatMap((file) => program.getDeclarationDiagnostics(file));
  const errors = all.filter(({ code }) => code !== untypedPackage);
  hooks.diagnosed(errors);
  return errors;
}

function transpileWithMaps(input: string, options: ts.TranspileOptions): ts.TranspileOutput {
  const [, code = input, map = ""] =
    /^([^]*)\/\/# sourceMappingURL=data:application\/json;base64,(\S+)\s*$/.exec(input) ?? [];
  const output = fork.transpileModule(code, {
    ...options,
    transformers: { after: [exportedImports] },
    compilerOptions: { ...options.compilerOptions, sourceMap: true },
  });
  if (map) hooks.mapped(Buffer.from(map, "base64").toString("utf8"), output.sourceMapText ?? "");
  return output;
}

/**
 * TypeScript exports an import by `Object.defineProperty(exports, "a", { get })`, for good. Here it
 * becomes the plain `exports.a = value`, so that a later cell may declare the same name anew.
 */
function exportedImports(context: ts.TransformationContext): ts.Transformer<ts.SourceFile> {
  const { factory } = context;
  return (file) => {
    const statements = file.statements.map((statement) => {
      const [name, value] = exportedGetter(statement) ?? [];
      if (name === undefined || value === undefined) return statement;
      const target = factory.createPropertyAccessExpression(
        factory.createIdentifier("exports"),
        name,
      );
      return factory.createExpressionStatement(factory.createAssignment(target, value));
    });
    return factory.updateSourceFile(file, statements);
  };
}

/** Name and value of `Object.defineProperty(exports, "name", { …, get: function () { return value; } })`. */
function exportedGetter(statement: ts.Statement): [string, ts.Expression | undefined] | undefined {
  if (!fork.isExpressionStatement(statement) || !fork.isCallExpression(statement.expression)) {
    return undefined;
  }
  const [target, name, descriptor] = statement.expression.arguments;
  if (!target || !fork.isIdentifier(target) || target.text !== "exports") return undefined;
  if (!name || !fork.isStringLiteral(name)) return undefined;
  if (!descriptor || !fork.isObjectLiteralExpression(descriptor)) return undefined;
  for (const property of descriptor.properties) {
    if (!fork.isPropertyAssignment(property)) continue;
    const getter = property.initializer;
    if (!fork.isFunctionExpression(getter)) continue;
    const [returned] = getter.body.statements;
    if (returned && fork.isReturnStatement(returned)) return [name.text, returned.expression];
  }
  return undefined;
}

/**
 * tslab writes `exports.a` for the name `a` of an earlier cell, but leaves the shorthand `{ a }` as
 * it is, because TypeScript takes that name for the property's. Here it becomes `{ a: exports.a }`.
 */
function visitEachChild(
  node: ts.Node,
  visitor: ts.Visitor,
  context: ts.TransformationContext,
): ts.Node {
  return fork.visitEachChild(
    node,
    (child) =>
      (fork.isShorthandPropertyAssignment(child) ? written(child) : undefined) ?? visitor(child),
    context,
  );
}

function written(shorthand: ts.ShorthandPropertyAssignment): ts.PropertyAssignment | undefined {
  const { name, objectAssignmentInitializer } = shorthand;
  const checker = builder.getProgram().getTypeChecker();
  const declared = checker.getShorthandAssignmentValueSymbol(shorthand)?.declarations ?? [];
  if (!declared.some((node) => node.getSourceFile().fileName.endsWith(earlierCells)))
    return undefined;
  const value = fork.factory.createPropertyAccessExpression(
    fork.factory.createIdentifier("exports"),
    name.text,
  );
  return fork.factory.createPropertyAssignment(
    name.text,
    objectAssignmentInitializer
      ? fork.factory.createAssignment(value, objectAssignmentInitializer)
      : value,
  );
}
