/**
 * What the forward kernels share beyond the instructions themselves. RELAXED, a constant of the build,
 * says whether the engine has relaxed SIMD; both builds give the same whole numbers.
 */

/** All bits; found when the module starts, so that the compiler cannot know it. */
export const allBits: i32 = memory.size() > 0 ? -1 : 0;

/**
 * Masks are splatted from these variables, because V8 builds a vector constant anew wherever it is
 * used, in loops too; a splat of what it does not know stays in a register.
 */
export let lowByteMask: i32 = allBits & 0xff;
export let nibbleMask: i32 = allBits & 0x0f;
export let codeMask2: i32 = allBits & 0x03;
export let codeMask5: i32 = allBits & 0x1f;
export let codeMask6: i32 = allBits & 0x3f;
export let highBitsMask: i32 = allBits & 0xc0;

/** a · b + c, rounded once or twice. */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (RELAXED) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Eight int16, each x[2i] · w[2i] + x[2i + 1] · w[2i + 1], of int8 x and w from 0 to 127. */
@inline
export function dot7(x: v128, w: v128): v128 {
  if (RELAXED) return i16x8.relaxed_dot_i8x16_i7x16_s(x, w);
  const even = i16x8.mul(i16x8.shr_s(i16x8.shl(x, 8), 8), v128.and(w, i16x8.splat(<i16>lowByteMask)));
  return i16x8.add(even, i16x8.mul(i16x8.shr_s(x, 8), i16x8.shr_u(w, 8)));
}

/** The four float16 at `p`, exactly where they are finite. */
@inline
export function half4(p: usize): v128 {
  // Shifted into float32's fields the exponent is 112 too small, for subnormals as well.
  const bits = v128.and(i32x4.shl(v128.load_ext<i16>(p), 13), i32x4.splat(0x8fffffff));
  return f32x4.mul(bits, f32x4.splat(5.192296858534828e33));
}

/** Stores the first `count` of the eight float32 in `low` and `high`. */
export function storeUpTo8(out: usize, low: v128, high: v128, count: i32): void {
  if (count >= 8) {
    v128.store(out, low);
    v128.store(out, high, 16);
    return;
  }
  if (count >= 4) {
    v128.store(out, low);
    out += 16;
    low = high;
    count -= 4;
  }
  for (; count > 0; count--, out += 4) {
    v128.store32_lane(out, low, 0);
    low = i32x4.shuffle(low, low, 1, 2, 3, 3);
  }
}
