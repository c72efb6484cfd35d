/**
 * Causal attention. Rows of queries that share a head of keys, heads and tokens alike, are taken four
 * at a time, one in each lane, over blocks of keys: scores, their exponentials, and the weighted sum
 * of values, scaled anew where a later block has a larger score (Milakov and Gimelshein, 2018).
 */
import { exp4 } from "./exponential";
import { kvRowBytes, loadKvColumns } from "./kv-rows";
import { madd } from "./simd";

/** Keys of a block; their scores and values stay in the nearest cache. */
const blockKeys: i32 = 64;

/** Room for a block's keys or values as float32, where they are stored in another format. */
const decodedBytes: i32 = 28672;

/** The widest head that fits into a thread's own memory. */
export const mostHeadDim: i32 = 1024;

/**
 * Rows [firstRow, endRow) of those that share the head of keys `kvHead`: row m is head m % sharing of
 * query m / sharing. Query i sees the first `numTokens - numQueries + i + 1` slots. Widths are counts
 * of values, and `work` is memory of the thread's own.
 */
export function attendRows(
  queries: usize,
  keys: usize,
  values: usize,
  out: usize,
  slots: usize,
  numQueries: i32,
  numTokens: i32,
  numKvHeads: i32,
  sharing: i32,
  headDim: i32,
  keyFormat: i32,
  valueFormat: i32,
  scale: f32,
  kvHead: i32,
  firstRow: i32,
  endRow: i32,
  work: usize,
): void {
  const kvCols = numKvHeads * headDim;
  const column = kvHead * headDim;
  const isFloat = keyFormat == 0 && valueFormat == 0;
  const mostKeys = isFloat ? blockKeys : min(blockKeys, (decodedBytes / (headDim << 2)) & ~3);
  const scores = work;
  const offsets = scores + (blockKeys << 4) + 64;
  const turned = offsets + (blockKeys << 2) + 16;
  const sums = turned + ((<usize>headDim) << 4);
  const decoded = sums + ((<usize>headDim) << 4);
  const seenBefore = numTokens - numQueries + 1;
  for (let first = firstRow; first < endRow; first += 4) {
    // Where rows are left over, the last one is computed again and stored again.
    const last = endRow - 1;
    const m0 = first;
    const m1 = min(first + 1, last);
    const m2 = min(first + 2, last);
    const m3 = min(first + 3, last);
    const q0 = headOffset(m0, kvHead, numKvHeads, sharing, headDim);
    const q1 = headOffset(m1, kvHead, numKvHeads, sharing, headDim);
    const q2 = headOffset(m2, kvHead, numKvHeads, sharing, headDim);
    const q3 = headOffset(m3, kvHead, numKvHeads, sharing, headDim);
    turnQueries(queries + q0, queries + q1, queries + q2, queries + q3, turned, headDim);
    memory.fill(sums, 0, (<usize>headDim) << 4);

    let seen = i32x4.splat(seenBefore + m0 / sharing);
    seen = i32x4.replace_lane(seen, 1, seenBefore + m1 / sharing);
    seen = i32x4.replace_lane(seen, 2, seenBefore + m2 / sharing);
    seen = i32x4.replace_lane(seen, 3, seenBefore + m3 / sharing);
    const leastSeen = seenBefore + m0 / sharing;
    const mostSeen = seenBefore + m3 / sharing;
    let largest = f32x4.splat(-Infinity);
    let total = f32x4.splat(0);
    for (let t = 0; t < mostSeen; t += mostKeys) {
      const count = min(mostKeys, mostSeen - t);
      const block = slots + ((<usize>t) << 2);
      const keyBlock = placeRows(keys, keyFormat, block, count, kvCols, column, headDim, offsets, decoded);
      scoreKeys(turned, keyBlock, offsets, scores, headDim, count);
      let blockLargest = scaleScores(scores, count, scale);
      if (t + count > leastSeen) {
        hideLaterKeys(scores, t, count, seen);
        blockLargest = largestScores(scores, count);
      }
      const newLargest = f32x4.max(largest, blockLargest);
      const shrink = exp4(f32x4.sub(largest, newLargest));
      largest = newLargest;
      total = f32x4.add(f32x4.mul(total, shrink), exponentials(scores, count, largest));
      const valueBlock = isFloat
        ? values
        : placeRows(values, valueFormat, block, count, kvCols, column, headDim, offsets, decoded);
      addValues(valueBlock, offsets, scores, sums, headDim, count, shrink);
    }
    const factor = f32x4.div(f32x4.splat(1), total);
    storeHead(sums, 0, f32x4.extract_lane(factor, 0), out + q0, headDim);
    storeHead(sums, 1, f32x4.extract_lane(factor, 1), out + q1, headDim);
    storeHead(sums, 2, f32x4.extract_lane(factor, 2), out + q2, headDim);
    storeHead(sums, 3, f32x4.extract_lane(factor, 3), out + q3, headDim);
  }
}

