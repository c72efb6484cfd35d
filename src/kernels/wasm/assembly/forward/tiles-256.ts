/**
 * What GEMM with blocks of 256 columns has in common: 8 rows of one block are unpacked into the
 * thread's own memory, and every tile of 4 tokens is multiplied by them before the next block.
 */
import { activationBytes } from "./activations-256";
import { madd, storeUpTo8 } from "./simd";

/** Bytes of the thread's own memory for an unpacked block; the sums lie behind it. */
const unpackedBytes: usize = 4096;
/** Sums of a tile: 4 tokens × 8 rows float32. */
export const sumsBytes: usize = 128;
/** Tiles whose sums, with the block, leave room in a core's nearest cache. */
const tilesAtOnce: i32 = 128;

/** Unpacks the 8 rows of the record at `record` into `work`. */
type Unpack = (record: usize, work: usize) => void;
/** Adds the products of `count` tiles and the unpacked block to `sums` [count, 4, 8] float32. */
type AddTiles = (work: usize, X: usize, sums: usize, count: i32) => void;

/** The `gemm` of a format with records of `recordBytes`. */
@inline
export function gemm256(
  unpack: Unpack,
  addTiles: AddTiles,
  recordBytes: usize,
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
  const numBlocks = numCols >> 8;
  const numTiles = (numTokens + 3) >> 2;
  const sums = work + unpackedBytes;
  for (let first = 0; first < numTiles; first += tilesAtOnce) {
    const count = min(tilesAtOnce, numTiles - first);
    for (let r = firstRow; r < endRow; r += 8) {
      memory.fill(sums, 0, <usize>count * sumsBytes);
      for (let block = 0; block < numBlocks; block++) {
        unpack(W + <usize>((r >> 3) * numBlocks + block) * recordBytes, work);
        const X = x + <usize>(block * numTiles + first) * 4 * activationBytes;
        addTiles(work, X, sums, count);
      }
      for (let t = 4 * first; t < min(numTokens, 4 * (first + count)); t++) {
        const at = sums + <usize>(t - 4 * first) * 32;
        const row = out + ((<usize>(t * outStride + r)) << 2);
        storeUpTo8(row, v128.load(at), v128.load(at, 16), endRow - r);
      }
    }
  }
}

/** Adds whole numbers of one token and 8 rows, times its scale at `X` and theirs at `work`. */
@inline
export function addScaled(work: usize, X: usize, sums: usize, low: v128, high: v128): void {
  const scale = v128.load32_splat(X);
  const a = f32x4.mul(scale, v128.load(work));
  const b = f32x4.mul(scale, v128.load(work, 16));
  v128.store(sums, madd(f32x4.convert_i32x4_s(low), a, v128.load(sums)));
  v128.store(sums, madd(f32x4.convert_i32x4_s(high), b, v128.load(sums, 16)), 16);
}
