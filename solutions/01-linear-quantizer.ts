/**
 * Project 1, worked answers: linear quantisation from scratch, in its simplest readable form.
 * The engine's fast version is `infinity-inference/quant/linear`; it is tested against this one.
 */

// #region roundHalfEven
/** Rounds to the nearest whole number; a half goes to the even neighbour; −0 stays −0. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const fraction = x - below;
  const goesUp = fraction > 0.5 || (fraction === 0.5 && below % 2 !== 0);
  const rounded = goesUp ? below + 1 : below;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}
// #endregion

// #region affineParams
/**
 * The grid of 2^bits codes that covers [min, max] and holds 0 exactly. Codes run from 0, or, when
 * `signed`, from −2^(bits−1).
 */
export function affineParams(
  min: number,
  max: number,
  bits: number,
  signed: boolean,
): { scale: number; zero: number; qmin: number; qmax: number } {
  const qmin = signed ? -(2 ** (bits - 1)) : 0;
  const qmax = qmin + 2 ** bits - 1;
  const low = Math.min(min, 0);
  const high = Math.max(max, 0);
  if (low === high) return { scale: 1, zero: 0, qmin, qmax };
  const scale = (high - low) / (qmax - qmin);
  const zero = Math.max(qmin, Math.min(qmax, roundHalfEven(qmin - low / scale)));
  return { scale, zero, qmin, qmax };
}
// #endregion

// #region quantizeSym
/**
 * Symmetric quantisation of `x`, with half = 2^(bits−1): the scale is max|x| / (half − 1) in the
 * convention max7, max|x| / (half − ½) in max7.5, and (the value of largest magnitude, with its
 * sign) / −half in ggml. Codes are clamped to [−half, half − 1].
 */
export function quantizeSym(
  x: Float32Array,
  bits: number,
  convention: "max7" | "max7.5" | "ggml",
): { q: Int8Array; scale: number } {
  const half = 2 ** (bits - 1);
  let peak = 0;
  for (const value of x) if (Math.abs(value) > Math.abs(peak)) peak = value;
  if (peak === 0) return { q: new Int8Array(x.length), scale: 1 };
  const steps = { max7: half - 1, "max7.5": half - 0.5, ggml: half }[convention];
  const scale = (convention === "ggml" ? -peak : Math.abs(peak)) / steps;
  const q = Int8Array.from(x, (value) =>
    Math.max(-half, Math.min(half - 1, roundHalfEven(value / scale))),
  );
  return { q, scale };
}
// #endregion

// #region packNibbles
/** Two signed 4-bit codes a byte, the first in the low nibble; a last odd code sits alone. */
export function packNibbles(q: Int8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(q.length / 2));
  q.forEach((code, i) => {
    bytes[i >> 1]! |= (code & 0x0f) << (i % 2 === 0 ? 0 : 4);
  });
  return bytes;
}

/** The first `n` codes of `bytes`, each with its sign again. */
export function unpackNibbles(bytes: Uint8Array, n: number): Int8Array {
  return Int8Array.from({ length: n }, (_, i) => {
    const nibble = (bytes[i >> 1]! >> (i % 2 === 0 ? 0 : 4)) & 0x0f;
    return nibble < 8 ? nibble : nibble - 16;
  });
}
// #endregion

// #region quantizeGroups
/**
 * Symmetric quantisation (max7) with one scale for each group of `g` neighbours in a row of
 * `W [rows, cols]`. Groups never cross a row; the last group of a row may be shorter.
 */
export function quantizeGroups(
  W: Float32Array,
  rows: number,
  cols: number,
  g: number,
  bits: number,
): { q: Int8Array; scales: Float32Array } {
  const groupsPerRow = Math.ceil(cols / g);
  const q = new Int8Array(rows * cols);
  const scales = new Float32Array(rows * groupsPerRow);
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < groupsPerRow; group++) {
      const begin = row * cols + group * g;
      const end = Math.min(begin + g, (row + 1) * cols);
      const quantized = quantizeSym(W.subarray(begin, end), bits, "max7");
      q.set(quantized.q, begin);
      scales[row * groupsPerRow + group] = quantized.scale;
    }
  }
  return { q, scales };
}
// #endregion

// #region mseClip
/**
 * The max7 scale of the best clipped range: of p = 1 − i / grid with i = 0 … maxShrink · grid − 1,
 * the p · max|x| whose Σ|x − x̂|^norm is least. Returns its scale and mean squared error.
 */
export function mseClip(
  x: Float32Array,
  bits: number,
  { grid, maxShrink, norm }: { grid: number; maxShrink: number; norm: number },
): { scale: number; mse: number } {
  const half = 2 ** (bits - 1);
  const peak = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (peak === 0) return { scale: 1, mse: 0 };
  const meanError = (scale: number, power: number): number =>
    x.reduce((sum, value) => {
      const code = Math.max(-half, Math.min(half - 1, roundHalfEven(value / scale)));
      return sum + Math.abs(value - code * scale) ** power;
    }, 0) / x.length;
  let best = { scale: NaN, error: Infinity };
  for (let i = 0; i < maxShrink * grid; i++) {
    const scale = ((1 - i / grid) * peak) / (half - 1);
    const error = meanError(scale, norm);
    if (error < best.error) best = { scale, error };
  }
  return { scale: best.scale, mse: meanError(best.scale, 2) };
}
// #endregion
