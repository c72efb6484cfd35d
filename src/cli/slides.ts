/** `infinity slides`: an offline deck for each notebook, from the outputs it was committed with. */
import type { Command } from "commander";
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { findProject, projects } from "../course/projects.ts";
import { writeDeck } from "../course/slides/write-deck.ts";

const root = join(import.meta.dirname, "..", "..");

/** Adds the arguments, options and action of `infinity slides`. */
export function define(command: Command): void {
  command
    .argument("[projects...]", "slugs or numbers such as 01; without one, every notebook there is")
    .option("--out <folder>", "where each deck gets a folder of its own", "build/slides")
    .action(async (wanted: string[], { out }: { readonly out: string }) => {
      const slugs = wanted.length > 0 ? wanted.map((name) => findProject(name).slug) : begunSlugs();
      for (const slug of slugs) {
        const deck = await writeDeck(root, slug, resolve(root, out, slug));
        const appendix =
          deck.numAppendixSlides === 0 ? "" : `, and ${deck.numAppendixSlides} in the appendix`;
        const page = relative(process.cwd(), deck.page);
        process.stdout.write(`${page}: ${deck.numSlides} slides${appendix}\n`);
      }
    });
}

function begunSlugs(): string[] {
  return projects
    .map(({ slug }) => slug)
    .filter((slug) => existsSync(join(root, "notebooks", `${slug}.ipynb`)));
}
