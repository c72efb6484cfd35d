/** e^x of four float32, within two units in the last place. */
import { madd } from "./simd";

/** Below, the result is 0, and above, infinity. */
const leastExponent: f32 = -104;
const mostExponent: f32 = 89;
const perLog2: f32 = 1.44269504;

/** log 2 in two parts, of which products with whole numbers up to 2^9 are exact in the first. */
const log2High: f32 = -0.693359375;
const log2Low: f32 = 2.12194440e-4;

/** Coefficients of e^r − 1 − r over r², for |r| ≤ log(2) / 2, from Cephes' expf. */
const c5: f32 = 1.9875691500e-4;
const c4: f32 = 1.3981999507e-3;
const c3: f32 = 8.3334519073e-3;
const c2: f32 = 4.1665795894e-2;
const c1: f32 = 1.6666665459e-1;
const c0: f32 = 5.0000001201e-1;

@inline
export function exp4(x: v128): v128 {
  const clipped = f32x4.min(f32x4.max(x, f32x4.splat(leastExponent)), f32x4.splat(mostExponent));
  const n = f32x4.nearest(f32x4.mul(clipped, f32x4.splat(perLog2)));
  const r = madd(n, f32x4.splat(log2Low), madd(n, f32x4.splat(log2High), clipped));
  let sum = madd(f32x4.splat(c5), r, f32x4.splat(c4));
  sum = madd(sum, r, f32x4.splat(c3));
  sum = madd(sum, r, f32x4.splat(c2));
  sum = madd(sum, r, f32x4.splat(c1));
  sum = madd(sum, r, f32x4.splat(c0));
  sum = f32x4.add(madd(sum, f32x4.mul(r, r), r), f32x4.splat(1));
  // 2^n as the product of two, because n may be out of a float32's range.
  const whole = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(whole, 1);
  const bias = i32x4.splat(127);
  const one = i32x4.shl(i32x4.add(half, bias), 23);
  const other = i32x4.shl(i32x4.add(i32x4.sub(whole, half), bias), 23);
  return f32x4.mul(f32x4.mul(sum, one), other);
}
