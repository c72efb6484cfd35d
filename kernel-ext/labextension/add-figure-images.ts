/**
 * Adds a static picture to each plotly figure of executed notebooks, so that they read on pages that
 * run no scripts, such as GitHub's: `add-figure-images.ts NOTEBOOK…`. JupyterLab still draws the
 * live figure, which it prefers. Needs Chromium; run by `make notebooks`.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Page, chromium } from "playwright-core";
import { writeFileAtomically } from "../../src/corpus/files.ts";
import { chromiumFlags, findChromium } from "./chromium.ts";
import { type Theme, heightOf, layoutFor, parseFigure } from "./src/figure.ts";

const figureType = "application/vnd.plotly.v1+json";
const imageType = "image/png";

/** About the width of a text column on the pages that show these pictures. Pixels. */
const width = 760;

/** A page of its own colour: a transparent picture would be lost on a dark page. */
const theme: Theme = {
  ...{ dark: false, text: "#222222", grid: "#dddddd", surface: "#ffffff" },
  fontFamily: "DejaVu Sans, Helvetica, Arial, sans-serif",
};

interface Notebook {
  readonly cells: readonly { readonly outputs?: readonly { data?: Record<string, unknown> }[] }[];
}

/** The figure as a PNG, base64. */
async function picture(page: Page, json: unknown): Promise<string> {
  const figure = parseFigure(json);
  const layout = {
    ...layoutFor(figure, theme, width),
    ...{ paper_bgcolor: theme.surface, plot_bgcolor: theme.surface },
  };
  const options = { format: "png", width, height: heightOf(figure) };
  const call = JSON.stringify([{ data: figure.data, layout }, options]);
  const url = await page.evaluate<string>(`Plotly.toImage(...${call})`);
  return url.slice(url.indexOf(",") + 1);
}

const executablePath = findChromium();
if (executablePath === undefined) {
  console.error("Pictures of figures need Chromium: install it, or name it in CHROMIUM.");
  process.exit(1);
}
const browser = await chromium.launch({ executablePath, args: [...chromiumFlags] });
try {
  const page = await browser.newPage();
  await page.addScriptTag({ path: createRequire(import.meta.url).resolve("plotly.js") });
  for (const path of process.argv.slice(2)) {
    const notebook = JSON.parse(readFileSync(path, "utf8")) as Notebook;
    for (const { data } of notebook.cells.flatMap(({ outputs }) => outputs ?? [])) {
      if (data && figureType in data) data[imageType] = await picture(page, data[figureType]);
    }
    await writeFileAtomically(
      path,
      new TextEncoder().encode(`${JSON.stringify(notebook, null, 1)}\n`),
    );
  }
} finally {
  await browser.close();
}
