/**
 * Markdown and HTML of a notebook as HTML that a deck may hold: formulas drawn, and of the rest only
 * what can neither run nor load anything. A notebook may come from anyone.
 */
import katex from "katex";
import { Marked, type TokenizerAndRendererExtension } from "marked";
import sanitize from "sanitize-html";

/** The image at a notebook's path as a `data:` address; throws where a deck cannot hold it. */
export type ImageSource = (path: string) => string;

/** Stands for a formula while the HTML around it is cleaned. */
const placeholder = "infinity-formula";

/** A cell's Markdown as HTML. */
export function markdownHtml(source: string, imageOf: ImageSource): string {
  const formulas: string[] = [];
  const keep = (tex: string, display: boolean): string => {
    formulas.push(formulaHtml(tex, display));
    return `<${placeholder} n="${formulas.length - 1}"></${placeholder}>`;
  };
  const marked = new Marked({ extensions: [blockFormula(keep), inlineFormula(keep)] });
  const html = safeHtml(marked.parse(source, { async: false }), imageOf);
  const places = new RegExp(`<${placeholder} n="(\\d+)"></${placeholder}>`, "g");
  return html.replace(places, (_, n: string) => formulas[Number(n)] ?? "");
}

/** A formula alone, as an output of type text/latex holds it. */
export function latexHtml(source: string): string {
  return formulaHtml(source.trim().replace(/^\$+|\$+$/g, ""), true);
}

/** HTML without scripts, handlers, frames, forms and addresses that would be loaded. */
export function safeHtml(html: string, imageOf: ImageSource): string {
  return sanitize(html, {
    allowedTags: [...sanitize.defaults.allowedTags, ...addedTags],
    allowedAttributes: {
      "*": ["class", "style", "title", "role", "aria-*"],
      a: ["href", "target", "rel"],
      img: ["src", "alt", "width", "height"],
      details: ["open"],
      ol: ["start"],
      ...Object.fromEntries(["th", "td"].map((tag) => [tag, ["colspan", "rowspan", "scope"]])),
      ...Object.fromEntries(svgTags.map((tag) => [tag, svgAttributes])),
      [placeholder]: ["n"],
    },
    allowedStyles: { "*": allowedStyles },
    allowedSchemes: ["http", "https", "mailto"],
    allowedSchemesByTag: { img: ["data"] },
    allowProtocolRelative: false,
    transformTags: {
      // To reveal.js a section is a slide.
      section: "div",
      a: sanitize.simpleTransform("a", { target: "_blank", rel: "noopener noreferrer" }),
      img: (tagName, { src, ...attribs }) => ({
        tagName,
        attribs: { ...attribs, src: src?.startsWith("data:image/") ? src : imageOf(src ?? "") },
      }),
    },
  });
}

/** Plain text as HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const svgTags = [
  ...["svg", "g", "path", "rect", "line", "circle", "ellipse", "polyline", "polygon", "text"],
  ...["tspan", "desc"],
];

const addedTags = [...svgTags, "details", "summary", "img", "h1", "h2", "figcaption", placeholder];

const svgAttributes = [
  ...["viewbox", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry"],
  ...["d", "points", "transform", "fill", "stroke", "stroke-width", "stroke-dasharray", "opacity"],
  ...["fill-opacity", "font-size", "text-anchor", "dominant-baseline", "preserveaspectratio"],
];

const size = /^-?[\d.]+(px|em|rem|%|)$/;
const word = /^[a-z-]+$/;
const color = /^(#[\da-f]{3,8}|[a-z]+|rgba?\([\d., %]+\))$/i;
/** Nothing that leaves its place in the slide, or that has an address. */
const allowedStyles = {
  "text-align": [word],
  "font-weight": [/^\w+$/],
  "font-style": [word],
  color: [color],
  "background-color": [color],
  width: [size],
  "max-width": [size],
  height: [size],
  display: [/^(flex|block|inline|inline-block|none)$/],
  flex: [/^[\d. ]+(auto|%|)$/],
  gap: [size],
  overflow: [/^(auto|hidden)$/],
};

function formulaHtml(tex: string, display: boolean): string {
  return katex.renderToString(tex, {
    displayMode: display,
    // A mistake is shown in red where it stands; commands that could load or link stay refused.
    throwOnError: false,
    trust: false,
    strict: "ignore",
    maxSize: 20,
    maxExpand: 1000,
  });
}

type Keep = (tex: string, display: boolean) => string;

/** `$$…$$` in lines of its own. */
function blockFormula(keep: Keep): TokenizerAndRendererExtension {
  return {
    name: "blockFormula",
    level: "block",
    start: (source) => source.match(/(?:^|\n)\$\$/)?.index,
    tokenizer(source) {
      const found = /^\$\$([^$]+)\$\$[ \t]*(?:\n|$)/.exec(source);
      return found ? { type: "blockFormula", raw: found[0], tex: found[1]! } : undefined;
    },
    renderer: (token) => keep(String(token["tex"]), true),
  };
}

/** `$$…$$` and `$…$` within a line; as in Jupyter, two prices in a sentence are no formula. */
function inlineFormula(keep: Keep): TokenizerAndRendererExtension {
  return {
    name: "inlineFormula",
    level: "inline",
    start: (source) => source.indexOf("$"),
    tokenizer(source) {
      const display = /^\$\$([^$]+)\$\$/.exec(source);
      const found =
        display ?? /^\$(?![\s$])((?:\\[^]|[^\\$])*[^\\$\s]|[^\\$\s])\$(?!\d)/.exec(source);
      if (!found) return undefined;
      return { type: "inlineFormula", raw: found[0], tex: found[1]!, display: display !== null };
    },
    renderer: (token) => keep(String(token["tex"]), token["display"] === true),
  };
}
