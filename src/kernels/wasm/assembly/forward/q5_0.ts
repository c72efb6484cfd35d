/**
 * Weights in Q5_0: x = d · (q − 16), with q from 0 to 31. A record is 8 scales, the fifth bits and the
 * nibbles of 8 rows, as `nibbles-32.ts` has them.
 */
import { Few32, mostDirect } from "./few-32";
import { Nibbles, packNibbles, unpackNibbles } from "./nibbles-32";
import { gemm32, narrow, wide, wideDots } from "./tiles-32";

const blockBytes: usize = 22;
const recordBytes: usize = 176;
const codesAt: usize = 48;
const fifthsAt: usize = 16;
const minimaAt: usize = 0;
const biasBits: i32 = 4;

export function packQ5_0(src: usize, dst: usize, numRows: i32, numCols: i32): void {
  const numBlocks = <usize>(numCols >> 5);
  if (numRows < 8) memory.fill(dst, 0, numBlocks * recordBytes);
  for (let r: usize = 0; r < <usize>numRows; r++) {
    let to = dst;
    for (let b: usize = 0; b < numBlocks; b++, src += blockBytes, to += recordBytes) {
      store<u16>(to + (r << 1), load<u16>(src));
      packFifths(load<u32>(src, 2), to + fifthsAt + (r << 2));
      packNibbles(src + 6, to + codesAt, r);
    }
  }
}

export function unpackQ5_0(W: usize, row: i32, dst: usize, numCols: i32): void {
  const numBlocks = <usize>(numCols >> 5);
  const r = <usize>(row & 7);
  let from = W + <usize>(row >> 3) * numBlocks * recordBytes;
  for (
    const end = dst + numBlocks * blockBytes;
    dst < end;
    dst += blockBytes, from += recordBytes
  ) {
    store<u16>(dst, load<u16>(from + (r << 1)));
    store<u32>(dst, fifthsOf(load<u32>(from + fifthsAt + (r << 2))), 2);
    unpackNibbles(from + codesAt, r, dst + 6);
  }
}

export function matvecQ5_0(
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

export function gemmQ5_0(
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
    16,
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
    16,
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
    16,
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

/** Bit 4j + i of a block's fifth bits becomes bit j of byte i. */
function packFifths(bits: u32, to: usize): void {
  for (let i: u32 = 0; i < 4; i++) {
    // Bits 0, 4, 8 … move together: by twos, by fours, to eight.
    let every4 = (bits >> i) & 0x11111111;
    every4 = (every4 | (every4 >> 3)) & 0x03030303;
    every4 = (every4 | (every4 >> 6)) & 0x000f000f;
    store<u8>(to + i, every4 | (every4 >> 12));
  }
}

/** The inverse. */
function fifthsOf(packed: u32): u32 {
  let bits: u32 = 0;
  for (let k: u32 = 0; k < 32; k++) bits |= ((packed >> (((k & 3) << 3) | (k >> 2))) & 1) << k;
  return bits;
}
