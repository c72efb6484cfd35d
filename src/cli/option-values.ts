/** What options accept: parsers for commander that say what is needed. */
import { InvalidArgumentError } from "commander";

/** A whole number from 0 on. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("Give a whole number.");
  }
  return value;
}

/** A whole number from 1 on. */
export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value < 1) throw new InvalidArgumentError("Give a whole number of at least 1.");
  return value;
}

/** Whole numbers from 1 on, with commas between them. */
export function positiveNumbers(text: string): readonly number[] {
  return text.split(",").map((item) => positiveNumber(item.trim()));
}

/** A number without a sign, such as 0.8. */
export function decimal(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError("Give a number, such as 0.8.");
  return Number(text);
}

const byteUnits: Readonly<Record<string, number>> = {
  ...{ b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
};

/** Bytes: a number with a unit, such as 16GB (16 · 10⁹) or 24GiB (24 · 2³⁰). */
export function byteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?i?b)$/i.exec(text);
  const bytes = Math.floor(
    Number(match?.[1]) * (byteUnits[match?.[2]?.toLowerCase() ?? ""] ?? NaN),
  );
  if (!Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError("Give a size with its unit, such as 16GB or 24GiB.");
  }
  return bytes;
}
