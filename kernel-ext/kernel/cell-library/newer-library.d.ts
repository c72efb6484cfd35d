/** ES2023's copying array methods, which Node has and the library of TypeScript 5.0 does not know. */

interface ReadonlyArray<T> {
  /** A reversed copy. */
  toReversed(): T[];
  /** A sorted copy. */
  toSorted(compare?: (a: T, b: T) => number): T[];
  /** A copy with some elements removed, replaced or added. */
  toSpliced(start: number, deleteCount?: number, ...items: T[]): T[];
  /** A copy with one element replaced. */
  with(index: number, value: T): T[];
}

interface Array<T> {
  /** A reversed copy. */
  toReversed(): T[];
  /** A sorted copy. */
  toSorted(compare?: (a: T, b: T) => number): T[];
  /** A copy with some elements removed, replaced or added. */
  toSpliced(start: number, deleteCount?: number, ...items: T[]): T[];
  /** A copy with one element replaced. */
  with(index: number, value: T): T[];
}

/** The copying methods of a typed array. */
interface CopyingMethods<Self, Element> {
  toReversed(): Self;
  toSorted(compare?: (a: Element, b: Element) => number): Self;
  with(index: number, value: Element): Self;
}

interface Int8Array extends CopyingMethods<Int8Array, number> {}
interface Uint8Array extends CopyingMethods<Uint8Array, number> {}
interface Uint8ClampedArray extends CopyingMethods<Uint8ClampedArray, number> {}
interface Int16Array extends CopyingMethods<Int16Array, number> {}
interface Uint16Array extends CopyingMethods<Uint16Array, number> {}
interface Int32Array extends CopyingMethods<Int32Array, number> {}
interface Uint32Array extends CopyingMethods<Uint32Array, number> {}
interface Float32Array extends CopyingMethods<Float32Array, number> {}
interface Float64Array extends CopyingMethods<Float64Array, number> {}
interface BigInt64Array extends CopyingMethods<BigInt64Array, bigint> {}
interface BigUint64Array extends CopyingMethods<BigUint64Array, bigint> {}
