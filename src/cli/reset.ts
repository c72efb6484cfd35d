/** `infinity reset`: an exercise as it was before anything was written, with a copy of what was. */
import type { Command } from "commander";
import { join } from "node:path";
import { resetExercise } from "../course/exercise-file.ts";

const root = join(import.meta.dirname, "..", "..");

/** Adds the arguments and action of `infinity reset`. */
export function define(command: Command): void {
  command
    .argument("<project>", "a slug or a number such as 01")
    .argument("[exercise]", "one exercise; without it, the whole file")
    .action((project: string, exercise?: string) => {
      process.stdout.write(`${resetExercise(root, project, exercise).message}\n`);
    });
}
