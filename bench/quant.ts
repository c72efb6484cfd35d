/**
 * GPTQ of one layer, its Hessian included, beside the same algorithm in PyTorch on the same processor
 * and as many threads. Rounds alternate, figures are medians.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { normal, seededRng } from "../src/core/rng.ts";
import { LinearColumns } from "../src/quant/column-quantizer.ts";
import { plainAlgebra, type DenseAlgebra } from "../src/quant/dense.ts";
import { gptq } from "../src/quant/gptq.ts";
import { accumulateHessian, inverseHessian } from "../src/quant/hessian.ts";
import { outputErrorUnder, relativeTo } from "../src/quant/output-error.ts";
import { defaultThreads } from "../src/tensor/cpu-cores.ts";
import { openWasmDense } from "../src/tensor/open-dense.ts";
import { median, printTable, saveResult } from "./result.ts";

/** Seconds of each part, and what is lost of the outputs. */
interface Round {
  readonly hessian: number;
  readonly factor: number;
  readonly sweep: number;
  readonly error: number;
}

interface Way {
  readonly name: string;
  readonly threads: number;
  readonly run: () => Promise<Round>;
  readonly close: () => Promise<void> | void;
  readonly rounds: Round[];
}

const { values: options } = parseArgs({
  options: {
    size: { type: "string", default: "2048" },
    tokens: { type: "string", default: "16384" },
    rounds: { type: "string", default: "5" },
    plain: { type: "boolean", default: false },
  },
});
const [size, tokens] = [Number(options.size), Number(options.tokens)];
const [bits, group, block, chunk] = [4, 128, 128, 2048];
const threads = defaultThreads();

const rng = seededRng(1);
const W = Float32Array.from({ length: size * size }, () => normal(rng) * 0.02);
const channel = Float32Array.from({ length: size }, () => 1 + 4 * rng() ** 8);
const X = activations();

const ways: Way[] = [];
for (const count of [...new Set([1, threads])]) {
  const dense = await openWasmDense(count);
  ways.push(ourWay("wasm", count, dense, () => dense.close()));
}
if (options.plain) ways.push(ourWay("plain TypeScript", 1, plainAlgebra));
for (const count of [...new Set([1, threads])]) ways.push(torchWay(count));

try {
  // The first run of each way compiles and touches memory, and does not count.
  for (const way of ways) await way.run();
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const way of ways) way.rounds.push(await way.run());
  }
} finally {
  for (const way of ways) await way.close();
}

const total = ({ hessian, factor, sweep }: Round): number => hessian + factor + sweep;
const peerSeconds = (count: number): number =>
  median(ways.find((way) => way.name === "PyTorch" && way.threads === count)!.rounds.map(total));
const lines = ways.map(({ name, threads: count, rounds }) => ({
  name,
  threads: count,
  seconds: median(rounds.map(total)),
  fastest: Math.min(...rounds.map(total)),
  hessian: median(rounds.map(({ hessian }) => hessian)),
  factor: median(rounds.map(({ factor }) => factor)),
  sweep: median(rounds.map(({ sweep }) => sweep)),
  timesPyTorch: median(rounds.map(total)) / peerSeconds(count),
  error: median(rounds.map(({ error }) => error)),
}));
printTable(lines);
saveResult("quant", {
  layer: { size, tokens, bits, group, block },
  rounds: Number(options.rounds),
  ways: lines,
});

/** As gptq_peer.py makes them, from other random numbers. */
function activations(): Float32Array {
  const noise = Float32Array.from({ length: tokens * size }, () => normal(rng));
  const mixed = new Float32Array(noise.length);
  for (let at = 0; at < noise.length; at += size) {
    for (let j = 0; j < size; j++) {
      const [left, far] = [(j + size - 1) % size, (j + size - 7) % size];
      const sum = noise[at + j]! + noise[at + left]! + 0.5 * noise[at + far]!;
      mixed[at + j] = sum * channel[j]!;
    }
  }
  return mixed;
}

function ourWay(
  name: string,
  count: number,
  { product, addGram }: DenseAlgebra,
  close: Way["close"] = () => undefined,
): Way {
  const run = (): Promise<Round> => {
    const marks = [performance.now()];
    const H = new Float64Array(size * size);
    let done = 0;
    for (let at = 0; at < tokens; at += chunk) {
      const some = X.subarray(at * size, Math.min(tokens, at + chunk) * size);
      done = accumulateHessian(H, done, some, size, addGram);
    }
    marks.push(performance.now());
    const factor = inverseHessian(H, size, { product });
    marks.push(performance.now());
    const columns = new LinearColumns(size, size, {
      ...{ bits, groupSize: group, mode: "symmetric", convention: "max7.5" },
    });
    const { values } = gptq(W, factor, columns, { blockSize: block, product });
    marks.push(performance.now());
    const error = relativeTo(outputErrorUnder(H, size, product))(W, values);
    const [hessian, factoring, sweep] = marks.slice(1).map((end, i) => (end - marks[i]!) / 1000);
    return Promise.resolve({ hessian: hessian!, factor: factoring!, sweep: sweep!, error });
  };
  return { name, threads: count, run, close, rounds: [] };
}

/** One process that computes when it is asked to. */
function torchWay(count: number): Way {
  const python = join(import.meta.dirname, "..", "build", "bench-quant", ".venv", "bin", "python");
  const settings = { size, tokens, bits, group, block, chunk, threads: count };
  const child = spawn(
    python,
    [join(import.meta.dirname, "gptq_peer.py"), JSON.stringify(settings)],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    name: "PyTorch",
    threads: count,
    run: async () => {
      child.stdin.write("\n");
      const answer: IteratorResult<string, undefined> = await answers.next();
      if (answer.done === true) throw new Error("PyTorch has ended; its message is above.");
      return JSON.parse(answer.value) as Round;
    },
    close: () => {
      child.stdin.end();
    },
    rounds: [],
  };
}