/** Bytes from the first query to the head of row m. */
function headOffset(m: i32, kvHead: i32, numKvHeads: i32, sharing: i32, headDim: i32): usize {
  const head = kvHead * sharing + (m % sharing);
  return (<usize>((m / sharing) * numKvHeads * sharing + head) * headDim) << 2;
}

/** turned [headDim, 4] of four heads. */
function turnQueries(
  q0: usize,
  q1: usize,
  q2: usize,
  q3: usize,
  turned: usize,
  headDim: i32,
): void {
  for (let c: usize = 0; c < (<usize>headDim) << 2; c += 4, turned += 16) {
    store<f32>(turned, load<f32>(q0 + c));
    store<f32>(turned, load<f32>(q1 + c), 4);
    store<f32>(turned, load<f32>(q2 + c), 8);
    store<f32>(turned, load<f32>(q3 + c), 12);
  }
}

/**
 * Notes where the head's columns of a block's rows begin, as offsets from what it returns, with three
 * more, so that there are fours. Rows in another format than float32 are decoded first.
 */
function placeRows(
  pool: usize,
  format: i32,
  slots: usize,
  count: i32,
  kvCols: i32,
  column: i32,
  headDim: i32,
  offsets: usize,
  decoded: usize,
): usize {
  const rowBytes = kvRowBytes(format, kvCols);
  const headBytes = (<usize>headDim) << 2;
  let offset: usize = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const row = <usize>load<i32>(slots + (i << 2)) * rowBytes;
    if (format == 0) {
      offset = row + ((<usize>column) << 2);
    } else {
      offset = i * headBytes;
      loadKvColumns(format, pool + row, column, headDim, decoded + offset);
    }
    store<usize>(offsets + (i << 2), offset);
  }
  for (let i: usize = count; i < <usize>count + 3; i++) store<usize>(offsets + (i << 2), offset);
  return format == 0 ? pool : decoded;
}

/** scores [count, 4], and up to three that are of no use. */
function scoreKeys(
  turned: usize,
  keys: usize,
  offsets: usize,
  scores: usize,
  headDim: i32,
  count: i32,
): void {
  const end = turned + ((<usize>headDim) << 4);
  for (let i = 0; i < count; i += 4, offsets += 16, scores += 64) {
    let k0 = keys + load<usize>(offsets);
    let k1 = keys + load<usize>(offsets, 4);
    let k2 = keys + load<usize>(offsets, 8);
    let k3 = keys + load<usize>(offsets, 12);
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let q = turned; q < end; q += 16, k0 += 4, k1 += 4, k2 += 4, k3 += 4) {
      const column = v128.load(q);
      s0 = madd(v128.load32_splat(k0), column, s0);
      s1 = madd(v128.load32_splat(k1), column, s1);
      s2 = madd(v128.load32_splat(k2), column, s2);
      s3 = madd(v128.load32_splat(k3), column, s3);
    }
    v128.store(scores, s0);
    v128.store(scores, s1, 16);
    v128.store(scores, s2, 32);
    v128.store(scores, s3, 48);
  }
}

/** Multiplies the scores, and returns the largest in each lane. */
function scaleScores(scores: usize, count: i32, scale: f32): v128 {
  const factor = f32x4.splat(scale);
  let largest = f32x4.splat(-Infinity);
  for (const end = scores + ((<usize>count) << 4); scores < end; scores += 16) {
    const scaled = f32x4.mul(v128.load(scores), factor);
    v128.store(scores, scaled);
    largest = f32x4.max(largest, scaled);
  }
  return largest;
}

function largestScores(scores: usize, count: i32): v128 {
  let largest = f32x4.splat(-Infinity);
  for (const end = scores + ((<usize>count) << 4); scores < end; scores += 16) {
    largest = f32x4.max(largest, v128.load(scores));
  }
  return largest;
}

/** The score of what a lane does not see, from key `first` of the sequence on, becomes −∞. */
function hideLaterKeys(scores: usize, first: i32, count: i32, seen: v128): void {
  const hidden = f32x4.splat(-Infinity);
  for (let i = 0; i < count; i++, scores += 16) {
    const visible = i32x4.gt_s(seen, i32x4.splat(first + i));
    v128.store(scores, v128.bitselect(v128.load(scores), hidden, visible));
  }
}

