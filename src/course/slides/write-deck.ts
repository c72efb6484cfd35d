/**
 * One notebook's deck as a folder that opens from a memory stick: the page, its style sheet with
 * fonts, its program with reveal.js in it, and plotly. Nothing in it has an address elsewhere.
 */
import { build } from "esbuild";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { extname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../../core/errors.ts";
import { arrange } from "./arrangement.ts";
import { deckHtml } from "./deck-html.ts";
import { parseNotebook } from "./notebook.ts";
import type { ImageSource } from "./safe-html.ts";

/** What was written. Slides are counted before the page cuts long ones to the screen's size. */
export interface WrittenDeck {
  readonly slug: string;
  readonly page: string;
  readonly numSlides: number;
  readonly numAppendixSlides: number;
}

const imageTypes: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".svg": "image/svg+xml",
  ".webp": "image/webp",
};
const maxImageBytes = 5_000_000;

/**
 * Writes the deck of notebook `slug` below `root` into `folder`. Throws
 * InputError where the notebook is missing, is none, or was never run.
 */
export async function writeDeck(root: string, slug: string, folder: string): Promise<WrittenDeck> {
  const file = `notebooks/${slug}.ipynb`;
  if (!existsSync(join(root, file))) {
    throw new InputError(`There is no ${file} yet, so there is nothing to present.`);
  }
  const cells = parseNotebook(readFileSync(join(root, file), "utf8"), file);
  if (cells.every(({ outputs }) => outputs.length === 0)) {
    throw new InputError(`${file} holds no outputs: run \`make notebooks\` first.`);
  }
  const arrangement = arrange(cells);
  const title = arrangement.main[0]?.title ?? slug;
  const html = deckHtml(title, arrangement, imagesBelow(join(root, "notebooks")));
  mkdirSync(folder, { recursive: true });
  await bundlePage(folder);
  copyFileSync(fileURLToPath(import.meta.resolve("plotly.js")), join(folder, "plotly.min.js"));
  writeFileSync(join(folder, "index.html"), html);
  return {
    slug,
    page: join(folder, "index.html"),
    numSlides: arrangement.main.length,
    numAppendixSlides: arrangement.appendix.length,
  };
}

/** `deck.js` and `deck.css`, with reveal.js and KaTeX's fonts. */
async function bundlePage(folder: string): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, "page", "deck.ts")],
    bundle: true,
    format: "iife",
    target: "es2022",
    minify: true,
    outdir: folder,
    loader: { ".woff2": "file" },
    assetNames: "fonts/[name]",
    // Only what browsers of long ago would ask for instead of woff2.
    external: ["*.woff", "*.ttf"],
    logLevel: "silent",
  });
}

/** Images of the notebooks' own folder; throws InputError where a notebook shows another. */
function imagesBelow(folder: string): ImageSource {
  return (path) => {
    const file = resolve(folder, decodeURI(path));
    const type = imageTypes[extname(file).toLowerCase()];
    const inside = !relative(folder, file).startsWith("..");
    if (type === undefined || !inside || !existsSync(file) || statSync(file).size > maxImageBytes) {
      throw new InputError(
        `A notebook shows the image "${path.slice(0, 100)}": a deck can hold only PNG, JPEG, SVG and WebP files of less than 5 MB from the folder notebooks.`,
      );
    }
    return `data:${type};base64,${readFileSync(file).toString("base64")}`;
  };
}
