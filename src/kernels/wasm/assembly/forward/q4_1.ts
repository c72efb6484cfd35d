/**
 * Weights in Q4_1: x = d · q + m, with q from 0 to 15. A record is 8 scales, 8 minima in float16 and the
 * codes of 8 rows, as `nibbles-32.ts` has them.
 */
import { Few32, mostDirect } from "./few-32";
import { Nibbles, packNibbles, unpackNibbles } from "./nibbles-32";
import { gemm32, narrow, wide, wideDots } from "./tiles-32";

const blockBytes: usize = 20;
const recordBytes: usize = 160;
const codesAt: usize = 32;
const fifthsAt: usize = 0;
const minimaAt: usize = 16;
const biasBits: i32 = 0;

export function packQ4_1(src: usize, dst: usize, numRows: i32, numCols: i32): void {
  const numBlocks = <usize>(numCols >> 5);
  if (numRows < 8) memory.fill(dst, 0, numBlocks * recordBytes);
  for (let r: usize = 0; r < <usize>numRows; r++) {
    let to = dst;
    for (let b: usize = 0; b < numBlocks; b++, src += blockBytes, to += recordBytes) {
      store<u16>(to + (r << 1), load<u16>(src));
      store<u16>(to + minimaAt + (r << 1), load<u16>(src, 2));
      packNibbles(src + 4, to + codesAt, r);
    }
  }
}

export function unpackQ4_1(W: usize, row: i32, dst: usize, numCols: i32): void {
  const numBlocks = <usize>(numCols >> 5);
  const r = <usize>(row & 7);
  let from = W + <usize>(row >> 3) * numBlocks * recordBytes;
  for (
    const end = dst + numBlocks * blockBytes;
    dst < end;
    dst += blockBytes, from += recordBytes
  ) {
    store<u16>(dst, load<u16>(from + (r << 1)));
    store<u16>(dst, load<u16>(from + minimaAt + (r << 1)), 2);
    unpackNibbles(from + codesAt, r, dst + 4);
  }
}

export function matvecQ4_1(
  W: usize,
  x: usize,
  out: usize,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  if (wideDots) matvecWide(W, x, out, numCols, firstRow, endRow);
  else matvecNarrow(W, x, out, numCols, firstRow, endRow);
}

function matvecWide(
  W: usize,
  x: usize,
  out: usize,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  Nibbles.matvec(
    true,
    recordBytes,
    codesAt,
    fifthsAt,
    minimaAt,
    biasBits,
    W,
    x,
    out,
    numCols,
    firstRow,
    endRow,
  );
}

function matvecNarrow(
  W: usize,
  x: usize,
  out: usize,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  Nibbles.matvec(
    false,
    recordBytes,
    codesAt,
    fifthsAt,
    minimaAt,
    biasBits,
    W,
    x,
    out,
    numCols,
    firstRow,
    endRow,
  );
}

export function gemmQ4_1(
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
  if (numTokens <= mostDirect) {
    if (wideDots) fewWide(W, x, out, numTokens, outStride, numCols, firstRow, endRow);
    else fewNarrow(W, x, out, numTokens, outStride, numCols, firstRow, endRow);
    return;
  }
  const kind = wideDots ? wide : narrow;
  gemm32(
    kind,
    recordBytes,
    minimaAt,
    0,
    unpack,
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
    codesAt,
    fifthsAt,
    minimaAt,
    0,
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

function fewNarrow(
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
    narrow,
    recordBytes,
    codesAt,
    fifthsAt,
    minimaAt,
    0,
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

function unpack(from: usize, to: usize, numBlocks: usize): void {
  Nibbles.unpack(recordBytes, codesAt, fifthsAt, from, to, numBlocks);
}
