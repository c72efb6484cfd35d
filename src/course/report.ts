/**
 * What a grading found, as data for `--json`, as text for the terminal and as HTML for the notebook.
 * Everything in it may come from a student's process: the HTML escapes all of it.
 */
import { inspect } from "node:util";
import { isList } from "./compare.ts";
import { listPicture } from "./list-picture.ts";

/** A value as a report shows it; `values` where it is a list of numbers, null for a non-finite one. */
export interface Shown {
  readonly text: string;
  readonly values?: readonly (number | null)[];
}

/** One graded test. `hint` is the step of the ladder that this many attempts have earned. */
export interface TestReport {
  readonly name: string;
  readonly exercise: string;
  readonly status: "passed" | "failed" | "not run";
  readonly points: number;
  readonly maxPoints: number;
  readonly hint: string | null;
  readonly hints: readonly string[];
  readonly message: string | null;
  readonly expected?: Shown;
  readonly got?: Shown;
  readonly output?: string;
}

/** The tests of one project. `problem` says why none of them ran, where none did. */
export interface GradeReport {
  readonly slug: string;
  readonly problem?: string;
  readonly tests: readonly TestReport[];
  readonly points: number;
  readonly maxPoints: number;
}

/** Elements of a list that a report keeps: more than a picture can show. */
const shownElements = 512;
const shownCharacters = 1000;

/** `value` made small enough, and plain enough, for a report. */
export function shown(value: unknown): Shown {
  const options = { depth: 4, maxArrayLength: 16, maxStringLength: 200, breakLength: 90 };
  const text = typeof value === "string" ? value : inspect(value, options);
  const cut = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
  if (!isList(value) || value.length < 2) return { text: cut };
  const elements = Array.from(
    { length: Math.min(shownElements, value.length) },
    (_, i) => value[i],
  );
  if (!elements.every((element) => typeof element === "number")) return { text: cut };
  return { text: cut, values: elements.map((x) => (Number.isFinite(x) ? x : null)) };
}

const signs = { passed: "✓", failed: "✗", "not run": "○" } as const;

/** The report for a terminal, one line a test and more for a failed one. */
export function reportText(report: GradeReport): string {
  const lines = [`${report.slug}: ${report.points} of ${report.maxPoints} points`];
  if (report.problem !== undefined) lines.push("", `  Nothing was run: ${report.problem}`);
  for (const [exercise, tests] of byExercise(report)) {
    const reason = commonReason(tests);
    const said = reason === report.problem ? null : reason;
    lines.push("", said === null ? exercise : `${exercise}: ${said}`);
    for (const test of tests) lines.push(...testLines(test, reason ?? report.problem));
  }
  return `${lines.join("\n")}\n`;
}

function testLines(test: TestReport, problem: string | undefined): string[] {
  const { status, name, points, maxPoints, message } = test;
  const reason =
    status === "not run" && message !== null && message !== problem ? ` (${message})` : "";
  const lines = [`  ${signs[status]} ${name}: ${status}${reason}, ${points}/${maxPoints}`];
  if (status !== "failed") return lines;
  if (message !== null) lines.push(`      ${indented(message)}`);
  if (test.expected) lines.push(`      expected: ${indented(test.expected.text)}`);
  if (test.got) lines.push(`      got:      ${indented(test.got.text)}`);
  if (test.output)
    lines.push("      printed:", `        ${test.output.trimEnd().replaceAll("\n", "\n        ")}`);
  if (test.hint !== null) lines.push(`      hint: ${test.hint}`);
  return lines;
}

function indented(text: string): string {
  return text.replaceAll("\n", "\n      ");
}

function byExercise(report: GradeReport): Map<string, TestReport[]> {
  const groups = new Map<string, TestReport[]>();
  for (const test of report.tests) {
    groups.set(test.exercise, [...(groups.get(test.exercise) ?? []), test]);
  }
  return groups;
}

/** The report as one piece of HTML with its own styles, for a page or a notebook's output. */
export function reportHtml(report: GradeReport): string {
  const share = report.maxPoints === 0 ? 0 : (100 * report.points) / report.maxPoints;
  const score = `${report.points} of ${report.maxPoints} points`;
  const sections = [...byExercise(report)].map(([exercise, tests]) =>
    exerciseHtml(exercise, tests, report.problem),
  );
  return `<section class="infinity-grade" aria-label="Result of ${escape(report.slug)}">
<style>${style}</style>
<header><strong>${escape(report.slug)}</strong> <span>${score}</span></header>
<div class="bar" role="img" aria-label="${score}"><div style="width:${share.toFixed(1)}%"></div></div>
${report.problem === undefined ? "" : `<p class="problem"><strong>Nothing was run.</strong> ${escape(report.problem)}</p>`}
${sections.join("\n")}
</section>`;
}

