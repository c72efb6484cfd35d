/**
 * What a cell gains on its way to JavaScript: loops that end when Stop is requested, `using` that
 * disposes, and an `import.meta` that CommonJS does not have. It works on the compiler's tree, so
 * lines and columns stay those of the cell.
 */
import type * as ts from "@tslab/typescript-for-tslab";
import type { UsingKind } from "./using-declarations.ts";

/** The names that a transformed cell takes for granted; cell-runner.ts gives them their values. */
export const cellParameters: readonly string[] = ["__guard", "__meta", "__disposal"];
const [guardName, metaName, disposalName] = cellParameters as [string, string, string];

/** What is known of a cell besides its tree. Offsets are those of the tree. */
export interface CellFacts {
  readonly awaits: boolean;
  readonly using: ReadonlyMap<number, UsingKind>;
}

type ResourceScope = ts.Expression;
type Loop = ts.IterationStatement;

/** A transformation of cells, to run before types are taken away. */
export function cellTransformer(
  compiler: typeof ts,
  facts: CellFacts,
): ts.TransformerFactory<ts.SourceFile> {
  return (context) => (file) => new CellTransform(compiler, facts, file, context).run();
}

class CellTransform {
  readonly #ts: typeof ts;
  readonly #facts: CellFacts;
  readonly #file: ts.SourceFile;
  readonly #context: ts.TransformationContext;
  readonly #factory: ts.NodeFactory;
  /** Code at the top of a cell that never waits runs in one piece, which a signal can end. */
  #guarded: boolean;

  constructor(
    compiler: typeof ts,
    facts: CellFacts,
    file: ts.SourceFile,
    context: ts.TransformationContext,
  ) {
    this.#ts = compiler;
    this.#facts = facts;
    this.#file = file;
    this.#context = context;
    this.#factory = context.factory;
    this.#guarded = facts.awaits || process.platform === "win32";
  }

  run(): ts.SourceFile {
    const scope = this.#factory.createIdentifier(disposalName);
    const statements = this.#file.statements.map((statement) => this.#statement(statement, scope));
    return this.#factory.updateSourceFile(this.#file, statements);
  }

