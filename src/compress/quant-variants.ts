/**
 * The one table of what a model can be made into by name, for everything that compares compressed
 * models: block formats, such as q8_0 or q4_k_m, and methods that look at data, such as gptq-4 or
 * awq-q4_k. Each writes a GGUF file that the engine and llama.cpp run.
 */
import { join } from "node:path";
import { UsageError, nearestNames } from "../core/errors.ts";
import { writeAtomically } from "../corpus/files.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { convertGguf } from "../quant/blocks/convert.ts";
import { recipeNames } from "../quant/blocks/recipe.ts";
import type { CalibrationWindows } from "./calibration-windows.ts";
import { methods, type Method } from "./group-encoder.ts";
import type { KernelLease } from "./model-shape.ts";
import { checkFormat, recipeFor } from "./output-format.ts";
import { quantizeLayers } from "./quantize-model.ts";
import { ggufLayerWriter, writeGgufModel } from "./write-gguf-model.ts";

/** What methods that look at data need; block formats need nothing of it. */
export interface VariantTools {
  readonly openKernels: () => Promise<KernelLease>;
  /** Asked for when a method needs them. */
  readonly calibration: () => Promise<CalibrationWindows>;
}

/** One way to store a model. */
export interface QuantVariant {
  readonly name: string;
  /**
   * Makes `file`, whose weights are plain, into a GGUF file called `path`, with nothing left beside it.
   * Throws InputError where that cannot be done.
   */
  write(file: GgufFile, path: string, tools: VariantTools): Promise<void>;
}

/**
 * The variant called `name`, in whatever case: a block format; or a method and its bits, as `infinity
 * quantize-model` takes them, such as gptq-3; or a method and a block format, such as gptq-q4_k.
 * Throws UsageError for another name, and where the method does not write the format.
 */
export function quantVariantNamed(name: string): QuantVariant {
  const lower = name.toLowerCase();
  if (recipeNames.includes(lower)) return blockVariant(lower);
  const [, prefix, grid] = /^(.+)-(\w+)$/.exec(lower) ?? [];
  const method = methods.find((each) => each === prefix);
  if (method && grid !== undefined) return methodVariant(lower, method, grid);
  const near = nearestNames(lower, recipeNames).join(", ");
  throw new UsageError(
    `There is no quantisation ${name}; near it are ${near}, and methods with bits, such as gptq-4, are ${methods.join(", ")}.`,
  );
}

function blockVariant(name: string): QuantVariant {
  return {
    name,
    write: (file, path) => writeAtomically(path, (sink) => convertGguf(file, name, sink)),
  };
}

function methodVariant(name: string, method: Method, grid: string): QuantVariant {
  const recipe = /^\d+$/.test(grid) ? recipeFor(method, Number(grid)) : grid;
  const format = { kind: "blocks", recipe } as const;
  checkFormat(method, format);
  return {
    name,
    write: async (file, path, { openKernels, calibration }) => {
      const windows = await calibration();
      const folder = join(path, "..", `${name}.unfinished`);
      const run = { file, windows, recipe: { method, format }, folder, openKernels };
      const { work } = await quantizeLayers(run, ggufLayerWriter);
      await writeGgufModel(path, file, format, work);
      await work.remove();
    },
  };
}
