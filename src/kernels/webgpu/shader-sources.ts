/**
 * The shaders' files, and how one becomes a pipeline's source. Every file is valid WGSL by itself: those
 * of the kernels compute with what any adapter has and with weights in float32. A file of functions for
 * another format, or for a feature that an adapter has, is linked into them. Reading the files is up to
 * the caller: from disk in Node, by a bundler for a browser.
 */

/** The names of the files in `shaders`, without `.wgsl`. */
export type ShaderName =
  | "add"
  | "attention"
  | "copy-rows"
  | "embed"
  | "matmul"
  | "matvec"
  | "rms-norm"
  | "rope"
  | "silu-multiply"
  | "softmax"
  | "store-blocks"
  | "store-halves"
  | "store-rows"
  | "native-halves"
  | "subgroup-reductions"
  | `formats/${"bf16" | "f16" | "q8_0" | "q4_0" | "q4_1" | "q5_0" | "q4_k" | "q5_k" | "q6_k" | "tq2_0"}`;

/** All of them. */
export const shaderNames: readonly ShaderName[] = [
  ...(["add", "attention", "copy-rows", "embed", "matmul", "matvec"] as const),
  ...(["rms-norm", "rope"] as const),
  ...(["silu-multiply", "softmax", "store-blocks", "store-halves", "store-rows"] as const),
  ...(["native-halves", "subgroup-reductions"] as const),
  ...(["formats/bf16", "formats/f16", "formats/q8_0", "formats/q4_0", "formats/q4_1"] as const),
  ...(["formats/q5_0", "formats/q4_k", "formats/q5_k", "formats/q6_k", "formats/tq2_0"] as const),
];

/** The text of every file. */
export type ShaderSources = Readonly<Record<ShaderName, string>>;

interface Declaration {
  readonly name: string | undefined;
  readonly isStruct: boolean;
  readonly text: string;
}

/**
 * `source` with what `pieces` declare, in the place of what had the same name there. A struct of the same
 * name stays as it was: a kernel's parameters begin with what a piece knows of them.
 */
export function linkShader(source: string, pieces: readonly string[]): string {
  const linked = declarations(source);
  for (const declaration of pieces.flatMap(declarations)) {
    const at = linked.findIndex(({ name }) => name === declaration.name);
    if (at < 0) linked.push(declaration);
    else if (!declaration.isStruct) linked[at] = declaration;
  }
  const enabled = [source, ...pieces].flatMap((text) => text.match(/^enable .*;$/gm) ?? []);
  return [...new Set(enabled), ...linked.map(({ text }) => text)].join("\n");
}

/** A declaration begins where a line begins with a word or an attribute; the files keep to that. */
function declarations(source: string): Declaration[] {
  return source
    .split(/\n(?=[a-z@/])/)
    .filter((text) => /^(?:fn|struct|const|override|var|@)/.test(text))
    .map((text) => ({
      name: /\b(?:fn|struct|const|override|var(?:<[^>]*>)?) (\w+)/.exec(text)?.[1],
      isStruct: text.startsWith("struct"),
      text,
    }));
}
