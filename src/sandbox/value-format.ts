/**
 * The form in which values cross between two processes of which one does not trust the other: its
 * tags, its references and its error. Lossless for every kind in `tag`: −0, NaN, lone surrogates
 * and typed arrays survive. Not a general serialiser: no cycles, no shared references (each view
 * travels as a copy of its own elements), no symbol keys.
 */

/** A value that cannot be written, or bytes that are no value. */
export class CodecError extends Error {
  override readonly name: string = "CodecError";
}

/** Stands for a function or an object with methods that stays in its own process. */
export interface Reference {
  readonly owner: "host" | "guest";
  readonly id: number;
  readonly callable: boolean;
}

/** One side's table of what it holds for the other and what the other holds for it. */
export interface References {
  /** The reference that `value` already has, whichever side owns it. */
  known(value: object): Reference | undefined;
  /** Gives `value`, a function or an object with methods, a reference; undefined where it may not. */
  adopt(value: object, owner?: object): Reference | undefined;
  /** What a received reference stands for here; throws CodecError where it stands for nothing. */
  resolve(reference: Reference): unknown;
}

/** For values in which no function and no object with methods may be. */
export const noReferences: References = {
  known: () => undefined,
  adopt: () => undefined,
  resolve: () => {
    throw new CodecError("a reference was not expected here");
  },
};

/** The first byte of each value. */
export const tag = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  number: 4,
  string: 5,
  bigint: 6,
  view: 7,
  buffer: 8,
  array: 9,
  object: 10,
  map: 11,
  set: 12,
  error: 13,
  reference: 14,
} as const;

/** Typed arrays by number. Float16Array is in newer Nodes only; a side without it refuses it. */
export const viewNames: readonly string[] = [
  ...["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array"],
  ...["Uint32Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array"],
  "Float16Array",
];
