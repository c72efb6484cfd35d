/** What `infinity quantize-model` is to write, by its options. */
import { UsageError } from "../core/errors.ts";
import type { LinearGrid, Method } from "../compress/group-encoder.ts";
import { checkFormat, recipeFor, type OutputFormat } from "../compress/output-format.ts";
import { recipeNamed } from "../quant/blocks/recipe.ts";

/** The options that decide. */
export interface FormatOptions {
  readonly method: Method;
  readonly bits: number;
  readonly type?: string;
  /** A folder, unless its name ends in `.gguf`. */
  readonly out: string;
  readonly group?: number;
  readonly mode?: "symmetric" | "asymmetric";
  readonly simulate?: true;
}

/** What files of GPTQ and AWQ usually have. */
export const usualGroup = 128;

/**
 * What the options ask for. Throws UsageError where they contradict each other,
 * and where the method does not write that.
 */
export function outputFormat(options: FormatOptions): OutputFormat {
  const format = chosenFormat(options);
  checkFormat(options.method, format);
  return format;
}

function chosenFormat(options: FormatOptions): OutputFormat {
  const { method, bits, type, out, simulate } = options;
  const isGguf = out.endsWith(".gguf");
  if (isGguf && !simulate) {
    if (options.group !== undefined || options.mode !== undefined) {
      throw new UsageError(
        "--group and --mode are for folders and --simulate: a block format of GGUF has its own groups.",
      );
    }
    const recipe = type ?? recipeFor(method, bits);
    recipeNamed(recipe);
    return { kind: "blocks", recipe };
  }
  if (type !== undefined) {
    throw new UsageError(
      "--type names block formats of GGUF; give --out a name that ends in .gguf, and no --simulate.",
    );
  }
  const mode = options.mode ?? (method === "awq" ? "asymmetric" : "symmetric");
  const grid: LinearGrid = { bits, groupSize: options.group ?? usualGroup, mode };
  if (simulate) {
    if (isGguf) return { kind: "values", grid };
    throw new UsageError("--simulate writes a GGUF file; give --out a name that ends in .gguf.");
  }
  if (method !== "awq") return { kind: "gptq-layout", grid };
  if (mode === "asymmetric") return { kind: "awq-layout", grid };
  throw new UsageError("The layout of AWQ is asymmetric; leave out --mode.");
}
