/**
 * Weights in Q8_0: x = d · q, with q of 8 bits. A record has 32 columns of 8 rows: 8 float16 scales,
 * then for each 4 columns their codes of rows 0 to 3 and of rows 4 to 7. A lane of 32 bits is a row, so
 * nothing is summed across lanes. Codes of even columns are stored plus 128.
 */
import { half4Small, halfMask } from "./activations-32";
import { Few32, mostDirect } from "./few-32";
import { lowByteMask, madd, storeUpTo8 } from "./simd";
import { vectorPairs32 } from "./pairs-32";
import { multiplyTilesPairs } from "./tiles-pairs-32";
import { gemm32, wide, wideDots } from "./tiles-32";

const blockBytes: usize = 34;
/** Bytes of a record. */
export const recordBytes: usize = 272;

/** Turns codes of the file into those of a record, and back. */
const storedSigns: u32 = 0x00800080;

export function packQ8_0(src: usize, dst: usize, numRows: i32, numCols: i32): void {
  const rowBytes = <usize>(numCols >> 5) * blockBytes;
  for (const end = src + rowBytes; src < end; src += blockBytes, dst += recordBytes) {
    for (let r: usize = 0; r < 8; r++) {
      store<u16>(dst + (r << 1), <i32>r < numRows ? load<u16>(src + r * rowBytes) : 0);
    }
    for (let r: i32 = 0; r < 8; r += 4) {
      const from = src + <usize>r * rowBytes + 2;
      const to = dst + 16 + (<usize>r << 2);
      packSquare(from, rowBytes, to, numRows - r);
      packSquare(from + 16, rowBytes, to + 128, numRows - r);
    }
  }
}

/** 16 columns of 4 rows: what lies in a row becomes a lane. Rows that are not there are zeros. */
@inline
function packSquare(src: usize, rowBytes: usize, dst: usize, numRows: i32): void {
  const row0 = storedCodes(src, 0 < numRows);
  const row1 = storedCodes(src + rowBytes, 1 < numRows);
  const row2 = storedCodes(src + 2 * rowBytes, 2 < numRows);
  const row3 = storedCodes(src + 3 * rowBytes, 3 < numRows);
  const left01 = i32x4.shuffle(row0, row1, 0, 4, 1, 5);
  const left23 = i32x4.shuffle(row2, row3, 0, 4, 1, 5);
  const right01 = i32x4.shuffle(row0, row1, 2, 6, 3, 7);
  const right23 = i32x4.shuffle(row2, row3, 2, 6, 3, 7);
  v128.store(dst, i64x2.shuffle(left01, left23, 0, 2));
  v128.store(dst, i64x2.shuffle(left01, left23, 1, 3), 32);
  v128.store(dst, i64x2.shuffle(right01, right23, 0, 2), 64);
  v128.store(dst, i64x2.shuffle(right01, right23, 1, 3), 96);
}

@inline
function storedCodes(src: usize, isPresent: bool): v128 {
  return isPresent ? v128.xor(v128.load(src), i32x4.splat(storedSigns)) : i32x4.splat(0);
}

export function unpackQ8_0(W: usize, row: i32, dst: usize, numCols: i32): void {
  const numBlocks = <usize>(numCols >> 5);
  const r = <usize>(row & 7);
  let from = W + <usize>(row >> 3) * numBlocks * recordBytes + (r << 1);
  for (
    const end = dst + numBlocks * blockBytes;
    dst < end;
    dst += blockBytes, from += recordBytes
  ) {
    store<u16>(dst, load<u16>(from));
    const codes = from + 16 + (r << 1);
    for (let i: usize = 0; i < 8; i++) {
      store<u32>(dst + (i << 2), load<u32>(codes + (i << 5)) ^ storedSigns, 2);
    }
  }
}

/**
 * Seen as int16, two columns of a row are w = 256h + l, with l from 0 to 255. For activations a and b,
 * w · b + l · (256a − b) = 256(l · a + h · b): exact in 8 bits without taking the bytes apart.
 */
export function matvecQ8_0(
  W: usize,
  x: usize,
  out: usize,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  const numBlocks = <usize>(numCols >> 5);
  const xEnd = x + numBlocks * vectorPairs32;
  const lowByte = i16x8.splat(<i16>lowByteMask);
  const half = i32x4.splat(halfMask);
  let w = W + <usize>(firstRow >> 3) * numBlocks * recordBytes;
  for (let r = firstRow; r < endRow; r += 8) {
    let low = f32x4.splat(0);
    let high = low;
    let block = x;
    do {
      let lowDot = v128.load32_splat(block, 4);
      let highDot = lowDot;
      const record = w;
      let at = block;
      const last = block + 64;
      do {
        let whole = v128.load32_splat(at, 8);
        let rest = v128.load32_splat(at, 12);
        lowDot = addSplit(lowDot, v128.load(w, 16), whole, rest, lowByte);
        highDot = addSplit(highDot, v128.load(w, 32), whole, rest, lowByte);
        whole = v128.load32_splat(at, 16);
        rest = v128.load32_splat(at, 20);
        lowDot = addSplit(lowDot, v128.load(w, 48), whole, rest, lowByte);
        highDot = addSplit(highDot, v128.load(w, 64), whole, rest, lowByte);
        at += 16;
        w += 64;
      } while (at < last);
      w = record + recordBytes;
      const scale = v128.load32_splat(block);
      const lowScale = f32x4.mul(half4Small(record, half), scale);
      const highScale = f32x4.mul(half4Small(record + 8, half), scale);
      low = madd(f32x4.convert_i32x4_s(lowDot), lowScale, low);
      high = madd(f32x4.convert_i32x4_s(highDot), highScale, high);
      block += vectorPairs32;
    } while (block < xEnd);
    storeUpTo8(out + ((<usize>r) << 2), low, high, endRow - r);
  }
}

function addSplit(sum: v128, codes: v128, whole: v128, rest: v128, lowByte: v128): v128 {
  const low = i32x4.dot_i16x8_s(v128.and(codes, lowByte), rest);
  return i32x4.add(sum, i32x4.add(i32x4.dot_i16x8_s(codes, whole), low));
}

export function gemmQ8_0(
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
  if (!wideDots) {
    multiplyTilesPairs(W, x, out, numTokens, outStride, numCols, firstRow, endRow);
  } else if (numTokens <= mostDirect) {
    fewWide(W, x, out, numTokens, outStride, numCols, firstRow, endRow);
  } else {
    gemm32(
      wide,
      recordBytes,
      0,
      128,
      unpackBytes,
      W,
      x,
      out,
      numTokens,
      outStride,
      numCols,
      firstRow,
      endRow,
      work,
    );
  }
}

function fewWide(
  W: usize,
  x: usize,
  out: usize,
  numTokens: i32,
  outStride: i32,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  Few32.multiply(
    wide,
    recordBytes,
    0,
    0,
    0,
    128,
    W,
    x,
    out,
    numTokens,
    outStride,
    numCols,
    firstRow,
    endRow,
  );
}

/** All codes become bytes plus 128. */
function unpackBytes(from: usize, to: usize, numBlocks: usize): void {
  const signs = i32x4.splat(~storedSigns & 0x80808080);
  const half = i32x4.splat(halfMask);
  for (const end = from + numBlocks * recordBytes; from < end; from += recordBytes) {
    v128.store(to, half4Small(from, half));
    v128.store(to, half4Small(from + 8, half), 16);
    to += 32;
    for (let i: usize = 0; i < 256; i += 16, to += 16) {
      v128.store(to, v128.xor(v128.load(from + i, 16), signs));
    }
  }
}
