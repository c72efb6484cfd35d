/** What `infinity speculate` shows: every pass as it comes, and figures at the end. */
import { styleText } from "node:util";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import type { Rounding } from "../model/rounded-rows.ts";
import type { SpeculationEvent } from "../runtime/speculative-generate.ts";
import type { PassTotals, SourceName } from "./speculate-measure.ts";

/** What `--json` prints. */
export interface SpeculationReport extends PassTotals {
  readonly ids: readonly number[];
  readonly text: string;
  readonly finish: "stop" | "length";
  readonly promptTokens: number;
  readonly source: SourceName;
  readonly length: number | "adaptive";
  /** Medians over the rounds, of the tokens after the first; null where there were none. */
  readonly plainTokensPerSecond: number | null;
  readonly speculativeTokensPerSecond: number | null;
  readonly speedup: number | null;
  /** Whether plain decoding wrote the same text; null above temperature 0, where it need not. */
  readonly sameText: boolean | null;
  readonly rounds: number;
  readonly kernels: string;
  readonly threads: number;
  /** Null where no model guesses. */
  readonly draftThreads: number | null;
  readonly draftWeights: Rounding | null;
}

/** Colours where `isColored`; marks tell the same without. */
export type Paint = (style: "green" | "red" | "cyan", text: string) => string;

/** For a terminal or for plain text. */
export function paintFor(isColored: boolean): Paint {
  return (style, text) => (isColored ? styleText(style, text, { validateStream: false }) : text);
}

/**
 * A pass as a line: `+` before each accepted guess, `x` before a refused one, `=` before the target's
 * correction or `*` before its bonus; then how many guesses were accepted.
 */
export function passLine(
  event: Extract<SpeculationEvent, { type: "pass" }>,
  tokenizer: Tokenizer,
  paint: Paint,
): string {
  const { draft, outcome, figures } = event;
  const shown = (id: number): string =>
    JSON.stringify(tokenizer.decode([id], { continuation: true }));
  const { path, next } = outcome.verdict;
  const last = path.at(-1) ?? -1;
  const refused = [...draft.tokens].filter((_, node) => draft.parents[node] === last);
  const pieces = [
    ...path.map((node) => paint("green", `+${shown(draft.tokens[node]!)}`)),
    ...refused.map((id) => paint("red", `x${shown(id)}`)),
    paint("cyan", `${outcome.wasRefused ? "=" : "*"}${shown(next)}`),
  ];
  return `${path.length}/${figures.length}  ${pieces.join(" ")}\n`;
}

/** What the marks of `passLine` mean. */
export function legend(paint: Paint): string {
  const marks = [
    paint("green", "+ accepted"),
    paint("red", "x refused"),
    paint("cyan", "= the target's correction"),
    paint("cyan", "* bonus"),
  ];
  return `${marks.join("   ")}\n`;
}

/** The figures, in a few lines. */
export function speculationSummary(report: SpeculationReport): string {
  const { passes, tokensPerTargetPass, acceptanceRate, sameText } = report;
  const lines = [
    `${report.ids.length} tokens in ${passes} passes after the first: ${number(tokensPerTargetPass)} tokens a pass, ${percent(acceptanceRate)} of the checked guesses accepted`,
    `plain ${number(report.plainTokensPerSecond)} tokens/s, speculative ${number(report.speculativeTokensPerSecond)} tokens/s: ${number(report.speedup)} times as fast (medians of ${report.rounds} rounds in turns, ${report.kernels} kernels)`,
  ];
  if (report.draftThreads !== null) {
    const { draftWeights: weights, draftThreads: threads } = report;
    const rounded = weights === "file" ? "as it is stored" : `rounded to ${weights}`;
    lines.push(`the draft ran ${rounded}, on ${threads} ${threads === 1 ? "thread" : "threads"}`);
  }
  if (sameText !== null) {
    lines.push(
      sameText
        ? "the text is the one that plain decoding writes"
        : "plain decoding writes another text: two tokens were so nearly equal that the order of a sum decided",
    );
  }
  return `${lines.join("\n")}\n`;
}

function number(value: number | null): string {
  return value === null ? "–" : value.toFixed(2);
}

function percent(share: number | null): string {
  return share === null ? "–" : `${(100 * share).toFixed(0)} %`;
}
