/**
 * The regions of an exercise file: `// #region name` … `// #endregion`, one per exercise, not
 * nested. Pure text; a file that a student has edited may hold anything.
 */
import { InputError } from "../core/errors.ts";

/** One region: its lines without the two markers, and where they lie in the text. */
export interface Region {
  readonly name: string;
  readonly body: string;
  readonly begin: number;
  readonly end: number;
}

const marker =
  /^[ \t]*\/\/[ \t]*#(?:region[ \t]+(?<name>[^\s]+)|(?<close>endregion)\b.*)[ \t]*\r?$/gm;

/**
 * The regions of `text`, in order; `file` names it in messages. Throws InputError where one is
 * opened twice, not closed, or closed without having been opened.
 */
export function parseRegions(text: string, file: string): Region[] {
  const regions: Region[] = [];
  let open: { name: string; begin: number } | null = null;
  for (const match of text.matchAll(marker)) {
    const name = match.groups?.["name"];
    const line = text.slice(0, match.index).split("\n").length;
    if (name === undefined) {
      if (!open)
        throw new InputError(`${file}:${line} closes a region that is not open; ${cure(file)}.`);
      regions.push({ ...open, end: match.index, body: text.slice(open.begin, match.index) });
      open = null;
    } else if (open) {
      throw new InputError(
        `${file}:${line} opens region ${name} inside ${open.name}; ${cure(file)}.`,
      );
    } else if (regions.some((region) => region.name === name)) {
      throw new InputError(`${file}:${line} opens region ${name} a second time; ${cure(file)}.`);
    } else {
      open = { name, begin: Math.min(text.length, match.index + match[0].length + 1) };
    }
  }
  if (open) throw new InputError(`${file} never closes region ${open.name}; ${cure(file)}.`);
  return regions;
}

function cure(file: string): string {
  return `put the marker lines back, or restore ${file} with \`npx infinity reset\``;
}

/** `text` with `body` in the place of the region's lines. */
export function replaceRegion(text: string, region: Region, body: string): string {
  return `${text.slice(0, region.begin)}${body.trimEnd()}\n${text.slice(region.end)}`;
}

/** Whether two pieces of code differ in nothing but line ends, trailing blanks and outer blank lines. */
export function sameCode(a: string, b: string): boolean {
  return settled(a) === settled(b);
}

/** Code as `sameCode` compares it. */
export function settled(code: string): string {
  return code.replace(/[ \t]*\r?\n/g, "\n").trim();
}
