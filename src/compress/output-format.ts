/**
 * What a quantised model is written as: block formats of GGUF, which llama.cpp runs; the decoded values
 * of a linear grid in a GGUF file, to measure grids that no block format has; or the layouts in which
 * vLLM and transformers keep the results of GPTQ and AWQ.
 */
import { dtypeLayouts, isPlain } from "../core/dtypes.ts";
import { InputError, UsageError } from "../core/errors.ts";
import { isColumnDtype } from "../quant/block-columns.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import { quantizeBlocks } from "../quant/blocks/quantize.ts";
import { recipeDtype, recipeNamed } from "../quant/blocks/recipe.ts";
import type { RecipeDtype, RecipeModel } from "../quant/blocks/recipe.ts";
import { dequantizeLinear, quantizeLinear } from "../quant/linear.ts";
import {
  isHqqDtype,
  plainRounding,
  type EncodedMatrix,
  type GroupEncoder,
  type LinearGrid,
  type Method,
} from "./group-encoder.ts";
import type { FloatMatrix } from "./layer-matrices.ts";
import type { HalfRecipe } from "./quantize-half.ts";

/** What is written. */
export type OutputFormat =
  | { readonly kind: "blocks"; readonly recipe: string }
  | { readonly kind: "values"; readonly grid: LinearGrid }
  | { readonly kind: "gptq-layout"; readonly grid: LinearGrid }
  | { readonly kind: "awq-layout"; readonly grid: LinearGrid };

/** What the layouts can hold: what their readers know; of AWQ's 4 with zero points. */
const layoutBits: Readonly<Record<"gptq-layout" | "awq-layout", readonly number[]>> = {
  "gptq-layout": [2, 3, 4, 8],
  "awq-layout": [4],
};

/** The block formats that `--bits` stands for. */
const recipeOfBits: Readonly<
  Record<"k-quant" | "hqq" | "other", Readonly<Record<number, string>>>
> = {
  "k-quant": { 2: "q2_k", 3: "q3_k_m", 4: "q4_k_m", 5: "q5_k_m", 6: "q6_k" },
  hqq: { 4: "q4_1", 5: "q5_1" },
  other: { 2: "q2_k", 3: "q3_k_s", 4: "q4_0", 5: "q5_0", 6: "q6_k", 8: "q8_0" },
};

/** The recipe of block formats for a method and bits. Throws UsageError where there is none. */
export function recipeFor(method: Method, bits: number): string {
  const known = recipeOfBits[method === "k-quant" || method === "hqq" ? method : "other"];
  const recipe = known[bits];
  if (recipe !== undefined) return recipe;
  throw new UsageError(
    `${method} writes no GGUF file with ${bits} bits; choose ${Object.keys(known).join(", ")}, or a format with --type.`,
  );
}

/** Throws UsageError where the method does not write the format. */
export function checkFormat(method: Method, format: OutputFormat): void {
  if (format.kind === "blocks") {
    const { base } = recipeNamed(format.recipe);
    const holds =
      method === "hqq"
        ? isHqqDtype(base)
        : method === "gptq"
          ? isColumnDtype(base)
          : !isPlain(base);
    if (holds) return;
    throw new UsageError(
      `${method} does not write ${format.recipe}; ${method === "hqq" ? "choose q4_1 or q5_1" : "choose a format such as q4_0, q4_k or q8_0"}.`,
    );
  }
  if (format.kind === "values") return;
  const methods: readonly Method[] = format.kind === "awq-layout" ? ["awq"] : ["gptq", "rtn"];
  if (!methods.includes(method)) {
    throw new UsageError(
      `${method} writes GGUF files only: give --out a name that ends in .gguf, or choose gptq, awq or rtn.`,
    );
  }
  const bits = layoutBits[format.kind];
  if (bits.includes(format.grid.bits)) return;
  throw new UsageError(
    `The layout of ${format.kind === "awq-layout" ? "AWQ" : "GPTQ"} holds ${bits.join(", ")} bits, not ${format.grid.bits}.`,
  );
}

/** How matrices become what the format holds: parts of a `HalfRecipe`. */
export function encodingFor(
  method: Method,
  format: OutputFormat,
  model: RecipeModel,
): Pick<HalfRecipe, "encode" | "roundTrip"> {
  if (format.kind === "blocks") {
    const dtypeOf = (matrix: FloatMatrix): RecipeDtype =>
      blockDtype(method, format.recipe, matrix, model);
    return {
      encode: (encoder, matrix) => encoder.toBlocks(matrix, dtypeOf(matrix)),
      roundTrip: (matrix) => (W) => afterRounding(dtypeOf(matrix), W),
    };
  }
  const { grid } = format;
  const { bits, groupSize, mode } = grid;
  return {
    encode: (encoder, matrix) => encodeLinear(encoder, matrix, format),
    roundTrip: () => (W, cols) =>
      dequantizeLinear(
        quantizeLinear(W, W.length / cols, cols, {
          ...{ bits, mode, granularity: { group: groupSize } },
          ...{ convention: "max7.5", scaleType: "F16" },
        }),
      ),
  };
}

/** Values go into the file as F16, and that is what they are then. */
function encodeLinear(
  encoder: GroupEncoder,
  matrix: FloatMatrix,
  { kind, grid }: Exclude<OutputFormat, { kind: "blocks" }>,
): EncodedMatrix {
  const { cols, name } = matrix;
  if (cols % grid.groupSize !== 0) {
    throw new InputError(
      `Groups of ${grid.groupSize} do not divide the ${cols} columns of ${name}; choose another --group.`,
    );
  }
  const encoded = encoder.toLinear(matrix, grid);
  if (kind !== "values") return encoded;
  return plainRounding({ values: encoded.values.slice() }, "F16");
}

/**
 * The format that a recipe gives a matrix; where GPTQ cannot choose that format's codes one by one, the
 * one with blocks of 32 that it can.
 */
export function blockDtype(
  method: Method,
  recipe: string,
  { name, rows, cols }: Pick<FloatMatrix, "name" | "rows" | "cols">,
  model: RecipeModel,
): RecipeDtype {
  const dtype = recipeDtype(recipeNamed(recipe), name, [rows, cols], model)!;
  if (method !== "gptq" || isPlain(dtype) || isColumnDtype(dtype)) return dtype;
  return cols % dtypeLayouts.Q4_0.blockElements === 0 ? "Q4_0" : "F16";
}

function afterRounding(dtype: RecipeDtype, W: Float32Array): Float32Array {
  if (isPlain(dtype)) return W;
  return dequantizeBlocks(dtype, quantizeBlocks(dtype, W), W.length);
}
