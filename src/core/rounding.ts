/**
 * The three rounding rules that quantisers in the field use. `Math.round` is none of them: it
 * rounds halves towards +∞. Mixing them up is the usual cause of a "nearly bit-exact" result.
 */

/** Halves go to the even neighbour, as in IEEE 754, NumPy and PyTorch. Keeps −0. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const fraction = x - floor;
  if (fraction !== 0.5) return fraction < 0.5 ? keepSign(floor, x) : keepSign(floor + 1, x);
  return keepSign(floor % 2 === 0 ? floor : floor + 1, x);
}

/** Halves go away from zero, as C's `roundf`; ggml uses it for Q8_0 and the ternary types. */
export function roundHalfAway(x: number): number {
  const magnitude = Math.abs(x);
  const floor = Math.floor(magnitude);
  const rounded = magnitude - floor >= 0.5 ? floor + 1 : floor;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/** Adds `offset` in float32 and drops the fraction; ggml uses 8.5 for Q4_0 and 0.5 for Q4_1. */
export function truncPlus(x: number, offset: number): number {
  return Math.trunc(Math.fround(x + offset));
}

function keepSign(rounded: number, x: number): number {
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}
