/** What `infinity paged` prints for people: a log of the blocks, a map of the memory, and the texts. */
import type { BlockFilm, BlockFrame } from "../runtime/block-film.ts";
import { eventText, stepText } from "../runtime/block-log.ts";
import { textTable } from "./text-table.ts";

/** A request and what became of it. */
export interface ServedRequest {
  readonly request: number;
  readonly prompt: string;
  readonly numPrompt: number;
  /** The step before which it was submitted. */
  readonly arrival: number;
  readonly texts: readonly {
    readonly text: string;
    readonly numTokens: number;
    readonly reason: string;
  }[];
}

/** The memory that the requests had together. */
export interface PagedBudget {
  readonly model: string;
  readonly numBlocks: number;
  readonly blockSize: number;
  readonly kvDtype: string;
  readonly numBytes: number;
}

const mapColumns = 8;

/** The whole report. */
export function describePaged(
  budget: PagedBudget,
  film: BlockFilm,
  requests: readonly ServedRequest[],
): string {
  const { model, numBlocks, blockSize, kvDtype, numBytes } = budget;
  return [
    `${model}: ${numBlocks} blocks of ${blockSize} tokens, ${numBytes} bytes of keys and values in ${kvDtype}\n`,
    ...film.frames.map((frame) => logText(frame, film)),
    film.fullest ? mapText(film.fullest, film, budget) : "",
    requestTable(requests),
    ...requests.map(requestText),
  ].join("");
}

function logText({ report, events }: BlockFrame, film: BlockFilm): string {
  // Steps in which nothing moves would be most of the log.
  if (events.length === 0) return "";
  const lines = events.map((event) => `  ${eventText(event, (id) => film.nameOf(id))}\n`);
  return `step ${report.step}: ${stepText(report)}\n${lines.join("")}`;
}

/** Blocks with the names of those that use them. */
function mapText(
  { report, tables, cachedFree }: BlockFrame,
  film: BlockFilm,
  { numBlocks }: PagedBudget,
): string {
  const cells = Array.from({ length: numBlocks }, (_, block) => {
    const users = tables.filter(({ blocks }) => blocks.includes(block));
    const names = users.map(({ sequence }) => film.nameOf(sequence)).join("+");
    return `${block}:${names || (cachedFree.includes(block) ? "(cached)" : "·")}`;
  });
  const rows = Array.from({ length: Math.ceil(cells.length / mapColumns) }, (_, row) =>
    Array.from({ length: mapColumns }, (_, column) => cells[row * mapColumns + column] ?? ""),
  );
  const mapped = tables.map(
    ({ sequence, numTokens, blocks }) =>
      `  ${film.nameOf(sequence)}: ${numTokens} tokens in blocks ${blocks.join(", ")}\n`,
  );
  return `
The memory when it was fullest, after step ${report.step}: block:users, · free, (cached) free and still to be found
${textTable(rows, []).replace(/^/gm, "  ").trimEnd()}
${mapped.join("")}
`;
}

function requestTable(requests: readonly ServedRequest[]): string {
  const rows = requests.flatMap(({ request, arrival, numPrompt, texts }) =>
    texts.map(({ numTokens, reason }, i) => [
      texts.length === 1 ? `${request}` : `${request}, text ${i + 1}`,
      ...[arrival, numPrompt, numTokens].map(String),
      reason,
    ]),
  );
  return textTable(
    [["request", "before step", "prompt", "written", "ended by"], ...rows],
    [1, 2, 3],
  );
}

function requestText({ request, prompt, texts }: ServedRequest): string {
  const indented = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, "\n  ");
  return texts
    .map(({ text }) => `\nRequest ${request}:\n  ${prompt} ▸ ${indented(text)}\n`)
    .join("");
}
