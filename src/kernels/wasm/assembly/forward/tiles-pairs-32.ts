/**
 * Products of Q8_0's records with tiles of `pairs-32.ts`, in whole numbers of 16 bits: as `matvecQ8_0`,
 * with a record's codes read once for 4 tokens. They are multiplied as they lie, so none are unpacked.
 */
import { half4Small, halfMask } from "./activations-32";
import { tilePairs32 } from "./pairs-32";
import { recordBytes } from "./q8_0";
import { lowByteMask, madd, storeUpTo8 } from "./simd";

/** A format's `gemm` where there is nothing to unpack. */
export function multiplyTilesPairs(
  W: usize,
  x: usize,
  out: usize,
  numTokens: i32,
  outStride: i32,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  const numBlocks = <usize>(numCols >> 5);
  const groupBytes = numBlocks * recordBytes;
  const stride = <usize>outStride << 2;
  let w = W + <usize>(firstRow >> 3) * groupBytes;
  for (let r = firstRow; r < endRow; r += 8, w += groupBytes) {
    let tile = x;
    let to = out + (<usize>r << 2);
    for (let left = numTokens; left > 0; left -= 4) {
      if (left > 2) TilePairs.four(w, tile, groupBytes, to, stride, left, endRow - r);
      else TilePairs.two(w, tile, groupBytes, to, stride, left, endRow - r);
      tile += numBlocks * tilePairs32;
      to += stride << 2;
    }
  }
}

/** One tile times 8 rows; a copy of `multiply` is compiled for each number of tokens. */
class TilePairs {
  static two(
    w: usize,
    x: usize,
    groupBytes: usize,
    out: usize,
    stride: usize,
    numTokens: i32,
    numRows: i32,
  ): void {
    TilePairs.multiply(false, w, x, groupBytes, out, stride, numTokens, numRows);
  }

  static four(
    w: usize,
    x: usize,
    groupBytes: usize,
    out: usize,
    stride: usize,
    numTokens: i32,
    numRows: i32,
  ): void {
    TilePairs.multiply(true, w, x, groupBytes, out, stride, numTokens, numRows);
  }

  @inline
  private static multiply(
    hasFour: bool,
    w: usize,
    x: usize,
    groupBytes: usize,
    out: usize,
    stride: usize,
    numTokens: i32,
    numRows: i32,
  ): void {
    const lowByte = i16x8.splat(<i16>lowByteMask);
    const half = i32x4.splat(halfMask);
    let low0 = f32x4.splat(0);
    let high0 = low0;
    let low1 = low0;
    let high1 = low0;
    let low2 = low0;
    let high2 = low0;
    let low3 = low0;
    let high3 = low0;
    const end = w + groupBytes;
    do {
      const record = w;
      const head = x;
      let lowDot0 = v128.load32_splat(x, 16);
      let highDot0 = lowDot0;
      let lowDot1 = v128.load32_splat(x, 20);
      let highDot1 = lowDot1;
      let lowDot2 = v128.load32_splat(x, 24);
      let highDot2 = lowDot2;
      let lowDot3 = v128.load32_splat(x, 28);
      let highDot3 = lowDot3;
      // Each loop takes few vectors: V8 would load everything that one needs first, and run out of registers.
      const last = x + 256;
      do {
        const low = v128.load(w, 16);
        const high = v128.load(w, 32);
        let token = v128.load32_splat(x, 32);
        lowDot0 = addDot(lowDot0, low, token);
        highDot0 = addDot(highDot0, high, token);
        token = v128.load32_splat(x, 36);
        lowDot1 = addDot(lowDot1, low, token);
        highDot1 = addDot(highDot1, high, token);
        if (hasFour) {
          token = v128.load32_splat(x, 40);
          lowDot2 = addDot(lowDot2, low, token);
          highDot2 = addDot(highDot2, high, token);
          token = v128.load32_splat(x, 44);
          lowDot3 = addDot(lowDot3, low, token);
          highDot3 = addDot(highDot3, high, token);
        }
        w += 32;
        x += 32;
      } while (x < last);
      w = record;
      x = head;
      do {
        const low = v128.and(v128.load(w, 16), lowByte);
        const high = v128.and(v128.load(w, 32), lowByte);
        let token = v128.load32_splat(x, 48);
        lowDot0 = addDot(lowDot0, low, token);
        highDot0 = addDot(highDot0, high, token);
        token = v128.load32_splat(x, 52);
        lowDot1 = addDot(lowDot1, low, token);
        highDot1 = addDot(highDot1, high, token);
        if (hasFour) {
          token = v128.load32_splat(x, 56);
          lowDot2 = addDot(lowDot2, low, token);
          highDot2 = addDot(highDot2, high, token);
          token = v128.load32_splat(x, 60);
          lowDot3 = addDot(lowDot3, low, token);
          highDot3 = addDot(highDot3, high, token);
        }
        w += 32;
        x += 32;
      } while (x < last);
      x += 32;
      w += 16;
      const lowScale = half4Small(record, half);
      const highScale = half4Small(record + 8, half);
      let scale = v128.load32_splat(head);
      low0 = addScaled(low0, lowDot0, lowScale, scale);
      high0 = addScaled(high0, highDot0, highScale, scale);
      scale = v128.load32_splat(head, 4);
      low1 = addScaled(low1, lowDot1, lowScale, scale);
      high1 = addScaled(high1, highDot1, highScale, scale);
      if (hasFour) {
        scale = v128.load32_splat(head, 8);
        low2 = addScaled(low2, lowDot2, lowScale, scale);
        high2 = addScaled(high2, highDot2, highScale, scale);
        scale = v128.load32_splat(head, 12);
        low3 = addScaled(low3, lowDot3, lowScale, scale);
        high3 = addScaled(high3, highDot3, highScale, scale);
      }
    } while (w < end);
    storeUpTo8(out, low0, high0, numRows);
    if (numTokens > 1) storeUpTo8(out + stride, low1, high1, numRows);
    if (hasFour) storeUpTo8(out + 2 * stride, low2, high2, numRows);
    if (hasFour && numTokens > 3) storeUpTo8(out + 3 * stride, low3, high3, numRows);
  }
}

@inline
function addDot(sum: v128, codes: v128, token: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(codes, token));
}

@inline
function addScaled(sum: v128, dot: v128, rows: v128, token: v128): v128 {
  return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(rows, token), sum);
}
