/**
 * Runs a program of the forward pass: operations one after the other, each cut into parts that threads
 * take as they come free. `src/kernels/wasm/forward-program.ts` writes programs and has the same
 * numbers. Nothing is checked here; whoever wrote the program has done it.
 *
 * An operation is words of 32 bits: what it does, with `barrier` where all threads first wait for each
 * other; how many words it has; the counter of its parts; how many parts there are; its arguments.
 */
import { attendRows } from "./attention";
import {
  multiplyMatrix,
  multiplyVector,
  packRows,
  prepareTiles,
  prepareVector,
  unpackRow,
} from "./formats";
import { copyRows, scatterRows } from "./kv-rows";
import {
  addRows,
  normalizeRows,
  rotateRows,
  siluMultiplyValues,
  softmaxRows,
} from "./rows";
import { awaitWork, meet, takePart } from "./threads";

/**
 * `meet` is among them so that it stays a function of its own: inlined into `run`, a thread passes a
 * barrier too early in the baseline code of V8 11.3, Node 20's (not in its optimised code).
 */
export { awaitWork, meet, unpackRow };

const barrier: i32 = 256;

const end: i32 = 0;
const pack: i32 = 2;
const vector: i32 = 3;
const tiles: i32 = 4;
const matvec: i32 = 5;
const gemm: i32 = 6;
const norm: i32 = 7;
const add: i32 = 8;
const silu: i32 = 9;
const rope: i32 = 10;
const scatter: i32 = 11;
const softmax: i32 = 12;
const attention: i32 = 13;
const copy: i32 = 14;

/** Bytes of a thread's own memory. */
const workBytes: usize = 65536;

/** Returns whether all threads came to the program's end. */
export function run(
  program: usize,
  control: usize,
  work: usize,
  thread: i32,
  numThreads: i32,
  maySleep: i32,
): bool {
  const own = work + <usize>thread * workBytes;
  let at = program;
  while (true) {
    const code = load<i32>(at);
    if (code & barrier && !meet(control, numThreads, maySleep)) return false;
    const operation = code & (barrier - 1);
    if (operation == end) return true;
    const numParts = load<i32>(at, 12);
    if (numParts > 0) {
      for (let part = takePart(at + 8); part < numParts; part = takePart(at + 8)) {
        runPart(operation, at + 16, part, own);
      }
    }
    at += <usize>load<i32>(at, 4) << 2;
  }
}

function runPart(operation: i32, args: usize, part: i32, work: usize): void {
  switch (operation) {
    case pack:
      return runPack(args, part);
    case vector:
      return prepareVector(word(args, 0), pointer(args, 1), pointer(args, 2), word(args, 3));
    case tiles:
      return runTiles(args, part);
    case matvec:
      return runMatvec(args, part);
    case gemm:
      return runGemm(args, part, work);
    case norm:
      return runNorm(args, part);
    case add:
      return runAdd(args, part);
    case silu:
      return runSilu(args, part);
    case rope:
      return runRope(args, part);
    case scatter:
      return runScatter(args);
    case softmax:
      return runSoftmax(args, part);
    case attention:
      return runAttention(args, part, work);
    case copy:
      return copyRows(pointer(args, 0), pointer(args, 1), word(args, 2), pointer(args, 3));
  }
}

@inline
function word(args: usize, i: usize): i32 {
  return load<i32>(args + (i << 2));
}

@inline
function pointer(args: usize, i: usize): usize {
  return load<usize>(args + (i << 2));
}

@inline
function float(args: usize, i: usize): f32 {
  return load<f32>(args + (i << 2));
}

/** format, source, destination, bytes of a source row, of a group, rows, columns, groups a part */
function runPack(args: usize, part: i32): void {
  const format = word(args, 0);
  const rowBytes = pointer(args, 3);
  const groupBytes = pointer(args, 4);
  const numRows = word(args, 5);
  const numCols = word(args, 6);
  const groups = word(args, 7);
  const last = min((part + 1) * groups, (numRows + 7) >> 3);
  for (let group = part * groups; group < last; group++) {
    const source = pointer(args, 1) + <usize>(group << 3) * rowBytes;
    const target = pointer(args, 2) + <usize>group * groupBytes;
    packRows(format, source, target, min(8, numRows - (group << 3)), numCols);
  }
}

