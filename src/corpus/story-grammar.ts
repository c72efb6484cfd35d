/**
 * The little language that our stories are written in. `{thing}` is what the story calls its thing,
 * `{thing.color}` another word about it, `{^h.he}` the same with a capital; `[a|b|]` is one of the
 * alternatives, which may be empty and hold others; `{>ending}` is a fragment of that name. Blank
 * lines part paragraphs. Knows words and sentences, not what a story is about.
 */
import { type Rng, randomInt } from "../core/rng.ts";

/** A piece of a template. */
type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "slot"; readonly name: string; readonly field: string; capital: boolean }
  | { readonly kind: "choice"; readonly options: readonly Template[] }
  | { readonly kind: "fragment"; readonly name: string };

/** Compiled text of the language. */
export type Template = readonly Node[];

/** What a slot stands for: its words by field; `text` is the one that a bare `{slot}` means. */
export type Entry = ReadonlyMap<string, Template>;

/** Where a template's words come from. */
export interface Words {
  readonly rng: Rng;
  /** Throws where the story has no such slot. */
  entry(name: string): Entry;
  /** The text of a fragment, drawn anew. */
  fragment(name: string): Template;
}

/** Compiles `source`. Throws Error for a bracket or brace without its partner: a mistake of ours. */
export function template(source: string): Template {
  const reader = { source, at: 0 };
  const nodes = readSequence(reader, false);
  if (reader.at < source.length) throw new Error(`A bracket too many in: ${source}`);
  return nodes;
}

/** The entry whose fields are `fields`. */
export function entryOf(fields: Readonly<Record<string, string>>): Entry {
  return new Map(Object.entries(fields).map(([field, source]) => [field, template(source)]));
}

/** Draws the alternatives of `nodes` and puts the story's words in; `polish` makes sentences of it. */
export function expand(nodes: Template, words: Words): string {
  let text = "";
  for (const node of nodes) text += expandNode(node, words);
  return text;
}

/** The words of an entry's field that stand there as they are, slots and alternatives left out. */
export function plainText(entry: Entry, field: string): string {
  const nodes = entry.get(field) ?? [];
  return nodes.map((node) => (node.kind === "text" ? node.text : "")).join("");
}

/** Names of the slots that a template mentions, fragments left out. */
export function slotsOf(nodes: Template): string[] {
  return nodes.flatMap((node) => {
    if (node.kind === "slot") return [node.name];
    return node.kind === "choice" ? node.options.flatMap(slotsOf) : [];
  });
}

/**
 * Sentences from expanded text: single spaces, "an" before vowels, capitals where a sentence begins,
 * one empty line between paragraphs.
 */
export function polish(text: string): string {
  return text
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replaceAll(/\s+/g, " ").trim())
    .filter((paragraph) => paragraph !== "")
    .map(polishParagraph)
    .join("\n\n");
}

function polishParagraph(text: string): string {
  return text
    .replaceAll(/ ([.,!?])/g, "$1")
    .replaceAll(/\b([Aa]) (?=[aeiouAEIOU]|honest|hour)(?!one\b|once\b|uni|use)/g, "$1n ")
    .replaceAll(/(^"?|[.!?] "?)([a-z])/g, (_, before: string, letter: string) => {
      return before + letter.toUpperCase();
    });
}

function expandNode(node: Node, words: Words): string {
  switch (node.kind) {
    case "text":
      return node.text;
    case "choice":
      return expand(node.options[randomInt(words.rng, node.options.length)]!, words);
    case "fragment":
      return expand(words.fragment(node.name), words);
    case "slot": {
      const found = words.entry(node.name).get(node.field);
      if (!found) throw new Error(`The slot ${node.name} has no ${node.field}.`);
      const text = expand(found, words);
      return node.capital ? text.charAt(0).toUpperCase() + text.slice(1) : text;
    }
  }
  return node satisfies never;
}

interface Reader {
  readonly source: string;
  at: number;
}

/** Reads to the end, or inside brackets up to the "|" or "]" that ends an alternative. */
function readSequence(reader: Reader, inBrackets: boolean): Node[] {
  const nodes: Node[] = [];
  while (reader.at < reader.source.length) {
    const next = reader.source[reader.at]!;
    if (next === "]" || (inBrackets && next === "|")) break;
    if (next === "[") nodes.push(readChoice(reader));
    else if (next === "{") nodes.push(readSlot(reader));
    else nodes.push({ kind: "text", text: readWhile(reader, /[^[\]{|]+|\|/y) });
  }
  return nodes;
}

function readChoice(reader: Reader): Node {
  const options: Template[] = [];
  do {
    reader.at++;
    options.push(readSequence(reader, true));
  } while (reader.source[reader.at] === "|");
  if (reader.source[reader.at] !== "]") throw new Error(`A bracket is open in: ${reader.source}`);
  reader.at++;
  return { kind: "choice", options };
}

function readSlot(reader: Reader): Node {
  const text = readWhile(reader, /\{[^{}]+\}/y);
  const parts = /^\{(>?)(\^?)([a-z0-9]+)(?:\.([a-z]+))?\}$/.exec(text);
  if (!parts) throw new Error(`${text} is no slot in: ${reader.source}`);
  const [, mark, capital, name, field = "text"] = parts;
  if (mark) return { kind: "fragment", name: name! };
  return { kind: "slot", name: name!, field, capital: capital === "^" };
}

function readWhile(reader: Reader, pattern: RegExp): string {
  pattern.lastIndex = reader.at;
  const [text] = pattern.exec(reader.source) ?? [];
  if (text === undefined) throw new Error(`A brace is open in: ${reader.source}`);
  reader.at += text.length;
  return text;
}
