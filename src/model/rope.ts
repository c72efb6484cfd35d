/**
 * The angles of rotary position embedding, with the scalings that carry it beyond the context that a
 * model was trained on. Which columns turn by them is the kernels' matter.
 */
import type { RopeConfig, RopeScaling } from "./config.ts";

/** How fast each pair of columns turns. */
export interface RopeFrequencies {
  /** Radians a position [dim / 2]. */
  readonly perPosition: Float64Array;
  /** What cosines and sines are multiplied by. */
  readonly magnitude: number;
}

/**
 * The frequencies of a model. `factors` [dim / 2], where a file has them, divide the frequencies one
 * by one: Llama 3's scaling comes that way, worked out by whoever converted the model.
 */
export function ropeFrequencies(
  { dim, base, scaling, magnitude }: RopeConfig,
  factors?: Float32Array,
): RopeFrequencies {
  const perPosition = new Float64Array(dim / 2);
  for (let i = 0; i < perPosition.length; i++) {
    const frequency = base ** ((-2 * i) / dim) / (factors?.[i] ?? 1);
    perPosition[i] = frequency * scaleOf(i, dim, base, scaling);
  }
  // YaRN's correction of the attention's entropy (Peng et al., 2023, section 3.4).
  const entropy = scaling.type === "yarn" ? 1 + 0.1 * Math.log(scaling.factor) : 1;
  return { perPosition, magnitude: magnitude * entropy };
}

/**
 * Cosines, then sines, of the angles at each position: [positions.length, dim], as the kernels take
 * them. Doubles up to the last step, since float32 has no digits left for the angles of late positions.
 */
export function rotationTable(
  positions: ArrayLike<number>,
  { perPosition, magnitude }: RopeFrequencies,
): Float32Array<ArrayBuffer> {
  const numPairs = perPosition.length;
  const table = new Float32Array(positions.length * 2 * numPairs);
  for (let row = 0; row < positions.length; row++) {
    for (let i = 0; i < numPairs; i++) {
      const angle = positions[row]! * perPosition[i]!;
      table[row * 2 * numPairs + i] = magnitude * Math.cos(angle);
      table[row * 2 * numPairs + numPairs + i] = magnitude * Math.sin(angle);
    }
  }
  return table;
}

/** What the frequency of pair `i` is multiplied by. */
function scaleOf(i: number, dim: number, base: number, scaling: RopeScaling): number {
  switch (scaling.type) {
    case "none":
      return 1;
    case "linear":
      return 1 / scaling.factor;
    case "yarn": {
      const { factor, originalContextLength, betaFast, betaSlow } = scaling;
      const pairAt = (turns: number): number =>
        pairThatTurns(turns, originalContextLength, dim, base);
      const low = Math.max(0, Math.floor(pairAt(betaFast)));
      const high = Math.min(dim - 1, Math.ceil(pairAt(betaSlow)));
      // 0.001 where both ends fall together: llama.cpp's guard against dividing by zero.
      const ramp = Math.min(1, Math.max(0, (i - low) / Math.max(0.001, high - low)));
      return ramp / factor + (1 - ramp);
    }
  }
  return scaling satisfies never;
}

/** The pair, as a fraction, that turns `turns` times within `length` positions (YaRN, equation 17). */
function pairThatTurns(turns: number, length: number, dim: number, base: number): number {
  return (dim * Math.log(length / (turns * 2 * Math.PI))) / (2 * Math.log(base));
}
