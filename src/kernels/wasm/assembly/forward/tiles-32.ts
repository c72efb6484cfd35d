/**
 * Products of 8 rows of weights in blocks of 32 with tiles of 4 tokens. The weights of a chunk of
 * columns are unpacked once, stay in the nearest cache, and all tiles stream past.
 *
 * Unpacked, a block is 8 float32 scales (times 2^-112) and its codes, plus a bias that makes them fit;
 * what the bias adds to a product is taken back from the sums of the activations' codes. They are bytes:
 * for each 4 columns, those of rows 0 to 3 and of rows 4 to 7.
 */
import { half4Small, halfMask, tileBlock32 } from "./activations-32";
import { storeSums, sumBytes } from "./f32";
import { dot7, lowByteMask, madd, nibbleMask } from "./simd";

/** Bytes of an unpacked block. */
export const unpackedBytes32: usize = 288;

/** Codes up to 31, summed in 16 bits: with the bias taken back, a block's sums fit. */
export const narrow: i32 = 0;
/** Codes of any 8 bits, summed in 32 bits: only where `wideDots`. */
export const wide: i32 = 1;

/** Blocks of a chunk. */
const chunkBlocks: usize = 16;

/** Tokens whose sums fit into the thread's own memory beside a chunk. */
const chunkTokens: i32 = 1024;

/**
 * Whether relaxed SIMD's dot product of bytes, which promises 7 bits only, takes all 8 of them here,
 * unsigned and without saturation: x86 with AVX-VNNI does.
 */
export const wideDots: bool = probeWideDots();

function probeWideDots(): bool {
  if (!RELAXED) return false;
  const most = i8x16.splat(<i8>(lowByteMask >> 1));
  const codes = i8x16.splat(<i8>lowByteMask);
  const zero = i32x4.splat(0);
  const sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(most, codes, zero);
  const other = i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.neg(most), codes, zero);
  return i32x4.extract_lane(sum, 0) == 129540 && i32x4.extract_lane(other, 0) == -129540;
}

/** Unpacks `numBlocks` records at `from`. */
export type UnpackChunk32 = (from: usize, to: usize, numBlocks: usize) => void;

/**
 * A format's `gemm`. `unpack` makes codes of `kind` from records of `recordBytes`; `bias` is what they
 * are above the weights' own; 8 float16 minima are at `minimaAt`, unless that is 0.
 */
export function gemm32(
  kind: i32,
  recordBytes: usize,
  minimaAt: usize,
  bias: i16,
  unpack: UnpackChunk32,
  W: usize,
  x: usize,
  out: usize,
  numTokens: i32,
  outStride: i32,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
  work: usize,
): void {
  const numBlocks = <usize>(numCols >> 5);
  const tileBytes = numBlocks * tileBlock32;
  const sums = work + chunkBlocks * unpackedBytes32;
  for (let t = 0; t < numTokens; t += chunkTokens) {
    const count = min(chunkTokens, numTokens - t);
    const tiles = x + <usize>(t >> 2) * tileBytes;
    for (let r = firstRow; r < endRow; r += 8) {
      const w = W + <usize>(r >> 3) * numBlocks * recordBytes;
      memory.fill(sums, 0, sumBytes(count));
      for (let b: usize = 0; b < numBlocks; b += chunkBlocks) {
        const length = min(chunkBlocks, numBlocks - b);
        const records = w + b * recordBytes;
        const begin = tiles + b * tileBlock32;
        unpack(records, work, length);
        addTiles(kind, work, length, begin, tileBytes, sums, count, bias);
        if (!minimaAt) continue;
        addMinima(records + minimaAt, recordBytes, length, begin, tileBytes, sums, count);
      }
      storeSums(sums, out + ((<usize>t * outStride + r) << 2), count, outStride, endRow - r);
    }
  }
}

/** sums [tokens, 8] += tiles · the unpacked weights. */
function addTiles(
  kind: i32,
  weights: usize,
  numBlocks: usize,
  tiles: usize,
  tileBytes: usize,
  sums: usize,
  numTokens: i32,
  bias: i16,
): void {
  const end = sums + sumBytes(numTokens);
  for (; sums < end; sums += 128, tiles += tileBytes) {
    if (kind == narrow) Tile.addNarrow(weights, numBlocks, tiles, sums, bias);
    else Tile.addWide(weights, numBlocks, tiles, sums, bias);
  }
}

/** sums [tokens, 8] += each row's minimum · the sum of the token's activations, of each block. */
function addMinima(
  minima: usize,
  recordBytes: usize,
  numBlocks: usize,
  tiles: usize,
  tileBytes: usize,
  sums: usize,
  numTokens: i32,
): void {
  // The sums in a tile are negative.
  const minusOnes = i16x8.splat(<i16>-(nibbleMask >> 3));
  const half = i32x4.splat(halfMask);
  const end = minima + numBlocks * recordBytes;
  for (let t = 0; t < numTokens; t++, sums += 32) {
    let x = tiles + <usize>(t >> 2) * tileBytes + ((<usize>(t & 3)) << 2);
    let low = v128.load(sums);
    let high = v128.load(sums, 16);
    let m = minima;
    do {
      const total = i32x4.dot_i16x8_s(v128.load32_splat(x, 16), minusOnes);
      const codes = f32x4.convert_i32x4_s(total);
      const scale = v128.load32_splat(x);
      low = madd(codes, f32x4.mul(half4Small(m, half), scale), low);
      high = madd(codes, f32x4.mul(half4Small(m + 8, half), scale), high);
      m += recordBytes;
      x += tileBlock32;
    } while (m < end);
    v128.store(sums, low);
    v128.store(sums, high, 16);
  }
}

