/**
 * The 16-bit floats, as bit patterns: IEEE 754 binary16 (F16) and bfloat16 (BF16). Narrowing goes
 * from float32 and rounds once, halves to even, subnormals included, as NumPy and PyTorch do. A
 * double is rounded to float32 first; going from double to half directly would round differently.
 * Every NaN becomes the quiet one, because JavaScript does not keep a NaN's sign or payload.
 */

// One float32 seen as a float and as bits. Written and read within a function, never between two.
const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The value of F16 `bits`, exactly. */
export function f16ToF32(bits: number): number {
  // Shifted into float32's fields the exponent is 127 − 15 too small, for subnormals as well.
  word[0] = (bits & 0x7fff) << 13;
  const magnitude = (bits & 0x7c00) === 0x7c00 ? infinityOrNan(bits & 0x3ff) : float[0]! * 2 ** 112;
  return bits & 0x8000 ? -magnitude : magnitude;
}

/** The F16 bits nearest to float32 `x`; infinity from 65,520 on. */
export function f32ToF16(x: number): number {
  float[0] = x;
  const bits = word[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  // Below 2⁻¹⁴ the step is 2⁻²⁴: adding ½, whose own step is 2⁻²⁴, rounds there, halves to even.
  if (magnitude < 0x38800000) {
    float[0] = Math.abs(float[0]) + 0.5;
    return sign | (word[0]! - 0x3f000000);
  }
  return sign | (halfEvenShift(magnitude, 13) - (112 << 10));
}

/** The value of BF16 `bits`, exactly. */
export function bf16ToF32(bits: number): number {
  word[0] = bits << 16;
  return float[0]!;
}

/** The BF16 bits nearest to float32 `x`. */
export function f32ToBf16(x: number): number {
  float[0] = x;
  const bits = word[0]!;
  return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : halfEvenShift(bits, 16);
}

/** The values of F16 bit patterns. */
export function f16ArrayToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = f16ToF32(bits[i]!);
  return values;
}

/** The F16 bit patterns nearest to float32 values. */
export function f32ArrayToF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = f32ToF16(values[i]!);
  return bits;
}

/** The values of BF16 bit patterns. */
export function bf16ArrayToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = bf16ToF32(bits[i]!);
  return values;
}

/** The BF16 bit patterns nearest to float32 values. */
export function f32ArrayToBf16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = f32ToBf16(values[i]!);
  return bits;
}

function infinityOrNan(fraction: number): number {
  return fraction ? NaN : Infinity;
}

/** `bits` without its lowest `count`, rounded half to even; a carry moves into the exponent. */
function halfEvenShift(bits: number, count: number): number {
  const half = 2 ** (count - 1);
  return (bits + half - 1 + ((bits >>> count) & 1)) >>> count;
}
