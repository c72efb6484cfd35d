/**
 * The page of a deck: its slides as sections of blocks. How many blocks fit on a screen is only known
 * there, so `page/deck.ts` cuts the sections to size; here each block is a piece that stays whole.
 */
import { stripVTControlCharacters } from "node:util";
import type { Arrangement, Slide } from "./arrangement.ts";
import type { Cell, Output } from "./notebook.ts";
import { textIn } from "./notebook.ts";
import { escapeHtml, latexHtml, markdownHtml, safeHtml } from "./safe-html.ts";
import type { ImageSource } from "./safe-html.ts";

/** Nothing is loaded from elsewhere. Plotly and the speaker's window write styles and scripts. */
const contentPolicy = "default-src 'self' 'unsafe-inline' data: blob:";

/** Characters of a plain output that a slide shows; more can be read in the notebook. */
const maxOutputCharacters = 20_000;

/** The whole page. `title` is plain text. */
export function deckHtml(title: string, arrangement: Arrangement, imageOf: ImageSource): string {
  const { main, appendix } = arrangement;
  const divider =
    appendix.length === 0
      ? []
      : [
          `<section><section><div class="block"><h2>Appendix</h2><p>The rest of the notebook.</p></div></section></section>`,
        ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy}">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="deck.css">
</head>
<body>
<div class="reveal"><div class="slides">
${[...columns(main, imageOf), ...divider, ...columns(appendix, imageOf)].join("\n")}
</div></div>
<script src="plotly.min.js"></script>
<script src="deck.js"></script>
</body>
</html>
`;
}

/** Slides that stand below each other share a section. */
function columns(slides: readonly Slide[], imageOf: ImageSource): string[] {
  const all: string[][] = [];
  for (const slide of slides) {
    if (slide.isNewColumn || all.length === 0) all.push([]);
    all.at(-1)!.push(slideHtml(slide, imageOf));
  }
  return all.map((column) => `<section>\n${column.join("\n")}\n</section>`);
}

function slideHtml(slide: Slide, imageOf: ImageSource): string {
  const head =
    slide.isContinued && slide.title !== "" ? [`<h2>${continued(slide.title)}</h2>`] : [];
  const notes = slide.notes.map(({ source }) => markdownHtml(source, imageOf)).join("\n");
  const blocks = [
    ...head.map((html) => block("", html)),
    ...slide.cells.flatMap((cell) => cellBlocks(cell, imageOf)),
  ];
  return `<section data-title="${escapeHtml(plain(slide.title))}">
${blocks.join("\n")}
${notes === "" ? "" : `<aside class="notes">${notes}</aside>`}
</section>`;
}

function continued(title: string): string {
  return `${escapeHtml(plain(title))} <small>(continued)</small>`;
}

/** A heading's Markdown without its marks. */
function plain(title: string): string {
  return title.replace(/[*_`]/g, "");
}

function cellBlocks(cell: Cell, imageOf: ImageSource): string[] {
  const fragment = cell.metadata.slideshow.slide_type === "fragment" ? " fragment" : "";
  if (cell.cell_type === "markdown")
    return [block(`text${fragment}`, markdownHtml(cell.source, imageOf))];
  const code = `<pre><code class="language-typescript">${escapeHtml(cell.source)}</code></pre>`;
  const outputs = cell.outputs.map((output) => outputHtml(output, imageOf));
  return [
    block(`code${fragment}`, code),
    ...outputs.filter((html) => html !== "").map((html) => block(`output${fragment}`, html)),
  ];
}

function block(kind: string, html: string): string {
  return `<div class="block ${kind}">${html}</div>`;
}

function outputHtml(output: Output, imageOf: ImageSource): string {
  switch (output.output_type) {
    case "stream":
      return printed(output.text);
    case "error":
      return printed(`${output.ename}: ${output.evalue}`);
    case "display_data":
    case "execute_result":
      return displayHtml(output.data, imageOf);
  }
}

/** The richest representation that works offline. */
function displayHtml(data: Readonly<Record<string, unknown>>, imageOf: ImageSource): string {
  const text = (type: string): string | null => textIn(data, type);
  const figure = data["application/vnd.plotly.v1+json"];
  const fallback = imageHtml(data) ?? printed(text("text/plain") ?? "");
  if (typeof figure === "object" && figure !== null) {
    const label = escapeHtml(text("text/plain") ?? "Figure");
    return `<div class="figure" role="img" aria-label="${label}"><script type="application/json">${scriptJson(figure)}</script>${fallback}</div>`;
  }
  const html = text("text/html");
  const markdown = text("text/markdown");
  const latex = text("text/latex");
  if (imageHtml(data) !== null) return fallback;
  if (html !== null && isAlive(html))
    return framed(html, text("text/plain") ?? "Interactive output");
  if (html !== null) return safeHtml(html, imageOf);
  if (markdown !== null) return markdownHtml(markdown, imageOf);
  if (latex !== null) return latexHtml(latex);
  return fallback;
}

/** Whether HTML does something by itself, as an animation's slider does. */
function isAlive(html: string): boolean {
  return /<script\b|<[^>]*\son\w+\s*=/i.test(html);
}

/**
 * HTML with its scripts, in a frame of no origin: it reaches neither the deck nor, by the deck's
 * content policy, anything else.
 */
function framed(html: string, title: string): string {
  const page = `<!doctype html><meta name="color-scheme" content="light"><body style="margin:0;font:20px system-ui;background:#fff">${html}`;
  return `<iframe class="live" sandbox="allow-scripts" title="${escapeHtml(title)}" srcdoc="${escapeHtml(page)}"></iframe>`;
}

function imageHtml(data: Readonly<Record<string, unknown>>): string | null {
  const label = escapeHtml(textIn(data, "text/plain") ?? "Picture");
  const image = (type: string, base64: string): string =>
    `<img alt="${label}" src="data:${type};base64,${escapeHtml(base64)}">`;
  const svg = textIn(data, "image/svg+xml");
  // As an image, an SVG's scripts do not run.
  if (svg !== null) return image("image/svg+xml", Buffer.from(svg).toString("base64"));
  for (const type of ["image/png", "image/jpeg"]) {
    const base64 = textIn(data, type);
    if (base64 !== null) return image(type, base64.replace(/\s/g, ""));
  }
  return null;
}

function printed(text: string): string {
  const bare = stripVTControlCharacters(text).trimEnd();
  if (bare === "") return "";
  const cut = bare.length > maxOutputCharacters ? `${bare.slice(0, maxOutputCharacters)} …` : bare;
  return `<pre class="printed">${escapeHtml(cut)}</pre>`;
}

/** JSON that cannot end the script element around it. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}
