/**
 * The cells of this session and of those before it, for `history_request`: kept in memory and as
 * lines of JSON in a file, both bounded. Several kernels append to the file.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { log } from "./log.ts";

/** A cell that was run: the number of its session, its own number, its text. */
export type HistoryEntry = readonly [session: number, line: number, input: string];

/** What a client asks for; the defaults are those of Jupyter's protocol. */
export type HistoryRequest = z.infer<typeof historyRequest>;

const count = z.number().int();

export const historyRequest: z.ZodObject<{
  hist_access_type: z.ZodEnum<{ range: "range"; tail: "tail"; search: "search" }>;
  output: z.ZodDefault<z.ZodBoolean>;
  session: z.ZodDefault<z.ZodNumber>;
  start: z.ZodDefault<z.ZodNumber>;
  stop: z.ZodOptional<z.ZodNullable<z.ZodNumber>>;
  n: z.ZodOptional<z.ZodNullable<z.ZodNumber>>;
  pattern: z.ZodDefault<z.ZodString>;
  unique: z.ZodDefault<z.ZodBoolean>;
}> = z.object({
  hist_access_type: z.enum(["range", "tail", "search"]),
  output: z.boolean().default(false),
  session: count.default(0),
  start: count.default(0),
  stop: count.nullable().optional(),
  n: count.nullable().optional(),
  pattern: z.string().default("*"),
  unique: z.boolean().default(false),
});

/** Entries that are kept; the file grows to twice as many before it is shortened. */
const maxEntries = 1000;
/** Longer cells are remembered for this session only. */
const maxSavedUnits = 2 ** 16;

const savedEntry = z.tuple([count.min(1), count.min(0), z.string().max(maxSavedUnits)]);

export class History {
  readonly #file: string;
  readonly #session: number;
  #entries: HistoryEntry[];
  #numSaved: number;

  /** Reads what earlier sessions left in `file`; a line that is no entry is passed over. */
  constructor(file: string) {
    this.#file = file;
    const saved = readEntries(file);
    this.#numSaved = saved.length;
    this.#entries = saved.slice(-maxEntries);
    this.#session = 1 + Math.max(0, ...saved.map(([session]) => session));
  }

  /** Remembers a cell. */
  add(line: number, input: string): void {
    const entry: HistoryEntry = [this.#session, line, input];
    this.#entries.push(entry);
    if (this.#entries.length > 2 * maxEntries) this.#entries = this.#entries.slice(-maxEntries);
    if (input.length <= maxSavedUnits) this.#save(entry);
  }

  /** The entries asked for, oldest first; session 0 is this one, a negative one counts back. */
  find(request: HistoryRequest): HistoryEntry[] {
    switch (request.hist_access_type) {
      case "tail":
        return last(this.#entries, request.n);
      case "range": {
        const { session, start, stop } = request;
        const wanted = session <= 0 ? this.#session + session : session;
        return this.#entries.filter(
          ([own, line]) => own === wanted && line >= start && line < (stop ?? Infinity),
        );
      }
      case "search": {
        const fits = globMatcher(request.pattern);
        const found = this.#entries.filter(([, , input]) => fits(input));
        const inputs = found.map(([, , input]) => input);
        const kept = request.unique
          ? found.filter(([, , input], i) => inputs.lastIndexOf(input) === i)
          : found;
        return last(kept, request.n);
      }
    }
  }

  #save(entry: HistoryEntry): void {
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      if (++this.#numSaved > 2 * maxEntries) {
        const kept = [...readEntries(this.#file), entry].slice(-maxEntries);
        writeFileSync(this.#file, kept.map(lineOf).join(""));
        this.#numSaved = kept.length;
      } else appendFileSync(this.#file, lineOf(entry));
    } catch (error) {
      // A read-only repository has no history; its notebooks run.
      log(error);
    }
  }
}

function lineOf(entry: HistoryEntry): string {
  return `${JSON.stringify(entry)}\n`;
}

function readEntries(file: string): HistoryEntry[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  return text
    .split("\n")
    .slice(-3 * maxEntries)
    .flatMap((line) => {
      try {
        return [savedEntry.parse(JSON.parse(line))];
      } catch {
        return [];
      }
    });
}

function last(entries: readonly HistoryEntry[], n: number | null | undefined): HistoryEntry[] {
  return entries.slice(Math.max(0, entries.length - Math.max(0, n ?? entries.length)));
}

/** Whether a text fits a pattern of the shell's kind; `*` is any text, `?` any character. */
function globMatcher(pattern: string): (text: string) => boolean {
  const parts = Array.from(pattern);
  // Walks pattern and text together and returns to the last star: no pattern takes exponential time.
  return (text) => {
    const characters = Array.from(text);
    let [p, star, mark] = [0, -1, 0];
    for (let t = 0; t < characters.length;) {
      if (
        p < parts.length &&
        (parts[p] === "?" || parts[p] === characters[t]) &&
        parts[p] !== "*"
      ) {
        p++;
        t++;
      } else if (parts[p] === "*") {
        star = p++;
        mark = t;
      } else if (star >= 0) {
        p = star + 1;
        t = ++mark;
      } else return false;
    }
    while (parts[p] === "*") p++;
    return p === parts.length;
  };
}