/** layout, x, X, tokens, columns, tiles a part */
function runTiles(args: usize, part: i32): void {
  const numTokens = word(args, 3);
  const first = part * word(args, 5);
  const last = min(first + word(args, 5), (numTokens + 3) >> 2);
  const X = pointer(args, 2);
  prepareTiles(word(args, 0), pointer(args, 1), X, numTokens, word(args, 4), first, last);
}

/** format, W, X, out, columns, rows, rows a part */
function runMatvec(args: usize, part: i32): void {
  const first = part * word(args, 6);
  const last = min(first + word(args, 6), word(args, 5));
  const X = pointer(args, 2);
  multiplyVector(word(args, 0), pointer(args, 1), X, pointer(args, 3), word(args, 4), first, last);
}

/** format, W, X, out, columns, rows, rows a part, tokens */
function runGemm(args: usize, part: i32, work: usize): void {
  const numRows = word(args, 5);
  const first = part * word(args, 6);
  multiplyMatrix(
    word(args, 0),
    pointer(args, 1),
    pointer(args, 2),
    pointer(args, 3),
    word(args, 7),
    numRows,
    word(args, 4),
    first,
    min(first + word(args, 6), numRows),
    work,
  );
}

/** x, weight, out, rows, columns, rows a part, epsilon */
function runNorm(args: usize, part: i32): void {
  const first = part * word(args, 5);
  const last = min(first + word(args, 5), word(args, 3));
  const out = pointer(args, 2);
  normalizeRows(pointer(args, 0), pointer(args, 1), out, word(args, 4), float(args, 6), first, last);
}

/** x, y, rows, columns, rows a part, stride of y */
function runAdd(args: usize, part: i32): void {
  const first = part * word(args, 4);
  const last = min(first + word(args, 4), word(args, 2));
  addRows(pointer(args, 0), pointer(args, 1), word(args, 3), word(args, 5), first, last);
}

/** gate, up, values, values a part */
function runSilu(args: usize, part: i32): void {
  const first = part * word(args, 3);
  const last = min(first + word(args, 3), word(args, 2));
  siluMultiplyValues(pointer(args, 0), pointer(args, 1), first, last);
}

/** x, table, rows, columns, rows a part, head's columns, pairs, whether they are neighbours */
function runRope(args: usize, part: i32): void {
  const first = part * word(args, 4);
  const last = min(first + word(args, 4), word(args, 2));
  const table = pointer(args, 1);
  const numCols = word(args, 3);
  const headDim = word(args, 5);
  rotateRows(pointer(args, 0), table, numCols, headDim, word(args, 6), word(args, 7), first, last);
}

/** x, slots, pool, rows, columns, format */
function runScatter(args: usize): void {
  const pool = pointer(args, 2);
  scatterRows(pointer(args, 0), pointer(args, 1), pool, word(args, 3), word(args, 4), word(args, 5));
}

/** x, rows, columns, rows a part */
function runSoftmax(args: usize, part: i32): void {
  const first = part * word(args, 3);
  softmaxRows(pointer(args, 0), word(args, 2), first, min(first + word(args, 3), word(args, 1)));
}

/**
 * queries, keys, values, out, slots, number of queries, tokens, heads of keys, heads that share one,
 * columns of a head, rows a part, formats of keys and of values, scale
 */
function runAttention(args: usize, part: i32, work: usize): void {
  const numQueries = word(args, 5);
  const numKvHeads = word(args, 7);
  const sharing = word(args, 8);
  const first = part / numKvHeads * word(args, 10);
  attendRows(
    pointer(args, 0),
    pointer(args, 1),
    pointer(args, 2),
    pointer(args, 3),
    pointer(args, 4),
    numQueries,
    word(args, 6),
    numKvHeads,
    sharing,
    word(args, 9),
    word(args, 11),
    word(args, 12),
    float(args, 13),
    part % numKvHeads,
    first,
    min(first + word(args, 10), numQueries * sharing),
    work,
  );
}
