/**
 * Compares an answer with what was expected and says where they first differ, as a sentence. Not an
 * assertion: `graded-test.ts` throws.
 */
import { inspect } from "node:util";

/** Decides whether two leaves of an answer are equal. */
export type LeafTest = (got: unknown, want: unknown) => boolean;

/** Equal bit for bit, except that any NaN equals any other. */
export const same: LeafTest = (got, want) => Object.is(got, want);

/** Equal as numbers: −0 equals 0. */
export const equal: LeafTest = (got, want) => got === want || Object.is(got, want);

/** Within `tolerance · max(1, |want|)`; infinities and NaN only equal themselves. */
export function close(tolerance: number): LeafTest {
  return (got, want) => {
    if (equal(got, want)) return true;
    if (typeof got !== "number" || typeof want !== "number") return false;
    return Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want));
  };
}

/**
 * The first place where `got` is not `want`, as a sentence about `label`, or null. Lists must agree
 * in length and, where `kinds` is set, in kind (an Int8Array is not an Array).
 */
export function difference(
  got: unknown,
  want: unknown,
  label: string,
  leaf: LeafTest,
  kinds: boolean,
): string | null {
  const found = firstDifference(got, want, "", { leaf, kinds });
  if (!found) return null;
  const element = /^\[(\d+)\]$/.exec(found.path)?.[1];
  const place = element === undefined ? found.path.replace(/^\./, "") : `element ${element}`;
  return `${label}${place === "" ? "" : `: ${place}`} ${found.predicate}`;
}

interface Difference {
  /** From the answer to the place: empty, `[3]`, `.q[3]`. */
  readonly path: string;
  readonly predicate: string;
}

interface Rules {
  readonly leaf: LeafTest;
  readonly kinds: boolean;
}

function firstDifference(
  got: unknown,
  want: unknown,
  path: string,
  rules: Rules,
): Difference | null {
  if (isList(want) && isList(got)) return listDifference(got, want, path, rules);
  if (want instanceof Map && got instanceof Map) return mapDifference(got, want, path, rules);
  if (want instanceof Set && got instanceof Set) return setDifference(got, want, path);
  if (isRecord(want) && isRecord(got)) return recordDifference(got, want, path, rules);
  if (!isContainer(want) && rules.leaf(got, want)) return null;
  return { path, predicate: `is ${brief(got)}, expected ${brief(want)}` };
}

function listDifference(got: List, want: List, path: string, rules: Rules): Difference | null {
  if (rules.kinds && kindOf(got) !== kindOf(want)) {
    return { path, predicate: `is ${article(kindOf(got))}, expected ${article(kindOf(want))}` };
  }
  for (let i = 0; i < Math.min(got.length, want.length); i++) {
    const found = firstDifference(got[i], want[i], `${path}[${i}]`, rules);
    if (found) return found;
  }
  if (got.length === want.length) return null;
  return { path, predicate: `has ${got.length} elements, expected ${want.length}` };
}

type AnyMap = ReadonlyMap<unknown, unknown>;

function mapDifference(got: AnyMap, want: AnyMap, path: string, rules: Rules): Difference | null {
  for (const [key, value] of want) {
    if (!got.has(key)) return { path, predicate: `has no key ${brief(key)}` };
    const found = firstDifference(got.get(key), value, `${path}.get(${brief(key)})`, rules);
    if (found) return found;
  }
  if (got.size === want.size) return null;
  const extra = [...got.keys()].find((key) => !want.has(key));
  return { path, predicate: `has a key ${brief(extra)}, which was not expected` };
}

type AnySet = ReadonlySet<unknown>;

function setDifference(got: AnySet, want: AnySet, path: string): Difference | null {
  for (const value of want)
    if (!got.has(value)) return { path, predicate: `lacks ${brief(value)}` };
  if (got.size === want.size) return null;
  const extra = [...got].find((value) => !want.has(value));
  return { path, predicate: `holds ${brief(extra)}, which was not expected` };
}

type AnyRecord = Readonly<Record<string, unknown>>;

function recordDifference(
  got: AnyRecord,
  want: AnyRecord,
  path: string,
  rules: Rules,
): Difference | null {
  for (const key of Object.keys(want)) {
    if (!Object.hasOwn(got, key)) return { path, predicate: `has no ${key}` };
    const found = firstDifference(got[key], want[key], `${path}.${key}`, rules);
    if (found) return found;
  }
  const extra = Object.keys(got).find((key) => !Object.hasOwn(want, key));
  return extra === undefined
    ? null
    : { path, predicate: `has a member ${extra}, which was not expected` };
}

type List = ArrayLike<unknown>;

/** Whether `value` is an array or a typed array. */
export function isList(value: unknown): value is List {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function isContainer(value: unknown): boolean {
  return typeof value === "object" && value !== null && !(value instanceof Error);
}

function isRecord(value: unknown): value is AnyRecord {
  const special = value instanceof Map || value instanceof Set;
  return isContainer(value) && !isList(value) && !special;
}

function kindOf(list: List): string {
  return Object.prototype.toString.call(list).slice("[object ".length, -1);
}

function article(kind: string): string {
  return /^[AEIO]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}

/** `value` on one line, short enough for a sentence. */
export function brief(value: unknown): string {
  const text = inspect(value, {
    depth: 2,
    maxArrayLength: 8,
    maxStringLength: 80,
    breakLength: Infinity,
  });
  return text.length > 160 ? `${text.slice(0, 159)}…` : text;
}
