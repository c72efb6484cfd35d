/**
 * Metadata by the type that the reader of a model needs. Files differ in the widths of their numbers,
 * so any whole number answers where a whole number is wanted.
 */
import { InputError } from "../../core/errors.ts";
import { quoted } from "../byte-source.ts";
import type { GgufValue } from "./metadata.ts";

/** A file's name for messages, and its metadata. */
export interface HasMetadata {
  readonly name: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
}

/** The text at `key`; undefined where there is none. Throws InputError for another type. */
export function textAt(file: HasMetadata, key: string): string | undefined {
  const value = file.metadata.get(key);
  if (value === undefined || value.type === "string") return value?.value;
  throw wrongType(file, key, value, "a text");
}

/** The truth value at `key`; undefined where there is none. Throws InputError for another type. */
export function flagAt(file: HasMetadata, key: string): boolean | undefined {
  const value = file.metadata.get(key);
  if (value === undefined || value.type === "bool") return value?.value;
  throw wrongType(file, key, value, "a truth value");
}

/**
 * The number at `key`; undefined where there is none. Throws InputError for another type and for a
 * 64-bit integer that a double cannot hold.
 */
export function numberAt(file: HasMetadata, key: string): number | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (value.type === "string" || value.type === "bool" || value.type === "array") {
    throw wrongType(file, key, value, "a number");
  }
  const number = Number(value.value);
  if (typeof value.value === "bigint" && !Number.isSafeInteger(number)) {
    throw wrongType(file, key, value, "a number that a double can hold");
  }
  return number;
}

/** As `numberAt`. Throws InputError also for a number that is negative or no whole number. */
export function countAt(file: HasMetadata, key: string): number | undefined {
  const number = numberAt(file, key);
  if (number === undefined || (Number.isSafeInteger(number) && number >= 0)) return number;
  throw wrongType(file, key, file.metadata.get(key)!, "a whole number of at least 0");
}

/** The texts at `key`; undefined where there is nothing. Throws InputError for another type. */
export function textsAt(file: HasMetadata, key: string): readonly string[] | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (value.type === "array" && value.itemType === "string") return value.items;
  throw wrongType(file, key, value, "an array of texts");
}

/**
 * The numbers at `key`, as doubles; undefined where there is nothing. Throws InputError for another
 * type, 64-bit integers among them.
 */
export function numbersAt(file: HasMetadata, key: string): ArrayLike<number> | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (value.type === "array") {
    const { items } = value;
    if (ArrayBuffer.isView(items) && !isWide(items)) return items;
  }
  throw wrongType(file, key, value, "an array of numbers of up to 32 bits, or doubles");
}

/** `value`, which was looked up at `key`. Throws InputError where there is none. */
export function required<T>(file: HasMetadata, key: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new InputError(`${file.name} has no metadata ${quoted(key)}, which is needed.`);
}

function isWide(items: ArrayBufferView): items is BigInt64Array | BigUint64Array {
  return items instanceof BigInt64Array || items instanceof BigUint64Array;
}

function wrongType(file: HasMetadata, key: string, value: GgufValue, needed: string): InputError {
  const found =
    value.type === "array"
      ? `an array of ${value.itemType}`
      : `${value.type} ${quoted(String(value.value))}`;
  return new InputError(
    `${file.name}: metadata ${quoted(key)} is ${found}, and ${needed} is needed.`,
  );
}
