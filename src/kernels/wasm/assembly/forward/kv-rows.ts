/**
 * Rows of keys and values in memory: float32, float16, or ggml's Q8_0 and Q4_0, rounded as the scalar
 * reference of `src/quant/blocks` does it. Formats have ggml's numbers.
 */
import { halfOf } from "./activations-32";
import { half4 } from "./simd";

const f16: i32 = 1;
const q4_0: i32 = 2;
const q8_0: i32 = 8;

const q4Bytes: usize = 18;
const q8Bytes: usize = 34;

export function kvRowBytes(format: i32, numCols: i32): usize {
  const blocks = <usize>(numCols >> 5);
  if (format == f16) return (<usize>numCols) << 1;
  if (format == q4_0) return blocks * q4Bytes;
  if (format == q8_0) return blocks * q8Bytes;
  return (<usize>numCols) << 2;
}

/** pool[slots[i]] = x[i] for all rows of x [numRows, numCols]; slots are int32. */
export function scatterRows(
  x: usize,
  slots: usize,
  pool: usize,
  numRows: i32,
  numCols: i32,
  format: i32,
): void {
  const rowBytes = kvRowBytes(format, numCols);
  const end = slots + ((<usize>numRows) << 2);
  for (; slots < end; slots += 4, x += (<usize>numCols) << 2) {
    storeKvRow(format, x, pool + <usize>load<i32>(slots) * rowBytes, numCols);
  }
}

/** pool[to[i]] = pool[from[i]]; `from` and behind them `to` are int32. */
export function copyRows(pool: usize, from: usize, count: i32, rowBytes: usize): void {
  const listBytes = (<usize>count) << 2;
  for (const end = from + listBytes; from < end; from += 4) {
    const target = <usize>load<i32>(from + listBytes);
    memory.copy(pool + target * rowBytes, pool + <usize>load<i32>(from) * rowBytes, rowBytes);
  }
}

/** Rounds and stores the row `x [numCols] float32`. */
function storeKvRow(format: i32, x: usize, to: usize, numCols: i32): void {
  const rowBytes = (<usize>numCols) << 2;
  const end = x + rowBytes;
  if (format == f16) {
    for (; x < end; x += 4, to += 2) store<u16>(to, halfBits(load<f32>(x)));
  } else if (format == q4_0) {
    for (; x < end; x += 128, to += q4Bytes) storeQ4(x, to);
  } else if (format == q8_0) {
    for (; x < end; x += 128, to += q8Bytes) storeQ8(x, to);
  } else {
    memory.copy(to, x, rowBytes);
  }
}

/** Columns [column, column + count) of the row at `row`, as float32 at `to`. */
export function loadKvColumns(format: i32, row: usize, column: i32, count: i32, to: usize): void {
  if (format == f16) {
    loadHalves(row + ((<usize>column) << 1), count, to);
    return;
  }
  const end = column + count;
  while (column < end) {
    const begin = column & 31;
    const stop = min(32, begin + end - column);
    const block = <usize>(column >> 5);
    if (format == q8_0) loadQ8(row + block * q8Bytes, begin, stop, to);
    else loadQ4(row + block * q4Bytes, begin, stop, to);
    to += (<usize>(stop - begin)) << 2;
    column += stop - begin;
  }
}

function loadHalves(from: usize, count: i32, to: usize): void {
  const end = from + ((<usize>count) << 1);
  for (; from + 8 <= end; from += 8, to += 16) v128.store(to, half4(from));
  for (; from < end; from += 2, to += 4) store<f32>(to, halfAt(from));
}

function loadQ8(block: usize, begin: i32, stop: i32, to: usize): void {
  const scale = halfAt(block);
  const codes = block + 2;
  if (stop - begin == 32) {
    const factor = f32x4.splat(scale);
    for (let i: usize = 0; i < 32; i += 8, to += 32) {
      const eight = v128.load_ext<i8>(codes + i);
      const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(eight));
      const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(eight));
      v128.store(to, f32x4.mul(low, factor));
      v128.store(to, f32x4.mul(high, factor), 16);
    }
    return;
  }
  for (let i = begin; i < stop; i++, to += 4) {
    store<f32>(to, scale * <f32>load<i8>(codes + <usize>i));
  }
}

