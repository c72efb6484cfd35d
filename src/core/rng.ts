/**
 * Seeded random numbers: the same seed gives the same stream on every machine and Node version.
 * Not for cryptography.
 */

/** A source of uniform numbers in [0, 1). */
export type Rng = () => number;

/** sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, seeded from one integer. */
export function seededRng(seed: number): Rng {
  let a = seed | 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = 0x9e3779b9 | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // The first outputs still show the seed: PractRand discards twelve.
  for (let i = 0; i < 12; i++) next();
  return next;
}

/** Standard normal numbers from uniform ones (Box and Muller, 1958). */
export function normal(rng: Rng): number {
  const radius = Math.sqrt(-2 * Math.log(1 - rng()));
  return radius * Math.cos(2 * Math.PI * rng());
}

/** A whole number in [0, bound). */
export function randomInt(rng: Rng, bound: number): number {
  return Math.floor(rng() * bound);
}

/** Shuffles in place (Fisher and Yates) and returns the same array. */
export function shuffle<T>(items: T[], rng: Rng): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = randomInt(rng, i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