/** One tile; a copy of `add` is compiled for each kind. */
export class Tile {
  static addNarrow(weights: usize, numBlocks: usize, x: usize, sums: usize, bias: i16): void {
    Tile.add(narrow, weights, numBlocks, x, sums, i16x8.splat(bias));
  }

  static addWide(weights: usize, numBlocks: usize, x: usize, sums: usize, bias: i16): void {
    Tile.add(wide, weights, numBlocks, x, sums, i16x8.splat(bias));
  }

  @inline
  private static add(
    kind: i32,
    w: usize,
    numBlocks: usize,
    x: usize,
    sums: usize,
    bias: v128,
  ): void {
    const ones = i16x8.splat(<i16>(nibbleMask >> 3));
    const endWeights = w + numBlocks * unpackedBytes32;
    let low0 = v128.load(sums);
    let high0 = v128.load(sums, 16);
    let low1 = v128.load(sums, 32);
    let high1 = v128.load(sums, 48);
    let low2 = v128.load(sums, 64);
    let high2 = v128.load(sums, 80);
    let low3 = v128.load(sums, 96);
    let high3 = v128.load(sums, 112);
    do {
      const scales = w;
      const head = x;
      let lowDot0 = Tile.begin(kind, x, bias);
      let highDot0 = lowDot0;
      let lowDot1 = Tile.begin(kind, x + 4, bias);
      let highDot1 = lowDot1;
      let lowDot2 = Tile.begin(kind, x + 8, bias);
      let highDot2 = lowDot2;
      let lowDot3 = Tile.begin(kind, x + 12, bias);
      let highDot3 = lowDot3;
      w += 32;
      x += 32;
      // One step a turn: V8 would load everything that several need first, and run out of registers.
      const last = x + 128;
      do {
        const low = v128.load(w);
        const high = v128.load(w, 16);
        let token = v128.load32_splat(x);
        lowDot0 = Tile.step(kind, lowDot0, token, low);
        highDot0 = Tile.step(kind, highDot0, token, high);
        token = v128.load32_splat(x, 4);
        lowDot1 = Tile.step(kind, lowDot1, token, low);
        highDot1 = Tile.step(kind, highDot1, token, high);
        token = v128.load32_splat(x, 8);
        lowDot2 = Tile.step(kind, lowDot2, token, low);
        highDot2 = Tile.step(kind, highDot2, token, high);
        token = v128.load32_splat(x, 12);
        lowDot3 = Tile.step(kind, lowDot3, token, low);
        highDot3 = Tile.step(kind, highDot3, token, high);
        w += 32;
        x += 16;
      } while (x < last);
      const low = v128.load(scales);
      const high = v128.load(scales, 16);
      let scale = v128.load32_splat(head);
      low0 = madd(Tile.whole(kind, lowDot0, ones), f32x4.mul(low, scale), low0);
      high0 = madd(Tile.whole(kind, highDot0, ones), f32x4.mul(high, scale), high0);
      scale = v128.load32_splat(head, 4);
      low1 = madd(Tile.whole(kind, lowDot1, ones), f32x4.mul(low, scale), low1);
      high1 = madd(Tile.whole(kind, highDot1, ones), f32x4.mul(high, scale), high1);
      scale = v128.load32_splat(head, 8);
      low2 = madd(Tile.whole(kind, lowDot2, ones), f32x4.mul(low, scale), low2);
      high2 = madd(Tile.whole(kind, highDot2, ones), f32x4.mul(high, scale), high2);
      scale = v128.load32_splat(head, 12);
      low3 = madd(Tile.whole(kind, lowDot3, ones), f32x4.mul(low, scale), low3);
      high3 = madd(Tile.whole(kind, highDot3, ones), f32x4.mul(high, scale), high3);
    } while (w < endWeights);
    v128.store(sums, low0);
    v128.store(sums, high0, 16);
    v128.store(sums, low1, 32);
    v128.store(sums, high1, 48);
    v128.store(sums, low2, 64);
    v128.store(sums, high2, 80);
    v128.store(sums, low3, 96);
    v128.store(sums, high3, 112);
  }

  /** −bias · the sum of a token's codes, from where its scale lies. */
  @inline
  static begin(kind: i32, head: usize, bias: v128): v128 {
    const sums = v128.load32_splat(head, 16);
    return kind == wide ? i32x4.dot_i16x8_s(sums, bias) : i16x8.mul(sums, bias);
  }

  @inline
  static step(kind: i32, sum: v128, x: v128, w: v128): v128 {
    if (RELAXED && kind == wide) return i32x4.relaxed_dot_i8x16_i7x16_add_s(x, w, sum);
    return i16x8.add(sum, dot7(x, w));
  }

  @inline
  static whole(kind: i32, dots: v128, ones: v128): v128 {
    return f32x4.convert_i32x4_s(kind == narrow ? i32x4.dot_i16x8_s(dots, ones) : dots);
  }
}
