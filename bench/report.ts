/**
 * Brings `results/*.json` into `results/README.md`, the tables that people read:
 *
 *     make bench-report
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";

type Row = Readonly<Record<string, string | number>>;

/** What every result has beside its own figures; see `result.ts`. */
interface Result {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly node: string;
}

interface Section {
  /** Of the file in `results`. */
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly rows: (result: never) => Row[];
}

interface EngineResult extends Result {
  readonly figures: readonly {
    readonly model: string;
    readonly threads: number;
    readonly ours: Readonly<Record<string, number>>;
    readonly ratios: Readonly<Record<string, number>>;
    readonly oursExtraMb: number;
  }[];
}

interface BrowserResult extends Result {
  readonly figures: readonly Readonly<Record<string, number>>[];
}

interface KernelResult extends Result {
  readonly figures: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

interface QuantizeResult extends Result {
  readonly figures: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const engineAbout =
  "Tokens a second, and as a multiple of what llama.cpp (node-llama-cpp) does with the same file on the same threads; time to load and peak memory as multiples too, where less is better. The last column is our peak memory beyond the file and the cache, in MB.";

const sections: readonly Section[] = [
  { name: "engine-node20", title: "Engine, Node 20", about: engineAbout, rows: engineRows },
  { name: "engine-node24", title: "Engine, Node 24", about: engineAbout, rows: engineRows },
  {
    name: "browser",
    title: "Engine in Chromium",
    about:
      "Tokens a second, and as a multiple of what llama.cpp compiled to wasm (wllama) does in the same browser.",
    rows: ({ figures }: BrowserResult) =>
      figures.map((figure) => ({
        model: figure["model"]!,
        threads: figure["threads"]!,
        prefill: figure["prefill"]!,
        decode: figure["decode"]!,
        "prefill ×": figure["prefillRatio"]!,
        "decode ×": figure["decodeRatio"]!,
      })),
  },
  {
    name: "kernel",
    title: "Notebook kernel",
    about: "Milliseconds, megabytes and lines, beside Deno's TypeScript kernel and IPython's.",
    rows: ({ figures }: KernelResult) =>
      Object.keys(figures["ours"]!).map((name) => ({
        figure: name,
        ...Object.fromEntries(
          Object.entries(figures).map(([kernel, values]) => [kernel, values[name] ?? ""]),
        ),
      })),
  },
  {
    name: "quantize",
    title: "Quantising",
    about: "GB of float32 a second, and as a multiple of what NumPy does.",
    rows: ({ figures }: QuantizeResult) =>
      Object.entries(figures).map(([name, values]) => ({
        scheme: name,
        TypeScript: values["plainGBs"] ?? "",
        wasm: values["wasmGBs"] ?? "",
        NumPy: values["numpyGBs"] ?? "",
        "TypeScript ×": values["plainRatio"] ?? "",
        "wasm ×": values["wasmRatio"] ?? "",
      })),
  },
];

const folder = join(import.meta.dirname, "results");
const parts = sections.flatMap(({ name, title, about, rows }) => {
  const file = join(folder, `${name}.json`);
  if (!existsSync(file)) return [];
  const result = JSON.parse(readFileSync(file, "utf8")) as Result;
  const { date, commit, machine, node } = result;
  const where = `[${name}.json](${name}.json): ${machine}; Node ${node.slice(1)}; ${date.slice(0, 10)}; commit ${commit}.`;
  return [`## ${title}`, about, table(rows(result as never)), where];
});
const text = [
  "# What was measured",
  "Written by `make bench-report` from the JSON files beside it, which `make bench` and its relatives write. Two programs take turns, and figures are medians.",
  ...parts,
].join("\n\n");
writeFileSync(join(folder, "README.md"), await format(text, { parser: "markdown" }));

function engineRows({ figures }: EngineResult): Row[] {
  return figures.map(({ model, threads, ours, ratios, oursExtraMb }) => ({
    model,
    threads,
    prefill: ours["prefill"]!,
    decode: ours["decode"]!,
    "prefill ×": ratios["prefill"]!,
    "decode ×": ratios["decode"]!,
    "load ×": ratios["loadMs"]!,
    "memory ×": ratios["peakMb"]!,
    "beyond file and cache": oursExtraMb,
  }));
}

function table(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(columns),
    line(columns.map(() => "---")),
    ...rows.map((row) => line(columns.map((column) => cell(row[column]!)))),
  ].join("\n");
}

/** Three digits of a number. */
function cell(value: string | number): string {
  if (typeof value === "string") return value;
  return String(Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3)));
}
