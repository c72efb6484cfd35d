/**
 * The pen: paths become 28 × 28 grey pixels, normalised as MNIST is (the ink scaled into 20 × 20,
 * its centre of mass in the middle). Knows nothing of digits.
 */
import { type Rng, normal } from "../core/rng.ts";
import type { PathPoint } from "./digits-glyphs.ts";

/** Pixels along one side of a picture. */
export const digitSide = 28;

/** Where MNIST puts the centre of mass, in pixels from the middle of the first one. */
const middle = 14;

/** Pixels that the longer side of the ink fills. */
const inkSide = 20;

/** Straight pieces that the curve between two points is drawn with. */
const stepsPerCurve = 6;

/** The most of a stroke that is missing at either end, as a share of its pieces. */
const mostCut = 0.12;

/** A straight piece of ink. */
interface Segment {
  readonly ax: number;
  readonly ay: number;
  readonly bx: number;
  readonly by: number;
  /** Half the pen's width, in pixels. */
  readonly radius: number;
}

/** A box in the units of the path. */
interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Draws `strokes` (any units, y downwards) with a pen that `rng` picks: [28, 28], 0 to 1. */
export function drawStrokes(strokes: readonly (readonly PathPoint[])[], rng: Rng): Float32Array {
  // Half the width and the blur of MNIST's strokes: their mean and spread of grey come out alike.
  const radius = 1.3 * Math.exp(0.27 * normal(rng));
  const blur = 0.6 + 0.6 * rng();
  const pieces = strokes.flatMap((stroke) => segmentsOf(stroke, radius, rng));
  const fitted = fit(pieces, radius);
  const { x, y } = massOf(render(fitted, blur));
  // By whole pixels, as in MNIST, whose digits therefore sit up to half a pixel beside the middle.
  const centred = place(fitted, 1, Math.round(middle - x), Math.round(middle - y));
  return grey(render(centred, blur), rng);
}

/** The centre of mass of a picture [28, 28], in pixels from the middle of the first one. */
export function massOf(image: Float32Array): { x: number; y: number } {
  let mass = 0;
  let x = 0;
  let y = 0;
  for (const [i, ink] of image.entries()) {
    mass += ink;
    x += ink * (i % digitSide);
    y += ink * Math.floor(i / digitSide);
  }
  return mass === 0 ? { x: middle, y: middle } : { x: x / mass, y: y / mass };
}

/** One stroke as straight pieces, pressed unevenly, begun and ended a little early. */
function segmentsOf(stroke: readonly PathPoint[], radius: number, rng: Rng): Segment[] {
  const path = curveThrough(stroke);
  const cut = (): number => Math.floor(path.length * mostCut * Math.max(0, 2 * rng() - 1));
  const kept = path.slice(cut(), path.length - cut());
  const phase = 2 * Math.PI * rng();
  const waves = 0.5 + rng();
  return kept.slice(1).map((b, i) => {
    const a = kept[i]!;
    const pressure = 1 + 0.15 * Math.sin(phase + (2 * Math.PI * waves * i) / kept.length);
    return { ax: a.x, ay: a.y, bx: b.x, by: b.y, radius: radius * pressure };
  });
}

/** A Catmull-Rom spline through the points, broken at corners. */
function curveThrough(stroke: readonly PathPoint[]): { x: number; y: number }[] {
  const path: { x: number; y: number }[] = stroke.slice(0, 1);
  for (const [i, b] of stroke.entries()) {
    const a = stroke[i - 1];
    if (!a) continue;
    const before = a.corner ? a : (stroke[i - 2] ?? a);
    const after = b.corner ? b : (stroke[i + 1] ?? b);
    for (let step = 1; step <= stepsPerCurve; step++) {
      const t = step / stepsPerCurve;
      path.push({
        x: catmullRom(before.x, a.x, b.x, after.x, t),
        y: catmullRom(before.y, a.y, b.y, after.y, t),
      });
    }
  }
  return path;
}

/** The cubic from `a` (t = 0) to `b` (t = 1) whose slopes there point along their neighbours. */
function catmullRom(before: number, a: number, b: number, after: number, t: number): number {
  const slopeA = (b - before) / 2;
  const slopeB = (after - a) / 2;
  const rise = b - a;
  const square = 3 * rise - 2 * slopeA - slopeB;
  const cube = slopeA + slopeB - 2 * rise;
  return a + t * (slopeA + t * (square + t * cube));
}

/** Scales until the longer side of the inked box has `inkSide` pixels, and sets it in the middle. */
function fit(segments: readonly Segment[], radius: number): Segment[] {
  const { left, right, top, bottom } = boxOf(segments);
  const scale = (inkSide - 2 * radius) / Math.max(right - left, bottom - top);
  const x = middle - (scale * (left + right)) / 2;
  const y = middle - (scale * (top + bottom)) / 2;
  return place(segments, scale, x, y);
}

function boxOf(segments: readonly Segment[]): Box {
  const xs = segments.flatMap(({ ax, bx }) => [ax, bx]);
  const ys = segments.flatMap(({ ay, by }) => [ay, by]);
  return {
    left: Math.min(...xs),
    right: Math.max(...xs),
    top: Math.min(...ys),
    bottom: Math.max(...ys),
  };
}

/** Scales the path, not the pen, then shifts it. */
function place(segments: readonly Segment[], scale: number, x: number, y: number): Segment[] {
  return segments.map(({ ax, ay, bx, by, radius }) => ({
    ax: ax * scale + x,
    ay: ay * scale + y,
    bx: bx * scale + x,
    by: by * scale + y,
    radius,
  }));
}

/** Ink by distance to the nearest piece: full inside the pen, fading over `blur` pixels. */
function render(segments: readonly Segment[], blur: number): Float32Array {
  const image = new Float32Array(digitSide * digitSide);
  for (const segment of segments) {
    const { ax, ay, bx, by, radius } = segment;
    const reach = radius + blur / 2;
    const [left, right] = pixelsBetween(Math.min(ax, bx) - reach, Math.max(ax, bx) + reach);
    const [top, bottom] = pixelsBetween(Math.min(ay, by) - reach, Math.max(ay, by) + reach);
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const ink = (radius - distance(x, y, segment)) / blur + 0.5;
        const at = y * digitSide + x;
        if (ink > image[at]!) image[at] = Math.min(1, ink);
      }
    }
  }
  return image;
}

function pixelsBetween(low: number, high: number): [number, number] {
  return [Math.max(0, Math.ceil(low)), Math.min(digitSide - 1, Math.floor(high))];
}

/** From the point to the nearest point of the segment. */
function distance(x: number, y: number, { ax, ay, bx, by }: Segment): number {
  const dx = bx - ax;
  const dy = by - ay;
  const lengthSquared = dx * dx + dy * dy;
  const along = lengthSquared === 0 ? 0 : ((x - ax) * dx + (y - ay) * dy) / lengthSquared;
  const t = Math.min(1, Math.max(0, along));
  const awayX = x - ax - t * dx;
  const awayY = y - ay - t * dy;
  return Math.sqrt(awayX * awayX + awayY * awayY);
}

/** Uneven ink, in 256 levels of grey as a scanner gives them. */
function grey(image: Float32Array, rng: Rng): Float32Array {
  return image.map((ink) => {
    if (ink === 0) return 0;
    return Math.max(0, Math.round(255 * ink * (1 - 0.05 * Math.abs(normal(rng))))) / 255;
  });
}
