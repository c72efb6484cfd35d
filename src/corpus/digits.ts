/**
 * Handwritten-looking digits, drawn by a formula: 28 × 28 grey pixels in the manner of MNIST (white
 * on black, the ink scaled into 20 × 20, its mass in the middle). Every digit is one hand of
 * digits-glyphs.ts, bent, slanted and drawn with a random pen. No picture of anybody's writing is
 * used, so the digits and what is trained on them are free of other people's rights.
 */
import { UsageError } from "../core/errors.ts";
import { type Rng, normal, seededRng, shuffle } from "../core/rng.ts";
import { type Glyph, type PathPoint, glyphs } from "./digits-glyphs.ts";
import { digitSide, drawStrokes } from "./digits-pen.ts";

/** Pixels of one digit, row by row. */
export const digitPixels: number = digitSide * digitSide;

/** Drawn digits and what they are. */
export interface Digits {
  /** [count, 784], from 0 (paper) to 1 (ink), in steps of 1/255. */
  readonly images: Float32Array;
  /** [count], 0 to 9. */
  readonly labels: Uint8Array;
}

/**
 * The seeds that keep the splits apart: `test` judges; `validation` is for choosing; training draws
 * new digits for every epoch, from `train`, `train + 1` and so on.
 */
export const digitSeeds = { test: 1, validation: 2, train: 1000 } as const;

/** The most digits one call draws: 200,000 take 627 MB. */
const mostDigits = 200_000;

/** How strongly a manner bends straight lines; larger values make digits that nobody writes. */
const bending = 0.13;

/** How one person writes on one day: what bends every stroke of a digit alike. */
interface Manner {
  /** Rows of the matrix that stretches, slants and turns. */
  readonly across: readonly [number, number];
  readonly down: readonly [number, number];
  /** Weights of x², xy and y² in the bending of x and of y. */
  readonly bendX: readonly [number, number, number];
  readonly bendY: readonly [number, number, number];
  /** Standard deviation by which single points stray. */
  readonly tremor: number;
}

/**
 * Draws `count` digits from `seed`. Each ten in a row are the ten digits in random order, and a
 * longer series begins with the shorter one of the same seed. Throws UsageError for a count that
 * is not a whole number from 0 to 200,000.
 */
export function generateDigits(count: number, seed: number): Digits {
  if (!Number.isInteger(count) || count < 0 || count > mostDigits) {
    throw new UsageError(
      `Cannot draw ${count} digits: ask for a whole number from 0 to ${mostDigits}.`,
    );
  }
  const rng = seededRng(seed);
  const images = new Float32Array(count * digitPixels);
  const labels = new Uint8Array(count);
  for (let start = 0; start < count; start += 10) {
    const ten = shuffle([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], rng);
    for (const [i, label] of ten.slice(0, count - start).entries()) {
      labels[start + i] = label;
      images.set(drawDigit(label, rng), (start + i) * digitPixels);
    }
  }
  return { images, labels };
}

/**
 * Draws one digit, [28, 28] from 0 (paper) to 1 (ink), in a hand, slant and pen that `rng` picks.
 * Throws UsageError for a label that is none of 0 to 9.
 */
export function drawDigit(label: number, rng: Rng): Float32Array {
  const hands = glyphs[label];
  if (!hands) throw new UsageError(`There is no digit ${label}: ask for one of 0 to 9.`);
  const { strokes } = pickHand(hands, rng);
  const manner = pickManner(rng);
  const bent = strokes.map((stroke) => stroke.map((point) => bend(point, manner, rng)));
  return drawStrokes(bent, rng);
}

function pickHand(hands: readonly Glyph[], rng: Rng): Glyph {
  let left = rng() * hands.reduce((sum, { share }) => sum + share, 0);
  return hands.find(({ share }) => (left -= share) < 0) ?? hands[0]!;
}

function pickManner(rng: Rng): Manner {
  const slant = 0.18 + 0.25 * normal(rng);
  const turn = 0.1 * normal(rng);
  const width = Math.exp(-0.05 + 0.22 * normal(rng));
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const three = (): [number, number, number] => [normal(rng), normal(rng), normal(rng)];
  return {
    across: [width * cos, -slant * cos - sin],
    down: [width * sin, cos - slant * sin],
    bendX: three(),
    bendY: three(),
    tremor: 0.07 * rng(),
  };
}

/** A point of the ideal path, where this hand puts it: units of half the box, from its middle. */
function bend(point: PathPoint, manner: Manner, rng: Rng): PathPoint {
  const u = 2 * point.x - 1;
  const v = 2 * point.y - 1;
  const curl = ([uu, uv, vv]: readonly [number, number, number]): number =>
    bending * (uu * u * u + uv * u * v + vv * v * v);
  const x = u + curl(manner.bendX) + manner.tremor * normal(rng);
  const y = v + curl(manner.bendY) + manner.tremor * normal(rng);
  const [xx, xy] = manner.across;
  const [yx, yy] = manner.down;
  return { x: xx * x + xy * y, y: yx * x + yy * y, corner: point.corner };
}
