/**
 * What Q4_0, Q4_1 and Q5_0 share: blocks of 32 columns with codes in nibbles. A record begins with 8
 * float16 scales; at `codesAt`, for i from 0 to 3, it has bytes 4i to 4i + 3 of rows 0 to 3 and of rows
 * 4 to 7, as a block of the file has them: columns 4i … in the low nibbles, columns 16 + 4i … in the high
 * ones. A lane of 32 bits is a row, so nothing is summed across lanes.
 *
 * In Q5_0 records have at `fifthsAt` a byte for each row and column i of 4, rows 0 to 3 and then 4 to 7:
 * its bit j is the fifth bit of column 4j + i.
 */
import { half4Small, halfMask, vectorBlock32 } from "./activations-32";
import { dot7, madd, nibbleMask, storeUpTo8 } from "./simd";
import { unpackedBytes32 } from "./tiles-32";

/** The nibbles of one row's block into its lanes of a record's codes. */
export function packNibbles(from: usize, codes: usize, row: usize): void {
  for (let i: usize = 0; i < 4; i++) {
    store<u32>(codes + (row << 2) + (i << 5), load<u32>(from + (i << 2)));
  }
}

/** The inverse of `packNibbles`. */
export function unpackNibbles(codes: usize, row: usize, to: usize): void {
  for (let i: usize = 0; i < 4; i++) {
    store<u32>(to + (i << 2), load<u32>(codes + (row << 2) + (i << 5)));
  }
}

/**
 * Kernels that are compiled for each format: what they are told of it is constant there. Loops are closed
 * by their condition, because V8 takes only out of such what does not change.
 */
export class Nibbles {
  /**
   * A format's `matvec`, for records with fifth bits or minima where these are not at 0, and codes that
   * are 2^biasBits above the weights' own. Sums of 16 bits that are too large on the way come back when
   * the whole block is added, bias included. `wide` has them in 32 bits: only where `wideDots`.
   */
  @inline
  static matvec(
    wide: bool,
    recordBytes: usize,
    codesAt: usize,
    fifthsAt: usize,
    minimaAt: usize,
    biasBits: i32,
    W: usize,
    x: usize,
    out: usize,
    numCols: i32,
    firstRow: i32,
    endRow: i32,
  ): void {
    const numBlocks = <usize>(numCols >> 5);
    const xEnd = x + numBlocks * vectorBlock32;
    const nibble = i8x16.splat(<i8>nibbleMask);
    const fifth = i8x16.splat(<i8>(nibbleMask + 1));
    const ones = i16x8.splat(<i16>(nibbleMask >> 3));
    const half = i32x4.splat(halfMask);
    let w = W + <usize>(firstRow >> 3) * numBlocks * recordBytes;
    for (let r = firstRow; r < endRow; r += 8) {
      let low = f32x4.splat(0);
      let high = low;
      let block = x;
      do {
        const sums = v128.load32_splat(block, 4);
        let lowDot = Nibbles.begin(wide, biasBits, sums, ones);
        let highDot = lowDot;
        let lowFifths = lowDot;
        let highFifths = lowDot;
        if (fifthsAt) {
          lowFifths = v128.load(w + fifthsAt);
          highFifths = v128.load(w + fifthsAt, 16);
        }
        const record = w;
        let at = block;
        const last = block + 16;
        w += codesAt;
        // Two of the four steps a turn: all four at once need more registers than there are.
        do {
          let one = v128.load32_splat(at, 8);
          let other = v128.load32_splat(at, 24);
          let lowCodes = v128.load(w);
          let highCodes = v128.load(w, 16);
          lowDot = Nibbles.add(
            wide,
            fifthsAt,
            lowDot,
            one,
            other,
            lowCodes,
            nibble,
            lowFifths,
            fifth,
          );
          highDot = Nibbles.add(
            wide,
            fifthsAt,
            highDot,
            one,
            other,
            highCodes,
            nibble,
            highFifths,
            fifth,
          );
          one = v128.load32_splat(at, 12);
          other = v128.load32_splat(at, 28);
          lowCodes = v128.load(w, 32);
          highCodes = v128.load(w, 48);
          if (fifthsAt) {
            lowFifths = i16x8.shr_u(lowFifths, 1);
            highFifths = i16x8.shr_u(highFifths, 1);
          }
          lowDot = Nibbles.add(
            wide,
            fifthsAt,
            lowDot,
            one,
            other,
            lowCodes,
            nibble,
            lowFifths,
            fifth,
          );
          highDot = Nibbles.add(
            wide,
            fifthsAt,
            highDot,
            one,
            other,
            highCodes,
            nibble,
            highFifths,
            fifth,
          );
          if (fifthsAt) {
            lowFifths = i16x8.shr_u(lowFifths, 1);
            highFifths = i16x8.shr_u(highFifths, 1);
          }
          at += 8;
          w += 64;
        } while (at < last);
        const scale = v128.load32_splat(block);
        const lowWhole = f32x4.convert_i32x4_s(wide ? lowDot : i32x4.dot_i16x8_s(lowDot, ones));
        const highWhole = f32x4.convert_i32x4_s(wide ? highDot : i32x4.dot_i16x8_s(highDot, ones));
        low = madd(lowWhole, f32x4.mul(half4Small(record, half), scale), low);
        high = madd(highWhole, f32x4.mul(half4Small(record + 8, half), scale), high);
        if (minimaAt) {
          const codes = f32x4.convert_i32x4_s(i32x4.neg(i32x4.dot_i16x8_s(sums, ones)));
          low = madd(codes, f32x4.mul(half4Small(record + minimaAt, half), scale), low);
          high = madd(codes, f32x4.mul(half4Small(record + minimaAt + 8, half), scale), high);
        }
        w = record + recordBytes;
        block += vectorBlock32;
      } while (block < xEnd);
      storeUpTo8(out + ((<usize>r) << 2), low, high, endRow - r);
    }
  }