function exerciseHtml(
  exercise: string,
  tests: readonly TestReport[],
  problem: string | undefined,
): string {
  const points = tests.reduce((sum, test) => sum + test.points, 0);
  const most = tests.reduce((sum, test) => sum + test.maxPoints, 0);
  const reason = commonReason(tests);
  const items = tests.map((test) => testHtml(test, reason ?? problem)).join("\n");
  // No <h4>: JupyterLab adds an anchor to every heading of an output.
  return `<div class="exercise" role="heading" aria-level="4"><code>${escape(exercise)}</code> <span>${points}/${most}</span></div>${reason === null || reason === problem ? "" : `<p>${escape(reason)}</p>`}
<ul>
${items}
</ul>`;
}

/** Why no test of an exercise ran, where all have the one reason: it is said once. */
function commonReason(tests: readonly TestReport[]): string | null {
  const [first] = tests;
  const shared = tests.every(
    ({ status, message }) => status === "not run" && message === first?.message,
  );
  return shared ? (first?.message ?? null) : null;
}

function testHtml(test: TestReport, problem: string | undefined): string {
  const { status, name, points, maxPoints, message } = test;
  const kind = status.replace(" ", "-");
  const detail = message === null || message === problem ? "" : `<p>${escape(message)}</p>`;
  const failed =
    status === "failed"
      ? `${comparisonHtml(test)}${outputHtml(test.output)}${hintsHtml(test.hints)}`
      : "";
  return `<li class="${kind}"><div class="line"><span class="sign" aria-hidden="true">${signs[status]}</span> <span class="name">${escape(name)}</span> <span class="status">${status}</span> <span>${points}/${maxPoints}</span></div>${detail}${failed}</li>`;
}

/** Expected beside got: drawn where both are lists of numbers, and always as text. */
function comparisonHtml({ expected, got }: TestReport): string {
  const picture = expected?.values && got?.values ? listPicture(expected.values, got.values) : "";
  const value = (label: string, side: Shown | undefined): string =>
    side === undefined
      ? ""
      : `<div><dt>${label}</dt><dd><pre>${escape(side.text)}</pre></dd></div>`;
  const values = `${value("expected", expected)}${value("got", got)}`;
  return `${picture}${values === "" ? "" : `<dl>${values}</dl>`}`;
}

function outputHtml(output: string | undefined): string {
  if (!output) return "";
  return `<details><summary>What your code printed</summary><pre>${escape(output)}</pre></details>`;
}

/** Each hint holds the next: one more click for one more step. */
function hintsHtml(hints: readonly string[]): string {
  return hints.reduceRight(
    (inner, hint, i) =>
      `<details class="hint"><summary>Hint ${i + 1} of ${hints.length}</summary><p>${escape(hint)}</p>${inner}</details>`,
    "",
  );
}

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}

/** JupyterLab's variables give its theme's colours; elsewhere the page's own text colour serves. */
const style = `
.infinity-grade{--good:var(--jp-success-color1,#2e7d32);--bad:var(--jp-error-color1,#c62828);--edge:var(--jp-border-color2,#8888);color:var(--jp-ui-font-color1,inherit);font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:14px;line-height:1.45;max-width:56rem;overflow-wrap:anywhere}
.infinity-grade header,.infinity-grade .exercise,.infinity-grade .line{display:flex;flex-wrap:wrap;gap:.2em .6em;align-items:baseline;margin:0}
.infinity-grade header span,.infinity-grade .exercise span{margin-left:auto;white-space:nowrap}
.infinity-grade .exercise{margin:1em 0 .2em;font-weight:bold}
.infinity-grade .bar{height:8px;border:1px solid var(--edge);border-radius:4px;overflow:hidden;margin:.4em 0}
.infinity-grade .bar div{height:100%;background:var(--good)}
.infinity-grade ul{list-style:none;margin:0;padding:0}
.infinity-grade li{margin:0;padding:.3em 0 .3em .6em;border-left:3px solid var(--edge)}
.infinity-grade li.passed{border-color:var(--good)}
.infinity-grade li.failed{border-color:var(--bad)}
.infinity-grade .name{flex:1 1 12em}
.infinity-grade .sign{width:1.1em;font-weight:bold}
.infinity-grade .passed .sign{color:var(--good)}
.infinity-grade .failed .sign{color:var(--bad)}
.infinity-grade p{margin:.3em 0}
.infinity-grade dl{display:flex;flex-wrap:wrap;gap:.4em 1.2em;margin:.3em 0}
.infinity-grade dl div{flex:1 1 15em;min-width:0}
.infinity-grade dt{font-size:.85em;opacity:.8}
.infinity-grade dd{margin:0}
.infinity-grade pre{margin:0;padding:.3em .5em;white-space:pre-wrap;overflow-wrap:anywhere;max-height:16em;overflow:auto;border:1px solid var(--edge);border-radius:3px;background:none;color:inherit;font-size:12px}
.infinity-grade details{margin:.3em 0}
.infinity-grade summary{cursor:pointer}
.infinity-grade svg{display:block;width:100%;max-width:28rem;height:auto;margin:.4em 0;color:inherit}
`;
