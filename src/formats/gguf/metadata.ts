/**
 * GGUF metadata: a key's value with the type that it has in the file, so that it can be written again
 * byte for byte. Types 0 to 12 of the GGUF specification.
 */
import { InputError } from "../../core/errors.ts";
import { ByteCursor } from "../byte-cursor.ts";
import { inHostOrder } from "../plain-values.ts";

/** Arrays may hold arrays; real files never do, so these only stop damaged ones. */
const maxArrayDepth = 4;
const maxArraysInArray = 2 ** 12;
/** ggml's GGML_MAX_DIMS. */
export const maxGgmlDimensions = 4;
const defaultAlignment = 32;

interface NumberArrays {
  u8: Uint8Array;
  i8: Int8Array;
  u16: Uint16Array;
  i16: Int16Array;
  u32: Uint32Array;
  i32: Int32Array;
  f32: Float32Array;
  u64: BigUint64Array;
  i64: BigInt64Array;
  f64: Float64Array;
}

/** A value type that is a number. */
export type GgufNumberType = keyof NumberArrays;

/** The name of a value type. */
export type GgufValueType = GgufNumberType | "bool" | "string" | "array";

/**
 * An array value; `itemType` holds for every item. Texts that were read from a file are decoded the
 * first time that somebody looks at `items`, and are known to be UTF-8 before.
 */
export type GgufArray = { readonly type: "array" } & (
  | { readonly itemType: "string"; readonly items: readonly string[] }
  | { readonly itemType: "bool"; readonly items: readonly boolean[] }
  | { readonly itemType: "array"; readonly items: readonly GgufArray[] }
  | GgufNumbers
);

/** The items of an array of numbers. */
export type GgufNumbers = {
  [T in GgufNumberType]: { readonly itemType: T; readonly items: NumberArrays[T] };
}[GgufNumberType];

