/** A notebook file, as far as slides need it: checked, bounded, and nothing of it trusted. */
import { z } from "zod";
import { InputError } from "../../core/errors.ts";

/** One cell; `outputs` of a Markdown cell are empty. */
export interface Cell {
  readonly cell_type: "markdown" | "code" | "raw";
  readonly metadata: {
    readonly tags: readonly string[];
    readonly slideshow: { readonly slide_type: string };
  };
  readonly source: string;
  readonly outputs: readonly Output[];
}

/** What a cell has shown. `data` holds representations by MIME type. */
export type Output =
  | { readonly output_type: "stream"; readonly text: string }
  | {
      readonly output_type: "display_data" | "execute_result";
      readonly data: Readonly<Record<string, unknown>>;
    }
  | { readonly output_type: "error"; readonly ename: string; readonly evalue: string };

const text = z.union([z.string(), z.array(z.string()).transform((lines) => lines.join(""))]);

const output: z.ZodType<Output> = z.discriminatedUnion("output_type", [
  z.object({ output_type: z.literal("stream"), text }),
  z.object({
    output_type: z.enum(["display_data", "execute_result"]),
    data: z.record(z.string(), z.unknown()),
  }),
  z.object({ output_type: z.literal("error"), ename: z.string(), evalue: z.string() }),
]);

const cell: z.ZodType<Cell> = z.object({
  cell_type: z.enum(["markdown", "code", "raw"]),
  metadata: z
    .object({
      tags: z.array(z.string()).default([]),
      slideshow: z.object({ slide_type: z.string() }).default({ slide_type: "-" }),
    })
    .prefault({}),
  source: text,
  outputs: z.array(output).default([]),
});

const notebook = z.object({ nbformat: z.literal(4), cells: z.array(cell).max(2000) });

/** Far above what a notebook of the course may take. */
const maxBytes = 20_000_000;

/** The cells of a notebook's JSON; `file` names it in messages. Throws InputError where it is none. */
export function parseNotebook(json: string, file: string): Cell[] {
  if (json.length > maxBytes) {
    throw new InputError(
      `${file} is larger than ${maxBytes} bytes: clear outputs that are too big.`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new InputError(`${file} is no notebook: it is not JSON.`);
  }
  const found = notebook.safeParse(value);
  if (found.success) return found.data.cells;
  const { path, message } = found.error.issues[0]!;
  throw new InputError(`${file} is no notebook of format 4: ${path.join(".")}: ${message}.`);
}

/** What a display holds of one MIME type as text, where it is text. */
export function textIn(data: Readonly<Record<string, unknown>>, mimeType: string): string | null {
  const found = text.safeParse(data[mimeType]);
  return found.success ? found.data : null;
}
