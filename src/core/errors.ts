/**
 * The two errors that are meant for the person at the keyboard. A command prints their message as
 * one sentence and exits; every other error is a defect of ours and keeps its stack.
 */

/** A file, tensor, value or submission that cannot be used as it is. Commands exit with 1. */
export class InputError extends Error {
  override readonly name: string = "InputError";
}

/** A command or function that was asked in a way it does not understand. Commands exit with 2. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/**
 * The candidates that `wanted` was most likely meant to be, nearest first, for error messages.
 * Edit distance (Levenshtein), with names that contain the wanted text ranked before the rest.
 */
export function nearestNames(wanted: string, candidates: readonly string[], most = 3): string[] {
  const rank = (name: string): number =>
    name.includes(wanted) || wanted.includes(name) ? 0 : editDistance(wanted, name);
  return [...candidates].sort((a, b) => rank(a) - rank(b)).slice(0, most);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
