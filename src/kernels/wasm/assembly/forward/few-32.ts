/**
 * Products of records of blocks of 32 with few tokens, in tiles of 4: codes are taken apart on the way into
 * registers, once for a tile, and not kept. More tokens than `mostDirect` are worth unpacking: `gemm32`.
 */
import { half4Small, halfMask, tileBlock32 } from "./activations-32";
import { madd, nibbleMask, storeUpTo8 } from "./simd";
import { Tile } from "./tiles-32";

/** The most tokens that are multiplied so; measured. */
export const mostDirect: i32 = 16;

/** Turns Q8_0's codes in a record into codes plus 128. */
const byteSigns: i32 = 0x80008000;

/** Kernels that are compiled for each format: what they are told of it is constant there. */
export class Few32 {
  /**
   * A format's `gemm` for few tokens. Codes are in nibbles, unless `codesAt` is 0: then they are Q8_0's.
   * Fifth bits and minima are where these are not at 0; codes are `bias` above the weights' own.
   */
  @inline
  static multiply(
    kind: i32,
    recordBytes: usize,
    codesAt: usize,
    fifthsAt: usize,
    minimaAt: usize,
    bias: i16,
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
      const end = w + groupBytes;
      let tile = x;
      let to = out + (<usize>r << 2);
      for (let left = numTokens; left > 0; left -= 4) {
        if (left > 2) {
          Few32.tile(
            true,
            kind,
            recordBytes,
            codesAt,
            fifthsAt,
            minimaAt,
            bias,
            w,
            end,
            tile,
            to,
            stride,
            left,
            endRow - r,
          );
        } else {
          Few32.tile(
            false,
            kind,
            recordBytes,
            codesAt,
            fifthsAt,
            minimaAt,
            bias,
            w,
            end,
            tile,
            to,
            stride,
            left,
            endRow - r,
          );
        }
        tile += numBlocks * tileBlock32;
        to += stride << 2;
      }
    }
  }

  /** One tile, of which 2 tokens or 4 are computed; a copy is compiled for each. */
  @inline
  private static tile(
    hasFour: bool,
    kind: i32,
    recordBytes: usize,
    codesAt: usize,
    fifthsAt: usize,
    minimaAt: usize,
    bias: i16,
    w: usize,
    end: usize,
    x: usize,
    out: usize,
    stride: usize,
    numTokens: i32,
    numRows: i32,
  ): void {
    const nibble = i8x16.splat(<i8>nibbleMask);
    const fifth = i8x16.splat(<i8>(nibbleMask + 1));
    const ones = i16x8.splat(<i16>(nibbleMask >> 3));
    const half = i32x4.splat(halfMask);
    const biases = i16x8.splat(bias);
    const signs = i32x4.splat(byteSigns);
    let low0 = f32x4.splat(0);
    let high0 = low0;
    let low1 = low0;
    let high1 = low0;
    let low2 = low0;
    let high2 = low0;
    let low3 = low0;
    let high3 = low0;
    do {
      const record = w;
      const head = x;
      let lowDot0 = Tile.begin(kind, x, biases);
      let highDot0 = lowDot0;
      let lowDot1 = Tile.begin(kind, x + 4, biases);
      let highDot1 = lowDot1;
      let lowDot2 = Tile.begin(kind, x + 8, biases);
      let highDot2 = lowDot2;
      let lowDot3 = Tile.begin(kind, x + 12, biases);
      let highDot3 = lowDot3;
      x += 32;
      // Each loop takes few vectors: V8 would load everything that one needs first, and run out of registers.
      if (!codesAt) {
        const last = x + 128;
        do {
          const low = v128.xor(v128.load(w, 16), signs);
          const high = v128.xor(v128.load(w, 32), signs);
          let token = v128.load32_splat(x);
          lowDot0 = Tile.step(kind, lowDot0, token, low);
          highDot0 = Tile.step(kind, highDot0, token, high);
          token = v128.load32_splat(x, 4);
          lowDot1 = Tile.step(kind, lowDot1, token, low);
          highDot1 = Tile.step(kind, highDot1, token, high);
          if (hasFour) {
            token = v128.load32_splat(x, 8);
            lowDot2 = Tile.step(kind, lowDot2, token, low);
            highDot2 = Tile.step(kind, highDot2, token, high);
            token = v128.load32_splat(x, 12);
            lowDot3 = Tile.step(kind, lowDot3, token, low);
            highDot3 = Tile.step(kind, highDot3, token, high);
          }
          w += 32;
          x += 16;
        } while (x < last);
      } else {
        w += codesAt;
        let last = x + 64;
        let lowFifths = ones;
        let highFifths = ones;
        if (fifthsAt) {
          lowFifths = v128.load(record + fifthsAt);
          highFifths = v128.load(record + fifthsAt, 16);
        }
        do {
          let low = v128.and(v128.load(w), nibble);
          let high = v128.and(v128.load(w, 16), nibble);
          if (fifthsAt) {
            low = v128.or(low, v128.and(i16x8.shl(lowFifths, 4), fifth));
            high = v128.or(high, v128.and(i16x8.shl(highFifths, 4), fifth));
            lowFifths = i16x8.shr_u(lowFifths, 1);
            highFifths = i16x8.shr_u(highFifths, 1);
          }
          let token = v128.load32_splat(x);
          lowDot0 = Tile.step(kind, lowDot0, token, low);
          highDot0 = Tile.step(kind, highDot0, token, high);
          token = v128.load32_splat(x, 4);
          lowDot1 = Tile.step(kind, lowDot1, token, low);
          highDot1 = Tile.step(kind, highDot1, token, high);
          if (hasFour) {
            token = v128.load32_splat(x, 8);
            lowDot2 = Tile.step(kind, lowDot2, token, low);
            highDot2 = Tile.step(kind, highDot2, token, high);
            token = v128.load32_splat(x, 12);
            lowDot3 = Tile.step(kind, lowDot3, token, low);
            highDot3 = Tile.step(kind, highDot3, token, high);
          }
          w += 32;
          x += 16;
        } while (x < last);
        w = record + codesAt;
        last = x + 64;
        do {
          let low = v128.and(i16x8.shr_u(v128.load(w), 4), nibble);
          let high = v128.and(i16x8.shr_u(v128.load(w, 16), 4), nibble);
          if (fifthsAt) {
            low = v128.or(low, v128.and(i16x8.shl(lowFifths, 4), fifth));
            high = v128.or(high, v128.and(i16x8.shl(highFifths, 4), fifth));
            lowFifths = i16x8.shr_u(lowFifths, 1);
            highFifths = i16x8.shr_u(highFifths, 1);
          }
          let token = v128.load32_splat(x);
          lowDot0 = Tile.step(kind, lowDot0, token, low);
          highDot0 = Tile.step(kind, highDot0, token, high);
          token = v128.load32_splat(x, 4);
          lowDot1 = Tile.step(kind, lowDot1, token, low);
          highDot1 = Tile.step(kind, highDot1, token, high);
          if (hasFour) {
            token = v128.load32_splat(x, 8);
            lowDot2 = Tile.step(kind, lowDot2, token, low);
            highDot2 = Tile.step(kind, highDot2, token, high);
            token = v128.load32_splat(x, 12);
            lowDot3 = Tile.step(kind, lowDot3, token, low);
            highDot3 = Tile.step(kind, highDot3, token, high);
          }
          w += 32;
          x += 16;
        } while (x < last);
      }
      const lowScale = half4Small(record, half);
      const highScale = half4Small(record + 8, half);
      let scale = v128.load32_splat(head);
      low0 = madd(Tile.whole(kind, lowDot0, ones), f32x4.mul(lowScale, scale), low0);
      high0 = madd(Tile.whole(kind, highDot0, ones), f32x4.mul(highScale, scale), high0);
      scale = v128.load32_splat(head, 4);
      low1 = madd(Tile.whole(kind, lowDot1, ones), f32x4.mul(lowScale, scale), low1);
      high1 = madd(Tile.whole(kind, highDot1, ones), f32x4.mul(highScale, scale), high1);
      if (hasFour) {
        scale = v128.load32_splat(head, 8);
        low2 = madd(Tile.whole(kind, lowDot2, ones), f32x4.mul(lowScale, scale), low2);
        high2 = madd(Tile.whole(kind, highDot2, ones), f32x4.mul(highScale, scale), high2);
        scale = v128.load32_splat(head, 12);
        low3 = madd(Tile.whole(kind, lowDot3, ones), f32x4.mul(lowScale, scale), low3);
        high3 = madd(Tile.whole(kind, highDot3, ones), f32x4.mul(highScale, scale), high3);
      }
      if (minimaAt) {
        const lowMinima = half4Small(record + minimaAt, half);
        const highMinima = half4Small(record + minimaAt + 8, half);
        let total = Few32.total(head, ones);
        low0 = madd(total, lowMinima, low0);
        high0 = madd(total, highMinima, high0);
        total = Few32.total(head + 4, ones);
        low1 = madd(total, lowMinima, low1);
        high1 = madd(total, highMinima, high1);
        if (hasFour) {
          total = Few32.total(head + 8, ones);
          low2 = madd(total, lowMinima, low2);
          high2 = madd(total, highMinima, high2);
          total = Few32.total(head + 12, ones);
          low3 = madd(total, lowMinima, low3);
          high3 = madd(total, highMinima, high3);
        }
      }
      w = record + recordBytes;
    } while (w < end);
    storeUpTo8(out, low0, high0, numRows);
    if (numTokens > 1) storeUpTo8(out + stride, low1, high1, numRows);
    if (hasFour) storeUpTo8(out + 2 * stride, low2, high2, numRows);
    if (hasFour && numTokens > 3) storeUpTo8(out + 3 * stride, low3, high3, numRows);
  }

  /** The sum of a token's activations in a block. */
  @inline
  private static total(head: usize, ones: v128): v128 {
    const codes = i32x4.neg(i32x4.dot_i16x8_s(v128.load32_splat(head, 16), ones));
    return f32x4.mul(f32x4.convert_i32x4_s(codes), v128.load32_splat(head));
  }
}
