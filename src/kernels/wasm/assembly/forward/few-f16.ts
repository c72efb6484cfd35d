/**
 * Weights in float16 times few tokens, in tiles of 4: weights are converted on the way into registers,
 * once for a tile, and not kept. More tokens than that are worth a widened copy: `gemmF16`.
 */
import { halfBits, weightScale } from "./f16";
import { madd, storeUpTo8 } from "./simd";

/** The parameters are those of `gemmF16`. */
export function multiplyTilesF16(
  W: usize,
  x: usize,
  out: usize,
  numTokens: i32,
  outStride: i32,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  const groupBytes = <usize>numCols << 4;
  let w = W + <usize>(firstRow >> 3) * groupBytes;
  for (let r = firstRow; r < endRow; r += 8, w += groupBytes) {
    let tile = x;
    let to = out + (<usize>r << 2);
    for (let left = numTokens; left > 0; left -= 4) {
      const stride = <usize>outStride << 2;
      if (left == 1) TileF16.one(w, tile, numCols, to, stride, endRow - r);
      else if (left == 2) TileF16.two(w, tile, numCols, to, stride, endRow - r);
      else if (left == 3) TileF16.three(w, tile, numCols, to, stride, endRow - r);
      else TileF16.four(w, tile, numCols, to, stride, endRow - r);
      tile += groupBytes;
      to += stride << 2;
    }
  }
}

/** The first tokens of a tile times 8 rows; a copy of `multiply` is compiled for each number of tokens. */
class TileF16 {
  static one(w: usize, x: usize, numCols: i32, out: usize, stride: usize, numRows: i32): void {
    TileF16.multiply(1, w, x, numCols, out, stride, numRows);
  }

  static two(w: usize, x: usize, numCols: i32, out: usize, stride: usize, numRows: i32): void {
    TileF16.multiply(2, w, x, numCols, out, stride, numRows);
  }

  static three(w: usize, x: usize, numCols: i32, out: usize, stride: usize, numRows: i32): void {
    TileF16.multiply(3, w, x, numCols, out, stride, numRows);
  }

  static four(w: usize, x: usize, numCols: i32, out: usize, stride: usize, numRows: i32): void {
    TileF16.multiply(4, w, x, numCols, out, stride, numRows);
  }

  @inline
  private static multiply(
    numTokens: i32,
    w: usize,
    x: usize,
    numCols: i32,
    out: usize,
    stride: usize,
    numRows: i32,
  ): void {
    const mask = i32x4.splat(halfBits);
    let low0 = f32x4.splat(0);
    let high0 = low0;
    let low1 = low0;
    let high1 = low0;
    let low2 = low0;
    let high2 = low0;
    let low3 = low0;
    let high3 = low0;
    const end = w + (<usize>numCols << 4);
    do {
      const low = v128.and(i32x4.shl(v128.load_ext<i16>(w), 13), mask);
      const high = v128.and(i32x4.shl(v128.load_ext<i16>(w, 8), 13), mask);
      let token = v128.load32_splat(x);
      low0 = madd(low, token, low0);
      high0 = madd(high, token, high0);
      if (numTokens > 1) {
        token = v128.load32_splat(x, 4);
        low1 = madd(low, token, low1);
        high1 = madd(high, token, high1);
      }
      if (numTokens > 2) {
        token = v128.load32_splat(x, 8);
        low2 = madd(low, token, low2);
        high2 = madd(high, token, high2);
      }
      if (numTokens > 3) {
        token = v128.load32_splat(x, 12);
        low3 = madd(low, token, low3);
        high3 = madd(high, token, high3);
      }
      w += 16;
      x += 16;
    } while (w < end);
    TileF16.store(out, low0, high0, numRows);
    if (numTokens > 1) TileF16.store(out + stride, low1, high1, numRows);
    if (numTokens > 2) TileF16.store(out + 2 * stride, low2, high2, numRows);
    if (numTokens > 3) TileF16.store(out + 3 * stride, low3, high3, numRows);
  }

  @inline
  private static store(out: usize, low: v128, high: v128, numRows: i32): void {
    const scale = f32x4.splat(weightScale);
    storeUpTo8(out, f32x4.mul(low, scale), f32x4.mul(high, scale), numRows);
  }
}
