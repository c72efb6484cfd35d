/**
 * Our kernel beside `deno jupyter` and ipykernel in one run: rounds alternate between them, every
 * round with a fresh process, and the figures are medians. A peer that is not installed is left out.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildKernel } from "../kernel-ext/kernel/build.ts";
import { JupyterClient, contentsOf, printed } from "../kernel-ext/kernel/jupyter-client.testing.ts";
import { saveResult } from "./result.ts";

const numRounds = 7;
const numFiles = 60;
const numCells = 60;
const numLines = 20_000;

/** A kernel, and how its language says what is measured. */
interface Contender {
  readonly command?: readonly string[];
  readonly cell: (i: number) => string;
  readonly lines: string;
  /** A cell that imports all files and calls into them; absent where the language has no such files. */
  readonly importing?: (i: number) => string;
}

const root = join(import.meta.dirname, "..");
const tree = mkdtempSync(join(tmpdir(), "infinity-bench-"));
const last = numFiles - 1;
const typescript = {
  cell: (i: number): string => `const x${i} = [${i}].map((v) => 2 * v); x${i}`,
  lines: `for (let line = 0; line < ${numLines}; line++) console.log(line);`,
};

const contenders: Readonly<Record<string, Contender | undefined>> = {
  ours: {
    ...typescript,
    importing: (i) => `import { f${last} } from "infinity-inference/m${last}"; f${last}(${i})`,
  },
  deno: installed(join(import.meta.dirname, "node_modules", ".bin", "deno"), (deno) => ({
    ...typescript,
    command: [deno, "jupyter", "--kernel", "--conn", "{connection_file}"],
    importing: (i) =>
      `import { f${last} } from "${join(tree, "src", `m${last}.ts`)}"; f${last}(${i})`,
  })),
  ipykernel: installed(join(root, ".venv", "bin", "python"), (python) => ({
    command: [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    cell: (i) => `x${i} = [2 * v for v in [${i}]]; x${i}`,
    lines: `for line in range(${numLines}): print(line)`,
  })),
};

type Figures = Record<string, number>;

try {
  await buildKernel();
  writeTree();
  await measure(contenders["ours"]!);
  const all: Record<string, Figures[]> = {};
  for (let round = 0; round < numRounds; round++) {
    for (const [name, contender] of Object.entries(contenders)) {
      if (contender) (all[name] ??= []).push(await measure(contender));
    }
  }
  const figures = Object.fromEntries(
    Object.entries(all).map(([name, rounds]) => [name, medians(rounds)]),
  );
  console.table(figures);
  saveResult("kernel", { rounds: numRounds, files: numFiles, cells: numCells, figures });
} finally {
  rmSync(tree, { recursive: true, force: true });
}

/** One kernel from its start to its end. Times in ms. */
async function measure({ command, cell, lines, importing }: Contender): Promise<Figures> {
  const client = await JupyterClient.start({
    cwd: join(tree, "notebooks"),
    env: { INFINITY_ROOT: tree },
    ...(command && { command }),
  });
  try {
    const firstMs = await timed(client, cell(0));
    const figures: Figures = {
      startToInfo: client.infoMs,
      startToResult: client.ageMs,
      firstCell: firstMs,
    };
    // What a kernel does behind its first cell, such as writing a cache, is not of the next cells.
    await sleep(1500);
    const cells: number[] = [];
    for (let i = 1; i < numCells; i++) cells.push(await timed(client, cell(i)));
    figures["newTrivialCell"] = median(cells);
    figures["residentMb"] = residentMb(client.pid);
    const start = performance.now();
    const exchange = await client.execute(lines);
    figures["lines20000"] = performance.now() - start;
    // Deno says idle before it has sent all.
    figures["linesBeforeIdle"] = printed(exchange).split("\n").length - 1;
    if (!importing) return figures;
    figures["firstImport"] = await timed(client, importing(1));
    const later: number[] = [];
    for (let i = 2; i < 8; i++) later.push(await timed(client, importing(i)));
    figures["laterImport"] = median(later);
    if (!command) figures["typesAfterEdit"] = await timeOfEdit(client, importing(9));
    return figures;
  } finally {
    await client.stop();
  }
}

/** The time of one cell, which must succeed, from the request to its idle. */
async function timed(client: JupyterClient, code: string): Promise<number> {
  const start = performance.now();
  const exchange = await client.execute(code);
  const ms = performance.now() - start;
  if (exchange.reply["status"] !== "ok")
    throw new Error(`${code}: ${JSON.stringify(exchange.reply)}`);
  return ms;
}

/** The time of the cell that must be refused because a source has just changed its type. */
async function timeOfEdit(client: JupyterClient, code: string): Promise<number> {
  const file = join(tree, "src", `m${last}.ts`);
  const before = readFileSync(file, "utf8");
  writeFileSync(file, before.replaceAll("x: number", "x: string"));
  const start = performance.now();
  const exchange = await client.execute(code, { stop_on_error: false });
  const ms = performance.now() - start;
  writeFileSync(file, before);
  // What is derived from the file is made again here, not in the next round.
  await timed(client, code);
  if (contentsOf(exchange, "error")[0]?.["ename"] !== "TypeScriptError") {
    throw new Error("The changed type was not noticed.");
  }
  return ms;
}

/** Sources like those of the engine: each some sixty lines, importing three before it. */
function writeTree(): void {
  mkdirSync(join(tree, "src"), { recursive: true });
  mkdirSync(join(tree, "notebooks"));
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"), "junction");
  for (let i = 0; i < numFiles; i++) {
    const before = [i - 1, i - 2, i >> 1].filter(
      (j, at, all) => j >= 0 && j < i && all.indexOf(j) === at,
    );
    const functions = Array.from(
      { length: 10 },
      (_, k) =>
        `/** Step ${k} of module ${i}. */\nexport function step${i}_${k}(values: Float32Array, by: number): Float32Array {\n  const out = new Float32Array(values.length);\n  for (let n = 0; n < values.length; n++) out[n] = values[n]! * by + ${k};\n  return out;\n}\n`,
    );
    const text = [
      ...before.map((j) => `import { f${j} } from "./m${j}.ts";`),
      `export interface Shape${i} { readonly rows: number; readonly cols: number; readonly data: Float32Array }`,
      ...functions,
      `export function f${i}(x: number): number { return Number(x)${before.map((j) => ` + f${j}.length`).join("")} + step${i}_0(new Float32Array(1), 1).length; }`,
    ];
    writeFileSync(join(tree, "src", `m${i}.ts`), `${text.join("\n")}\n`);
  }
}

function installed(program: string, make: (program: string) => Contender): Contender | undefined {
  if (existsSync(program)) return make(program);
  console.error(`${program} is not there: it is left out.`);
  return undefined;
}

/** Memory of a process and those below it, which some kernels start. Linux only; elsewhere NaN. */
function residentMb(pid: number): number {
  if (process.platform !== "linux") return NaN;
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
  return children
    .filter(Boolean)
    .reduce((sum, child) => sum + residentMb(Number(child)), Number(kilobytes) / 1024);
}

function medians(rounds: readonly Figures[]): Figures {
  const names = Object.keys(rounds[0]!);
  return Object.fromEntries(
    names.map((name) => [name, Number(median(rounds.map((round) => round[name]!)).toPrecision(4))]),
  );
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
