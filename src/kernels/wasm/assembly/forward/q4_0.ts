/**
 * Weights in Q4_0: x = d · (q − 8), with q from 0 to 15. A record is 8 scales and the codes of 8 rows, as
 * `nibbles-32.ts` has them.
 */
import { Few32, mostDirect } from "./few-32";
import { Nibbles, packNibbles, unpackNibbles } from "./nibbles-32";
import { gemm32, narrow, wide, wideDots } from "./tiles-32";

const blockBytes: usize = 18;
const recordBytes: usize = 144;
const codesAt: usize = 16;
const fifthsAt: usize = 0;
const minimaAt: usize = 0;
const biasBits: i32 = 3;

export function packQ4_0(src: usize, dst: usize, numRows: i32, numCols: i32): void {
  const numBlocks = <usize>(numCols >> 5);
  if (numRows < 8) memory.fill(dst, 0, numBlocks * recordBytes);
  for (let r: usize = 0; r < <usize>numRows; r++) {
    let to = dst;
    for (let b: usize = 0; b < numBlocks; b++, src += blockBytes, to += recordBytes) {
      store<u16>(to + (r << 1), load<u16>(src));
      packNibbles(src + 2, to + codesAt, r);
    }
  }
}

export function unpackQ4_0(W: usize, row: i32, dst: usize, numCols: i32): void {
  const numBlocks = <usize>(numCols >> 5);
  const r = <usize>(row & 7);
  let from = W + <usize>(row >> 3) * numBlocks * recordBytes;
  for (
    const end = dst + numBlocks * blockBytes;
    dst < end;
    dst += blockBytes, from += recordBytes
  ) {
    store<u16>(dst, load<u16>(from + (r << 1)));
    unpackNibbles(from + codesAt, r, dst + 2);
  }
}

export function matvecQ4_0(
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

export function gemmQ4_0(
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
    8,
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
    8,
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
    8,
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