  /** −2^biasBits · the sum of a block's codes. */
  @inline
  private static begin(wide: bool, biasBits: i32, sums: v128, ones: v128): v128 {
    if (!biasBits) return i32x4.splat(0);
    if (wide) return i32x4.shl(i32x4.dot_i16x8_s(sums, ones), biasBits);
    return i16x8.shl(sums, biasBits);
  }

  /** sum + one · the codes in low nibbles + other · those in high ones. */
  @inline
  private static add(
    wide: bool,
    fifthsAt: usize,
    sum: v128,
    one: v128,
    other: v128,
    codes: v128,
    nibble: v128,
    fifths: v128,
    fifth: v128,
  ): v128 {
    let low = v128.and(codes, nibble);
    let high = v128.and(i16x8.shr_u(codes, 4), nibble);
    if (fifthsAt) {
      low = v128.or(low, v128.and(i16x8.shl(fifths, 4), fifth));
      high = v128.or(high, v128.and(fifths, fifth));
    }
    if (RELAXED && wide) {
      return i32x4.relaxed_dot_i8x16_i7x16_add_s(
        other,
        high,
        i32x4.relaxed_dot_i8x16_i7x16_add_s(one, low, sum),
      );
    }
    return i16x8.add(sum, i16x8.add(dot7(one, low), dot7(other, high)));
  }

  /** Records to what `gemm32` multiplies by: nibbles, and fifth bits, become bytes. */
  @inline
  static unpack(
    recordBytes: usize,
    codesAt: usize,
    fifthsAt: usize,
    from: usize,
    to: usize,
    numBlocks: usize,
  ): void {
    const nibble = i8x16.splat(<i8>nibbleMask);
    const fifth = i8x16.splat(<i8>(nibbleMask + 1));
    const half = i32x4.splat(halfMask);
    for (const end = from + numBlocks * recordBytes; from < end; from += recordBytes) {
      v128.store(to, half4Small(from, half));
      v128.store(to, half4Small(from + 8, half), 16);
      for (let i: usize = 0; i < 128; i += 16) {
        const codes = v128.load(from + codesAt + i);
        let low = v128.and(codes, nibble);
        let high = v128.and(i16x8.shr_u(codes, 4), nibble);
        if (fifthsAt) {
          const fifths = i16x8.shr_u(v128.load(from + fifthsAt + (i & 16)), <i32>(i >> 5));
          low = v128.or(low, v128.and(i16x8.shl(fifths, 4), fifth));
          high = v128.or(high, v128.and(fifths, fifth));
        }
        v128.store(to + i, low, 32);
        v128.store(to + i, high, 160);
      }
      to += unpackedBytes32;
    }
  }
}
