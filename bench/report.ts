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

interface TrainingResult extends Result {
  readonly figures: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

interface QuantResult extends Result {
  readonly ways: readonly Row[];
}

interface QuantModelResult extends Result {
  readonly numLayers: number;
  readonly fileBytes: number;
  readonly seconds: number;
  readonly peakBytes: number;
}

interface PerplexityResult extends Result {
  readonly models: readonly {
    readonly model: string;
    readonly rows: readonly (Readonly<Record<string, number | null>> & {
      readonly quant: string;
    })[];
  }[];
}

interface DecodingResult extends Result {
  readonly results: readonly {
    readonly threads: number;
    readonly rows: readonly Guessed[];
    readonly copying: Guessed;
  }[];
}

/** Speculation in one way; see `decoding.ts`. */
interface Guessed {
  readonly source: string;
  readonly length: number | string;
  readonly temperature: number;
  readonly acceptance: number | null;
  readonly draftCost: number;
  readonly verifyCost: number;
  readonly speedup: number;
  readonly predicted: number | null;
}

interface PagingResult extends Result {
  readonly rows: readonly Readonly<Record<string, number>>[];
  readonly ratios: readonly Readonly<Record<string, number>>[];
}

const engineAbout =
  "Tokens a second, and as a multiple of what llama.cpp (node-llama-cpp) does with the same file on the same threads; time to load and peak memory as multiples too, where less is better. The last column is our peak memory beyond the file and the cache, in MB.";

const trainingAbout =
  "Tokens a second of whole steps, for all threads and for each second of processor time; as a multiple of what PyTorch does on all threads; and hours for the preset.";

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
  {
    name: "quant",
    title: "GPTQ of one layer",
    about:
      "Seconds for a layer of 2048 × 2048 from its activations on: Hessian, factor and the sweep over the columns; as a multiple of what the same algorithm takes in PyTorch, where less is better; and the share of the outputs that is lost.",
    rows: ({ ways }: QuantResult) => [...ways],
  },
  {
    name: "quant-model",
    title: "GPTQ of a model",
    about:
      "A model of the 1.1B shape with random weights, from its F16 file to a file in 4 bits: minutes with calibration, and the most memory that the process held.",
    rows: ({ numLayers, fileBytes, seconds, peakBytes }: QuantModelResult) => [
      {
        layers: numLayers,
        "file, GB": fileBytes / 1e9,
        minutes: seconds / 60,
        "memory, GB": peakBytes / 1e9,
      },
    ],
  },
  {
    name: "perplexity",
    title: "What compression costs",
    about:
      "Perplexity with its standard error; loss beyond that of F16 in nats a token with its paired standard error; divergence from F16; how often both expect the same token; accuracy in multiple choice; megabytes in memory; and llama.cpp's perplexity of the file that we write.",
    rows: ({ models }: PerplexityResult) =>
      models.flatMap(({ model, rows }) =>
        rows.map((row) => ({
          model: model.replace(/\.gguf$/, ""),
          format: row.quant,
          ...{ perplexity: row["ppl"]!, "±": row["stderr"] ?? "" },
          ...{ "loss +": row["lossIncrease"] ?? "", "± ": row["lossIncreaseStderr"] ?? "" },
          ...{ KL: row["kl"] ?? "", "same token": row["top1"] ?? "" },
          ...{ accuracy: row["accuracy"] ?? "", MB: row["residentBytes"]! / 1e6 },
          ...{ "llama.cpp": row["llamaCpp"]!, "× llama.cpp": row["ratio"]!.toFixed(5) },
        })),
      ),
  },
  {
    name: "training-target",
    title: "Training the target",
    about: trainingAbout,
    rows: trainingRows,
  },
  { name: "training-draft", title: "Training the draft", about: trainingAbout, rows: trainingRows },
  {
    name: "decoding",
    title: "Speculative decoding",
    about:
      "Speed as a multiple of plain decoding of the same target; what a guess and a pass over the guesses cost, in plain passes; and the speed that the formula predicts from acceptance and costs.",
    rows: ({ results }: DecodingResult) =>
      results.flatMap(({ threads, rows, copying }) => [
        ...rows.map((row) => guessedRow("stories", threads, row)),
        guessedRow("a story again", threads, copying),
      ]),
  },
  {
    name: "paging",
    title: "Serving from one memory",
    about:
      "Requests of one trace in a memory of one size: with a place as long as the longest for each, in blocks, and in blocks that share what prompts begin with. The last three columns are multiples of the first way.",
    rows: ({ rows, ratios }: PagingResult) =>
      rows.map((row, i) => ({
        policy: row["policy"]!,
        "tokens served": row["tokensServed"]!,
        "tokens a second": row["tokensPerSecond"]!,
        "in flight": row["meanInFlight"]!,
        "tokens served ×": ratios[i]!["tokensServed"]!,
        "tokens a second ×": ratios[i]!["tokensPerSecond"]!,
        "in flight ×": ratios[i]!["inFlight"]!,
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

function trainingRows({ figures }: TrainingResult): Row[] {
  return Object.entries(figures).map(([way, values]) => ({
    way,
    "tokens a second": values["tokensPerSecond"]!,
    "each CPU second": values["perCpuSecond"]!,
    "× PyTorch": values["ofPyTorch"]!,
    hours: values["hoursForPreset"]!,
  }));
}

function guessedRow(task: string, threads: number, row: Guessed): Row {
  const { source, length, temperature, acceptance, draftCost, verifyCost, speedup, predicted } =
    row;
  return {
    ...{ task, threads, source, length, temperature, acceptance: acceptance ?? "" },
    ...{ guess: draftCost, check: verifyCost, "speed ×": speedup, predicted: predicted ?? "" },
  };
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