/** e^(score − largest) in place, and the sum in each lane. */
function exponentials(scores: usize, count: i32, largest: v128): v128 {
  let sum = f32x4.splat(0);
  for (const end = scores + ((<usize>count) << 4); scores < end; scores += 16) {
    const power = exp4(f32x4.sub(v128.load(scores), largest));
    v128.store(scores, power);
    sum = f32x4.add(sum, power);
  }
  return sum;
}

/** sums [4, headDim] = sums · shrink + weights [count, 4]ᵀ · values [count, headDim]. */
function addValues(
  values: usize,
  offsets: usize,
  weights: usize,
  sums: usize,
  headDim: i32,
  count: i32,
  shrink: v128,
): void {
  const s0 = f32x4.splat(f32x4.extract_lane(shrink, 0));
  const s1 = f32x4.splat(f32x4.extract_lane(shrink, 1));
  const s2 = f32x4.splat(f32x4.extract_lane(shrink, 2));
  const s3 = f32x4.splat(f32x4.extract_lane(shrink, 3));
  const rowBytes = (<usize>headDim) << 2;
  const end = offsets + ((<usize>count) << 2);
  let c: usize = 0;
  for (; c + 32 <= rowBytes; c += 32) {
    let at = sums + c;
    let a0 = f32x4.mul(v128.load(at), s0);
    let b0 = f32x4.mul(v128.load(at, 16), s0);
    at += rowBytes;
    let a1 = f32x4.mul(v128.load(at), s1);
    let b1 = f32x4.mul(v128.load(at, 16), s1);
    at += rowBytes;
    let a2 = f32x4.mul(v128.load(at), s2);
    let b2 = f32x4.mul(v128.load(at, 16), s2);
    at += rowBytes;
    let a3 = f32x4.mul(v128.load(at), s3);
    let b3 = f32x4.mul(v128.load(at, 16), s3);
    const column = values + c;
    for (let offset = offsets, weight = weights; offset < end; offset += 4, weight += 16) {
      const value = column + load<usize>(offset);
      const a = v128.load(value);
      const b = v128.load(value, 16);
      let w = v128.load32_splat(weight);
      a0 = madd(a, w, a0);
      b0 = madd(b, w, b0);
      w = v128.load32_splat(weight, 4);
      a1 = madd(a, w, a1);
      b1 = madd(b, w, b1);
      w = v128.load32_splat(weight, 8);
      a2 = madd(a, w, a2);
      b2 = madd(b, w, b2);
      w = v128.load32_splat(weight, 12);
      a3 = madd(a, w, a3);
      b3 = madd(b, w, b3);
    }
    v128.store(at, a3);
    v128.store(at, b3, 16);
    at -= rowBytes;
    v128.store(at, a2);
    v128.store(at, b2, 16);
    at -= rowBytes;
    v128.store(at, a1);
    v128.store(at, b1, 16);
    at -= rowBytes;
    v128.store(at, a0);
    v128.store(at, b0, 16);
  }
  for (; c < rowBytes; c += 4) {
    let sum = v128.load32_zero(sums + c);
    sum = v128.load32_lane(sums + rowBytes + c, sum, 1);
    sum = v128.load32_lane(sums + 2 * rowBytes + c, sum, 2);
    sum = v128.load32_lane(sums + 3 * rowBytes + c, sum, 3);
    sum = f32x4.mul(sum, shrink);
    for (let offset = offsets, weight = weights; offset < end; offset += 4, weight += 16) {
      const value = v128.load32_splat(values + c + load<usize>(offset));
      sum = madd(value, v128.load(weight), sum);
    }
    v128.store32_lane(sums + c, sum, 0);
    v128.store32_lane(sums + rowBytes + c, sum, 1);
    v128.store32_lane(sums + 2 * rowBytes + c, sum, 2);
    v128.store32_lane(sums + 3 * rowBytes + c, sum, 3);
  }
}

/** Row `row` of sums [4, headDim] times `factor`. */
function storeHead(sums: usize, row: i32, factor: f32, out: usize, headDim: i32): void {
  let from = sums + ((<usize>(row * headDim)) << 2);
  const end = out + ((<usize>headDim) << 2);
  for (; out + 16 <= end; out += 16, from += 16) {
    v128.store(out, f32x4.mul(v128.load(from), f32x4.splat(factor)));
  }
  for (; out < end; out += 4, from += 4) store<f32>(out, load<f32>(from) * factor);
}
