/** `infinity gguf`: look into a GGUF file, check it, summarise its tensors, convert it. */
import type { Command } from "commander";
import { openGgufFile, type Closable } from "../corpus/files.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { recipeNames } from "../quant/blocks/recipe.ts";
import { convert } from "./gguf-convert.ts";
import { peek } from "./gguf-peek.ts";
import { tensors } from "./gguf-tensors.ts";
import { verify } from "./gguf-verify.ts";

/** Adds the subcommands of `infinity gguf`. */
export function define(command: Command): void {
  command
    .command("peek <file>")
    .description("version, metadata, and the tensors with shape, type and place")
    .option("--json", "print one JSON object")
    .action((path: string, options: { json?: true }) =>
      withFile(path, (file) => {
        peek(file, options);
      }),
    );
  command
    .command("verify <file>")
    .description(
      "check structure, layout, padding and size; exit status 1 where something is wrong",
    )
    .option("--values", "also decode every tensor and look for NaN and infinity")
    .option("--json", "print one JSON object")
    .action(verify);
  command
    .command("tensors <file>")
    .description("type, bytes, bits a weight, least, greatest and mean value of every tensor")
    .option("--json", "print one JSON object")
    .action((path: string, options: { json?: true }) =>
      withFile(path, (file) => tensors(file, options)),
    );
  command
    .command("convert <file>")
    .description("write the model in another format, as llama.cpp would choose it for each tensor")
    .requiredOption("--to <format>", recipeNames.join(", "))
    .requiredOption("--out <file>", "the GGUF file to write")
    .option("--requantize", "convert blocks too, and lose what that loses")
    .option("--json", "print one JSON object")
    .action(convert)
    .addHelpText(
      "after",
      `
Rows that do not divide into blocks of 256 get a format of 32, and those that do not divide into 32 stay F16.`,
    );
  command.addHelpText(
    "after",
    `
Examples:
  infinity gguf peek model.gguf
  infinity gguf verify model.gguf --values
  infinity gguf convert model-f16.gguf --to q4_k_m --out model-q4_k_m.gguf`,
  );
}

async function withFile(
  path: string,
  use: (file: GgufFile & Closable) => void | Promise<void>,
): Promise<void> {
  const file = await openGgufFile(path);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}