/** One metadata value with its type; 64-bit integers are bigint. */
export type GgufValue =
  | { readonly type: Exclude<GgufNumberType, "u64" | "i64">; readonly value: number }
  | { readonly type: "u64" | "i64"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | GgufArray;

/** Value types at their numbers in the file, with the fewest bytes that a value takes. */
const valueTypes: readonly (readonly [GgufValueType, number])[] = [
  ["u8", 1],
  ["i8", 1],
  ["u16", 2],
  ["i16", 2],
  ["u32", 4],
  ["i32", 4],
  ["f32", 4],
  ["bool", 1],
  ["string", 8],
  ["array", 12],
  ["u64", 8],
  ["i64", 8],
  ["f64", 8],
];

/** The number that stands for a value type in the file. */
export function ggufTypeNumber(type: GgufValueType): number {
  return valueTypes.findIndex(([name]) => name === type);
}

/** What tensors' offsets are multiples of. Throws InputError where it is no power of two as u32. */
export function alignmentOf(metadata: ReadonlyMap<string, GgufValue>): number {
  const stored = metadata.get("general.alignment");
  if (!stored) return defaultAlignment;
  const isPowerOfTwo =
    stored.type === "u32" && stored.value > 0 && (stored.value & (stored.value - 1)) === 0;
  if (isPowerOfTwo) return stored.value;
  throw new InputError("Metadata general.alignment is not a power of two as u32.");
}

/** Reads a string of u64 length, at most `most` bytes; `field` names it in messages. */
export function readGgufString(
  cursor: ByteCursor,
  field: string,
  most: number = Number.MAX_SAFE_INTEGER,
): string {
  return cursor.text(cursor.count(field, 1, most), field);
}

/** Reads a value after its key: type, then value. Throws InputError for an unknown type. */
export function readGgufValue(cursor: ByteCursor, field: string): GgufValue {
  const [type] = readType(cursor, field);
  switch (type) {
    case "u8":
      return { type, value: cursor.u8(field) };
    case "i8":
      return { type, value: cursor.i8(field) };
    case "u16":
      return { type, value: cursor.u16(field) };
    case "i16":
      return { type, value: cursor.i16(field) };
    case "u32":
      return { type, value: cursor.u32(field) };
    case "i32":
      return { type, value: cursor.i32(field) };
    case "f32":
      return { type, value: cursor.f32(field) };
    case "f64":
      return { type, value: cursor.f64(field) };
    case "u64":
      return { type, value: cursor.u64(field) };
    case "i64":
      return { type, value: cursor.i64(field) };
    case "bool":
      return { type, value: readBool(cursor, field) };
    case "string":
      return { type, value: readGgufString(cursor, field) };
    case "array":
      return readArray(cursor, field, 1);
  }
  return type satisfies never;
}

function readArray(cursor: ByteCursor, field: string, depth: number): GgufArray {
  if (depth > maxArrayDepth) cursor.fail(field, `arrays are nested deeper than ${maxArrayDepth}`);
  const [itemType, itemBytes] = readType(cursor, field);
  const most = itemType === "array" ? maxArraysInArray : Number.MAX_SAFE_INTEGER;
  const count = cursor.count(field, itemBytes, most);
  const items = <T>(read: () => T): T[] => readItems(count, read);
  switch (itemType) {
    case "string":
      return textArray(cursor, field, count);
    case "bool":
      return { type: "array", itemType, items: items(() => readBool(cursor, field)) };
    case "array":
      return { type: "array", itemType, items: items(() => readArray(cursor, field, depth + 1)) };
    case "u8":
    case "i8":
    case "u16":
    case "i16":
    case "u32":
    case "i32":
    case "f32":
    case "u64":
    case "i64":
    case "f64": {
      const bytes = new Uint8Array(cursor.bytes(count * itemBytes, field));
      return {
        type: "array",
        ...numbers(itemType, inHostOrder(bytes, itemBytes, cursor.littleEndian)),
      };
    }
  }
  return itemType satisfies never;
}

/** Holds the texts' bytes until they are decoded, which takes ten times as long as checking them. */
function textArray(cursor: ByteCursor, field: string, count: number): GgufArray {
  const loaded = cursor.texts(count, field);
  // Not copied, they keep in memory all that was read with them.
  const isMuchOfThat = loaded.length >= loaded.buffer.byteLength / 4;
  let stored: Uint8Array<ArrayBuffer> | undefined = isMuchOfThat ? loaded : loaded.slice();
  let texts: readonly string[] | undefined;
  const { littleEndian } = cursor;
  const decode = (bytes: Uint8Array<ArrayBuffer>): readonly string[] => {
    const again = new ByteCursor(field, bytes);
    again.littleEndian = littleEndian;
    return readItems(count, () => readGgufString(again, field));
  };
  return {
    type: "array",
    itemType: "string",
    get items() {
      if (stored) texts = decode(stored);
      stored = undefined;
      return texts!;
    },
  };
}

function readItems<T>(count: number, read: () => T): T[] {
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(read());
  return items;
}

function numbers(itemType: GgufNumberType, { buffer }: Uint8Array<ArrayBuffer>): GgufNumbers {
  switch (itemType) {
    case "u8":
      return { itemType, items: new Uint8Array(buffer) };
    case "i8":
      return { itemType, items: new Int8Array(buffer) };
    case "u16":
      return { itemType, items: new Uint16Array(buffer) };
    case "i16":
      return { itemType, items: new Int16Array(buffer) };
    case "u32":
      return { itemType, items: new Uint32Array(buffer) };
    case "i32":
      return { itemType, items: new Int32Array(buffer) };
    case "f32":
      return { itemType, items: new Float32Array(buffer) };
    case "u64":
      return { itemType, items: new BigUint64Array(buffer) };
    case "i64":
      return { itemType, items: new BigInt64Array(buffer) };
    case "f64":
      return { itemType, items: new Float64Array(buffer) };
  }
  return itemType satisfies never;
}

function readBool(cursor: ByteCursor, field: string): boolean {
  const byte = cursor.u8(field);
  if (byte > 1) cursor.fail(field, `a truth value is 0 or 1, and this is ${byte}`);
  return byte === 1;
}

function readType(cursor: ByteCursor, field: string): readonly [GgufValueType, number] {
  const number = cursor.u32(field);
  return valueTypes[number] ?? cursor.fail(field, `${number} is no value type`);
}