  /** A statement of a list whose resources belong to `scope`. */
  #statement(statement: ts.Statement, scope: ResourceScope): ts.Statement {
    if (!this.#ts.isVariableStatement(statement) || !this.#kindOf(statement.declarationList)) {
      return this.#visit(statement) as ts.Statement;
    }
    const list = this.#inScope(statement.declarationList, scope);
    return this.#factory.updateVariableStatement(statement, statement.modifiers, list);
  }

  readonly #visit = (node: ts.Node): ts.Node => {
    if (this.#ts.isMetaProperty(node) && node.name.text === "meta") {
      return this.#factory.createIdentifier(metaName);
    }
    if (this.#ts.isBlock(node)) return this.#block(node);
    if (this.#ts.isIterationStatement(node, false)) return this.#loop(node);
    if (!this.#ts.isFunctionLike(node)) return this.#children(node);
    const outside = this.#guarded;
    this.#guarded = true;
    const visited = this.#children(node);
    this.#guarded = outside;
    return visited;
  };

  #children<T extends ts.Node>(node: T): T {
    return this.#ts.visitEachChild(node, this.#visit, this.#context);
  }

  #block(block: ts.Block): ts.Block {
    const first = block.statements.findIndex(
      (statement) =>
        this.#ts.isVariableStatement(statement) && this.#kindOf(statement.declarationList),
    );
    if (first < 0) return this.#children(block);
    const before = block.statements.slice(0, first).map((one) => this.#visit(one) as ts.Statement);
    const rest = block.statements.slice(first);
    const waits = rest.some(
      (statement) =>
        this.#ts.isVariableStatement(statement) &&
        this.#kindOf(statement.declarationList) === "async",
    );
    const disposing = this.#disposing(waits, (scope) =>
      rest.map((statement) => this.#statement(statement, scope)),
    );
    return this.#factory.updateBlock(block, [...before, ...disposing]);
  }

  #loop(loop: Loop): ts.Statement {
    const list = (loop as Partial<ts.ForStatement | ts.ForOfStatement>).initializer;
    const kind = list && this.#ts.isVariableDeclarationList(list) ? this.#kindOf(list) : undefined;
    if (!kind) return this.#guardedLoop(loop, []);
    if (!this.#ts.isForOfStatement(loop)) {
      // The resource of `for (using x = …; …; …)` lives as long as the whole loop.
      const wrapped = this.#disposing(kind === "async", (scope) => {
        const { initializer } = loop as ts.ForStatement;
        const inScope = this.#inScope(initializer as ts.VariableDeclarationList, scope);
        return [this.#guardedLoop(this.#withInitializer(loop as ts.ForStatement, inScope), [])];
      });
      return this.#factory.createBlock(wrapped, true);
    }
    const { name } = (list as ts.VariableDeclarationList).declarations[0]!;
    const body = this.#disposing(kind === "async", (scope) => [
      this.#factory.createExpressionStatement(this.#taken(scope, kind, name as ts.Identifier)),
      this.#visit(loop.statement) as ts.Statement,
    ]);
    return this.#guardedLoop(loop, body);
  }

  #withInitializer(loop: ts.ForStatement, list: ts.VariableDeclarationList): ts.ForStatement {
    const { condition, incrementor, statement } = loop;
    return this.#factory.updateForStatement(loop, list, condition, incrementor, statement);
  }

  /** A loop with a guard before its body, which `body` replaces where it is not empty. */
  #guardedLoop(loop: Loop, body: readonly ts.Statement[]): ts.Statement {
    if (!this.#guarded && body.length === 0) return this.#children(loop);
    const guard = this.#factory.createExpressionStatement(
      this.#factory.createCallExpression(this.#factory.createIdentifier(guardName), undefined, []),
    );
    const newBody = (old: ts.Statement): ts.Statement => {
      const visited = body.length > 0 ? body : [this.#visit(old) as ts.Statement];
      return this.#factory.createBlock([...(this.#guarded ? [guard] : []), ...visited], true);
    };
    return this.#ts.visitEachChild(
      loop,
      (child) => (child === loop.statement ? newBody(loop.statement) : this.#visit(child)),
      this.#context,
    );
  }

  /** Statements in a scope that disposes at its end, however it is left. */
  #disposing(
    waits: boolean,
    statements: (scope: ts.Identifier) => readonly ts.Statement[],
  ): ts.Statement[] {
    const factory = this.#factory;
    const scope = factory.createUniqueName("scope");
    const error = factory.createUniqueName("error");
    const opened = this.#call(factory.createIdentifier(disposalName), "scope");
    const ended = this.#call(scope, waits ? "endAsync" : "end");
    const end = waits ? factory.createAwaitExpression(ended) : ended;
    const statement = (expression: ts.Expression): ts.Statement =>
      factory.createExpressionStatement(expression);
    return [
      factory.createVariableStatement(
        undefined,
        factory.createVariableDeclarationList(
          [factory.createVariableDeclaration(scope, undefined, undefined, opened)],
          this.#ts.NodeFlags.Const,
        ),
      ),
      factory.createTryStatement(
        factory.createBlock(statements(scope), true),
        factory.createCatchClause(
          factory.createVariableDeclaration(error),
          factory.createBlock([statement(this.#call(scope, "fail", error))], true),
        ),
        factory.createBlock([statement(end)], true),
      ),
    ];
  }

  /** A `using` list as a `const` one whose values `scope` takes. */
  #inScope(list: ts.VariableDeclarationList, scope: ResourceScope): ts.VariableDeclarationList {
    const kind = this.#kindOf(list)!;
    const declarations = list.declarations.map((declaration) => {
      const { name, exclamationToken, type, initializer } = declaration;
      const value = initializer && (this.#visit(initializer) as ts.Expression);
      return this.#factory.updateVariableDeclaration(
        declaration,
        name,
        exclamationToken,
        type,
        value && this.#taken(scope, kind, value),
      );
    });
    return this.#factory.updateVariableDeclarationList(list, declarations);
  }

  #taken(scope: ResourceScope, kind: UsingKind, value: ts.Expression): ts.Expression {
    return this.#call(scope, kind === "async" ? "useAsync" : "use", value);
  }

  #call(object: ts.Expression, method: string, ...args: ts.Expression[]): ts.Expression {
    return this.#factory.createCallExpression(
      this.#factory.createPropertyAccessExpression(object, method),
      undefined,
      args,
    );
  }

  #kindOf(list: ts.VariableDeclarationList): UsingKind | undefined {
    return list.pos < 0 ? undefined : this.#facts.using.get(list.getStart(this.#file));
  }
}