function loadQ4(block: usize, begin: i32, stop: i32, to: usize): void {
  const scale = halfAt(block);
  const codes = block + 2;
  if (stop - begin == 32) {
    const both = v128.load(codes);
    const eight = i8x16.splat(8);
    const low = i8x16.sub(v128.and(both, i8x16.splat(15)), eight);
    const high = i8x16.sub(i8x16.shr_u(both, 4), eight);
    storeCodes(low, scale, to);
    storeCodes(high, scale, to + 64);
    return;
  }
  for (let i = begin; i < stop; i++, to += 4) {
    const pair = <i32>load<u8>(codes + <usize>(i & 15));
    store<f32>(to, scale * <f32>((i < 16 ? pair & 15 : pair >> 4) - 8));
  }
}

/** Sixteen codes times `scale`. */
function storeCodes(codes: v128, scale: f32, to: usize): void {
  const factor = f32x4.splat(scale);
  const low = i16x8.extend_low_i8x16_s(codes);
  const high = i16x8.extend_high_i8x16_s(codes);
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), factor));
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low)), factor), 16);
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), factor), 32);
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high)), factor), 48);
}

function storeQ8(x: usize, to: usize): void {
  let largest: f32 = 0;
  for (let c: usize = 0; c < 128; c += 4) largest = max(largest, abs(load<f32>(x + c)));
  const scale = largest / 127;
  const perUnit = inverse(scale);
  store<u16>(to, halfBits(scale));
  for (let i: usize = 0; i < 32; i++) {
    store<i8>(to + 2 + i, code8(load<f32>(x + (i << 2)) * perUnit));
  }
}

/** The value of largest magnitude becomes code 0, −8 steps. */
function storeQ4(x: usize, to: usize): void {
  let peak: f32 = 0;
  for (let c: usize = 0; c < 128; c += 4) {
    const value = load<f32>(x + c);
    if (abs(value) > abs(peak)) peak = value;
  }
  const scale = peak / -8;
  const perUnit = inverse(scale);
  store<u16>(to, halfBits(scale));
  for (let i: usize = 0; i < 16; i++) {
    const low = code4(load<f32>(x + (i << 2)) * perUnit);
    const high = code4(load<f32>(x + 64 + (i << 2)) * perUnit);
    store<u8>(to + 2 + i, <u8>(low | (high << 4)));
  }
}

/** 1/scale; 0 where there is none, or none in float32. */
@inline
function inverse(scale: f32): f32 {
  const inverted = <f32>1 / scale;
  return abs(inverted) < <f32>Infinity ? inverted : 0;
}

/** The nearest whole number, halves away from zero. */
@inline
function code8(steps: f32): i8 {
  const whole = trunc(steps);
  const rest = abs(steps - whole) >= 0.5 ? copysign<f32>(1, steps) : <f32>0;
  return <i8>(<i32>(whole + rest));
}

@inline
function code4(steps: f32): i32 {
  return min(15, <i32>(steps + 8.5));
}

@inline
function halfAt(p: usize): f32 {
  // As `half4`, of one and without reading what lies behind it.
  return reinterpret<f32>((<i32>load<i16>(p) << 13) & 0x8fffffff) * <f32>5.192296858534828e33;
}

/** The bits of the nearest float16, halves to even; infinity beyond its range. */
function halfBits(value: f32): u16 {
  const sign = (reinterpret<u32>(value) >> 16) & 0x8000;
  const half = halfOf(abs(value));
  // Below the least normal number, 2^-14, the steps are of 2^-24.
  if (half < <f32>0.00006103515625) return <u16>(sign | <u32>(half * 16777216));
  if (!(half < <f32>Infinity)) return <u16>(sign | (half == half ? 0x7c00 : 0x7e00));
  return <u16>(sign | ((reinterpret<u32>(half) >> 13) - (112 << 10)));
}
