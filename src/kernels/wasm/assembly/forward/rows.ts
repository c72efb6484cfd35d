/** What the forward pass does to rows of float32 besides products. */
import { exp4 } from "./exponential";
import { madd } from "./simd";

/** Rows [first, end) of out = x / √(mean of x² + epsilon) · weight. */
export function normalizeRows(
  x: usize,
  weight: usize,
  out: usize,
  numCols: i32,
  epsilon: f32,
  first: i32,
  end: i32,
): void {
  const rowBytes = <usize>numCols << 2;
  const vectors = rowBytes & ~15;
  for (let row = first; row < end; row++) {
    const from = x + <usize>row * rowBytes;
    const to = out + <usize>row * rowBytes;
    const factor = <f32>1 / sqrt(sumOfSquares(from, numCols) / <f32>numCols + epsilon);
    const factors = f32x4.splat(factor);
    let c: usize = 0;
    for (; c < vectors; c += 16) {
      const scaled = f32x4.mul(v128.load(from + c), factors);
      v128.store(to + c, f32x4.mul(scaled, v128.load(weight + c)));
    }
    for (; c < rowBytes; c += 4) {
      store<f32>(to + c, load<f32>(from + c) * factor * load<f32>(weight + c));
    }
  }
}

function sumOfSquares(x: usize, numCols: i32): f32 {
  const end = x + (<usize>numCols << 2);
  let one = f32x4.splat(0);
  let other = one;
  for (; x + 32 <= end; x += 32) {
    const a = v128.load(x);
    const b = v128.load(x, 16);
    one = madd(a, a, one);
    other = madd(b, b, other);
  }
  let sum = sumOfLanes(f32x4.add(one, other));
  for (; x < end; x += 4) sum += load<f32>(x) * load<f32>(x);
  return sum;
}

function sumOfLanes(x: v128): f32 {
  const pairs = f32x4.add(x, i32x4.shuffle(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** Rows [first, end) of x += y; `yStride`, in values, is 0 where y has a single row. */
export function addRows(
  x: usize,
  y: usize,
  numCols: i32,
  yStride: i32,
  first: i32,
  end: i32,
): void {
  for (let row = first; row < end; row++) {
    let to = x + (<usize>row * numCols << 2);
    let from = y + (<usize>row * yStride << 2);
    const stop = to + (<usize>numCols << 2);
    for (; to + 16 <= stop; to += 16, from += 16) {
      v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
    }
    for (; to < stop; to += 4, from += 4) store<f32>(to, load<f32>(to) + load<f32>(from));
  }
}

/** Values [first, end) of gate = silu(gate) · up. */
export function siluMultiplyValues(gate: usize, up: usize, first: i32, end: i32): void {
  let at = gate + (<usize>first << 2);
  let by = up + (<usize>first << 2);
  const stop = gate + (<usize>end << 2);
  for (; at + 16 <= stop; at += 16, by += 16) {
    v128.store(at, f32x4.mul(silu4(v128.load(at)), v128.load(by)));
  }
  for (; at < stop; at += 4, by += 4) {
    const silu = f32x4.extract_lane(silu4(v128.load32_splat(at)), 0);
    store<f32>(at, silu * load<f32>(by));
  }
}

/** x / (1 + e^-x), with e^-|x| alone, which cannot overflow. */
@inline
function silu4(x: v128): v128 {
  const small = exp4(f32x4.neg(f32x4.abs(x)));
  const numerator = v128.bitselect(f32x4.mul(x, small), x, i32x4.shr_s(x, 31));
  return f32x4.div(numerator, f32x4.add(f32x4.splat(1), small));
}

/**
 * Rows [first, end) of x: in every head of `headDim` columns, `numPairs` pairs turned by the row's
 * angles; a row of the table has their cosines and then their sines.
 */
export function rotateRows(
  x: usize,
  table: usize,
  numCols: i32,
  headDim: i32,
  numPairs: i32,
  adjacent: i32,
  first: i32,
  end: i32,
): void {
  const headBytes = <usize>headDim << 2;
  for (let row = first; row < end; row++) {
    const cosines = table + (<usize>row * numPairs << 3);
    const stop = x + (<usize>(row + 1) * numCols << 2);
    for (let head = x + (<usize>row * numCols << 2); head < stop; head += headBytes) {
      if (adjacent) rotateNeighbours(head, cosines, numPairs);
      else rotateHalves(head, cosines, numPairs);
    }
  }
}

function rotateNeighbours(head: usize, cosines: usize, numPairs: i32): void {
  const sines = cosines + (<usize>numPairs << 2);
  let cosine = cosines;
  let sine = sines;
  for (; cosine + 8 <= sines; cosine += 8, sine += 8, head += 16) {
    const pairs = v128.load(head);
    const cos = v128.load64_splat(cosine);
    const sin = v128.load64_splat(sine);
    const c = i32x4.shuffle(cos, cos, 0, 0, 1, 1);
    const s = i32x4.shuffle(sin, f32x4.neg(sin), 4, 0, 5, 1);
    const swapped = i32x4.shuffle(pairs, pairs, 1, 0, 3, 2);
    v128.store(head, f32x4.add(f32x4.mul(pairs, c), f32x4.mul(swapped, s)));
  }
  if (cosine < sines) rotatePair(head, head + 4, load<f32>(cosine), load<f32>(sine));
}

function rotateHalves(head: usize, cosines: usize, numPairs: i32): void {
  const half = <usize>numPairs << 2;
  let i: usize = 0;
  for (; i + 16 <= half; i += 16) {
    const a = v128.load(head + i);
    const b = v128.load(head + half + i);
    const cos = v128.load(cosines + i);
    const sin = v128.load(cosines + half + i);
    v128.store(head + i, f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin)));
    v128.store(head + half + i, f32x4.add(f32x4.mul(a, sin), f32x4.mul(b, cos)));
  }
  for (; i < half; i += 4) {
    const at = head + i;
    rotatePair(at, at + half, load<f32>(cosines + i), load<f32>(cosines + half + i));
  }
}

function rotatePair(first: usize, second: usize, cos: f32, sin: f32): void {
  const a = load<f32>(first);
  const b = load<f32>(second);
  store<f32>(first, a * cos - b * sin);
  store<f32>(second, a * sin + b * cos);
}

/** Rows [first, end) of x in place: e^x, divided by the row's sum of them. */
export function softmaxRows(x: usize, numCols: i32, first: i32, end: i32): void {
  const rowBytes = <usize>numCols << 2;
  for (let row = first; row < end; row++) {
    const begin = x + <usize>row * rowBytes;
    const stop = begin + rowBytes;
    let largest: f32 = -Infinity;
    for (let at = begin; at < stop; at += 4) largest = max(largest, load<f32>(at));
    const shift = f32x4.splat(largest);
    let sums = f32x4.splat(0);
    let at = begin;
    for (; at + 16 <= stop; at += 16) {
      const power = exp4(f32x4.sub(v128.load(at), shift));
      v128.store(at, power);
      sums = f32x4.add(sums, power);
    }
    let sum = sumOfLanes(sums);
    for (; at < stop; at += 4) {
      const power = f32x4.extract_lane(exp4(f32x4.sub(v128.load32_splat(at), shift)), 0);
      store<f32>(at, power);
      sum += power;
    }
    for (at = begin; at < stop; at += 4) store<f32>(at, load<f32>(at) / sum);
  }
}
