/** Gives an object the content of another while it stays the same object. */
import { CodecError } from "./value-format.ts";

/**
 * Makes `original` (a typed array, array, plain object, map or set of ours) hold what `changed`, a
 * decoded value that may be hostile, holds. Containers inside stay the same objects where both
 * sides have one. Throws CodecError where the kinds, or the lengths of typed arrays, differ.
 */
export function copyInto(original: unknown, changed: unknown): void {
  if (Array.isArray(original) && Array.isArray(changed)) copyArray(original, changed);
  else if (ArrayBuffer.isView(original) && ArrayBuffer.isView(changed)) copyView(original, changed);
  else if (original instanceof Map && changed instanceof Map) copyMap(original, changed);
  else if (original instanceof Set && changed instanceof Set) copySet(original, changed);
  else if (isPlain(original) && isPlain(changed)) copyRecord(original, changed);
  else throw new CodecError("an argument that was changed into another kind of value");
}

function copyArray(original: unknown[], changed: unknown[]): void {
  original.length = changed.length;
  for (let i = 0; i < changed.length; i++) original[i] = merged(original[i], changed[i]);
}

function copyView(original: ArrayBufferView, changed: ArrayBufferView): void {
  if (kindOf(original) !== kindOf(changed) || original.byteLength !== changed.byteLength) {
    throw new CodecError("an argument whose kind or length was changed");
  }
  bytesOf(original).set(bytesOf(changed));
}

function copyMap(original: Map<unknown, unknown>, changed: Map<unknown, unknown>): void {
  const before = new Map(original);
  original.clear();
  for (const [key, value] of changed) original.set(key, merged(before.get(key), value));
}

function copySet(original: Set<unknown>, changed: Set<unknown>): void {
  original.clear();
  for (const value of changed) original.add(value);
}

function copyRecord(original: Record<string, unknown>, changed: Record<string, unknown>): void {
  for (const key of Object.keys(original)) {
    if (!Object.hasOwn(changed, key)) Reflect.deleteProperty(original, key);
  }
  for (const key of Object.keys(changed)) {
    const value = merged(Object.hasOwn(original, key) ? original[key] : undefined, changed[key]);
    Object.defineProperty(original, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}

/** `original` with the content of `changed` where it can hold it, else `changed`. */
function merged(original: unknown, changed: unknown): unknown {
  const mergeable =
    (Array.isArray(original) && Array.isArray(changed)) ||
    (isPlain(original) && isPlain(changed)) ||
    (ArrayBuffer.isView(original) &&
      ArrayBuffer.isView(changed) &&
      kindOf(original) === kindOf(changed) &&
      original.byteLength === changed.byteLength);
  if (!mergeable) return changed;
  copyInto(original, changed);
  return original;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function kindOf(view: ArrayBufferView): string {
  return Object.prototype.toString.call(view);
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
