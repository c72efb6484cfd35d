/** What `infinity generate` reports about a generation: its text and how fast it came. */
import type { GenerationEvent } from "../runtime/generate.ts";
import { textTable } from "./text-table.ts";

/** A generation, measured. Rates are in tokens a second, null where there was nothing to measure. */
export interface Generation {
  readonly ids: readonly number[];
  readonly text: string;
  /** "stop" where the model ended its text, "length" where it was cut off. */
  readonly finish: "stop" | "length";
  readonly promptTokens: number;
  readonly prefillTokensPerSecond: number | null;
  /** Of the tokens after the first, which the prompt's own forward pass gives. */
  readonly decodeTokensPerSecond: number | null;
  readonly firstTokenMs: number;
}

/** What `--json` prints. */
export interface GenerationReport extends Generation {
  readonly loadMs: number;
  readonly modelBytes: number;
  /** Of keys and values. */
  readonly cacheBytes: number;
  /** The most memory that the process has had. */
  readonly peakRssBytes: number;
  readonly kernels: string;
  readonly threads: number;
}

/** Runs a generation to its end, hands its text on as it comes, and measures. */
export async function measure(
  events: AsyncIterable<GenerationEvent>,
  promptTokens: number,
  onText: (text: string) => void,
): Promise<Generation> {
  const ids: number[] = [];
  let text = "";
  let finish: Generation["finish"] = "length";
  const start = performance.now();
  let first: number | undefined;
  let last = start;
  for await (const event of events) {
    last = performance.now();
    first ??= last;
    if (event.type === "token") ids.push(event.id);
    else finish = event.reason;
    text += event.text;
    onText(event.text);
  }
  const firstTokenMs = (first ?? last) - start;
  return {
    ...{ ids, text, finish, promptTokens, firstTokenMs },
    prefillTokensPerSecond: rate(promptTokens, firstTokenMs),
    decodeTokensPerSecond: rate(ids.length - 1, last - start - firstTokenMs),
  };
}

/** The most memory that this process has had. */
export function peakRssBytes(): number {
  // Node gives it in KiB on every system.
  return process.resourceUsage().maxRSS * 1024;
}

/** One line of figures. */
export function summary(report: GenerationReport): string {
  const { promptTokens, ids, kernels } = report;
  const prefill = `prompt ${promptTokens} tokens (${shown(report.prefillTokensPerSecond)} tokens/s)`;
  const decode = `text ${ids.length} tokens (${shown(report.decodeTokensPerSecond)} tokens/s)`;
  return `${prefill}, ${decode}, ${kernels} kernels\n`;
}

/** All figures, one to a line. */
export function statistics(report: GenerationReport): string {
  const { loadMs, modelBytes, promptTokens, firstTokenMs, ids } = report;
  const { cacheBytes, peakRssBytes, kernels, threads } = report;
  const speed = (rate: number | null): string => `${shown(rate)} tokens/s`;
  const rows = [
    ["load", `${loadMs.toFixed(0)} ms`, `${modelBytes} bytes`],
    ["prompt", speed(report.prefillTokensPerSecond), `${promptTokens} tokens`],
    ["first token", `${firstTokenMs.toFixed(1)} ms`, "after the prompt was given"],
    ["text", speed(report.decodeTokensPerSecond), `${ids.length} tokens`],
    ["keys and values", `${cacheBytes} bytes`, ""],
    ["memory", `${peakRssBytes} bytes`, "at its peak, of the whole process"],
    ["kernels", kernels, `${threads} ${threads === 1 ? "thread" : "threads"}`],
  ];
  return textTable(rows, [1]);
}

function rate(numTokens: number, ms: number): number | null {
  return numTokens > 0 && ms > 0 ? numTokens / (ms / 1000) : null;
}

function shown(tokensPerSecond: number | null): string {
  return tokensPerSecond === null ? "–" : tokensPerSecond.toFixed(1);
}
