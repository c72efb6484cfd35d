/**
 * Weights in float32. A record is one column of 8 rows. Activations stay float32: the vector layout
 * is x itself; a tile has, for each column, the values of its 4 tokens.
 */
import { madd, storeUpTo8 } from "./simd";

/** Columns that a product runs over at once: 8 rows of them stay in the nearest cache. */
export const chunkCols: i32 = 512;

/** Tokens whose sums fit into the thread's own memory beside the weights of a chunk. */
export const chunkTokens: i32 = 1024;

export function packF32(src: usize, dst: usize, numRows: i32, numCols: i32): void {
  const rowBytes = <usize>numCols << 2;
  for (let r = 0; r < 8; r++) {
    const row = src + <usize>r * rowBytes;
    let to = dst + (<usize>r << 2);
    for (let at = row, end = row + rowBytes; at < end; at += 4, to += 32) {
      store<u32>(to, r < numRows ? load<u32>(at) : 0);
    }
  }
}

export function unpackF32(W: usize, row: i32, dst: usize, numCols: i32): void {
  let from = W + (<usize>(row >> 3) * numCols << 5) + ((row & 7) << 2);
  for (let end = dst + (<usize>numCols << 2); dst < end; dst += 4, from += 32) {
    store<u32>(dst, load<u32>(from));
  }
}

export function matvecF32(
  W: usize,
  x: usize,
  out: usize,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  const paired = x + (<usize>(numCols & ~1) << 2);
  let w = W + (<usize>(firstRow >> 3) * numCols << 5);
  for (let r = firstRow; r < endRow; r += 8) {
    let low = f32x4.splat(0);
    let high = low;
    let otherLow = low;
    let otherHigh = low;
    let at = x;
    for (; at < paired; at += 8, w += 64) {
      const one = v128.load32_splat(at);
      low = madd(v128.load(w), one, low);
      high = madd(v128.load(w, 16), one, high);
      const other = v128.load32_splat(at, 4);
      otherLow = madd(v128.load(w, 32), other, otherLow);
      otherHigh = madd(v128.load(w, 48), other, otherHigh);
    }
    if (numCols & 1) {
      const one = v128.load32_splat(at);
      low = madd(v128.load(w), one, low);
      high = madd(v128.load(w, 16), one, high);
      w += 32;
    }
    low = f32x4.add(low, otherLow);
    high = f32x4.add(high, otherHigh);
    storeUpTo8(out + (<usize>r << 2), low, high, endRow - r);
  }
}

export function gemmF32(
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
  const groupBytes = <usize>numCols << 5;
  for (let t = 0; t < numTokens; t += chunkTokens) {
    const count = min(chunkTokens, numTokens - t);
    const tiles = x + (<usize>t * numCols << 2);
    for (let r = firstRow; r < endRow; r += 8) {
      const w = W + <usize>(r >> 3) * groupBytes;
      memory.fill(work, 0, sumBytes(count));
      for (let c = 0; c < numCols; c += chunkCols) {
        addProducts(w + (<usize>c << 5), tiles, work, count, numCols, c);
      }
      storeSums(work, out + ((<usize>t * outStride + r) << 2), count, outStride, endRow - r);
    }
  }
}

/** Bytes of the sums of 8 rows and `numTokens` tokens, a whole number of tiles. */
@inline
export function sumBytes(numTokens: i32): usize {
  return <usize>((numTokens + 3) & ~3) << 5;
}

/**
 * sums [tokens, 8] += the columns from `column` on, at most `chunkCols`, of the tiles times 8 rows of
 * weights [columns, 8] float32 at w.
 */
export function addProducts(
  w: usize,
  tiles: usize,
  sums: usize,
  numTokens: i32,
  numCols: i32,
  column: i32,
): void {
  const count = min(chunkCols, numCols - column);
  const end = sums + sumBytes(numTokens);
  let tile = tiles + (<usize>column << 4);
  for (; sums < end; sums += 128, tile += <usize>numCols << 4) {
    let low0 = v128.load(sums);
    let high0 = v128.load(sums, 16);
    let low1 = v128.load(sums, 32);
    let high1 = v128.load(sums, 48);
    let low2 = v128.load(sums, 64);
    let high2 = v128.load(sums, 80);
    let low3 = v128.load(sums, 96);
    let high3 = v128.load(sums, 112);
    let at = w;
    for (let x = tile, stop = tile + (<usize>count << 4); x < stop; x += 16, at += 32) {
      const low = v128.load(at);
      const high = v128.load(at, 16);
      let token = v128.load32_splat(x);
      low0 = madd(low, token, low0);
      high0 = madd(high, token, high0);
      token = v128.load32_splat(x, 4);
      low1 = madd(low, token, low1);
      high1 = madd(high, token, high1);
      token = v128.load32_splat(x, 8);
      low2 = madd(low, token, low2);
      high2 = madd(high, token, high2);
      token = v128.load32_splat(x, 12);
      low3 = madd(low, token, low3);
      high3 = madd(high, token, high3);
    }
    v128.store(sums, low0);
    v128.store(sums, high0, 16);
    v128.store(sums, low1, 32);
    v128.store(sums, high1, 48);
    v128.store(sums, low2, 64);
    v128.store(sums, high2, 80);
    v128.store(sums, low3, 96);
    v128.store(sums, high3, 112);
  }
}

/** Rows of the sums [numTokens, 8], of which `numRows` are wanted, to out. */
export function storeSums(
  sums: usize,
  out: usize,
  numTokens: i32,
  outStride: i32,
  numRows: i32,
): void {
  for (let t = 0; t < numTokens; t++, sums += 32, out += <usize>outStride << 2) {
    storeUpTo8(out, v128.load(sums), v128.load(sums, 16), numRows);
  }
}

/** As the contract of all layouts: tiles [firstTile, endTile) of x, missing tokens are zeros. */
export function prepareTilesF32(
  x: usize,
  X: usize,
  numTokens: i32,
  numCols: i32,
  firstTile: i32,
  endTile: i32,
): void {
  const rowBytes = <usize>numCols << 2;
  for (let tile = firstTile; tile < endTile; tile++) {
    const begin = X + <usize>tile * (rowBytes << 2);
    for (let i = 0; i < 4; i++) {
      const token = (tile << 2) + i;
      let from = x + <usize>token * rowBytes;
      let to = begin + (<usize>i << 2);
      for (const end = begin + (rowBytes << 2); to < end; to += 16, from += 4) {
        store<f32>(to, token < numTokens ? load<f32>(from) : 0);
      }
    }
  }
}
