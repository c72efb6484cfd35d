/** Cuts the groups of a matrix into pieces that fit into scratch memory and stay in the cache. */

/** Whole groups, or a part of one. */
export interface Piece {
  readonly firstGroup: number;
  readonly numGroups: number;
  /** Values a group: the group's size, or the length of the part. */
  readonly groupSize: number;
  /** Index of the first value. */
  readonly begin: number;
  /** Index behind the last value. */
  readonly end: number;
}

/** Pieces of at most `mostValues` values, in order, that cover every group. */
export function* piecesOf(
  numGroups: number,
  groupSize: number,
  mostValues: number,
): Generator<Piece> {
  if (groupSize <= mostValues) {
    const groupsAtOnce = Math.floor(mostValues / groupSize);
    for (let firstGroup = 0; firstGroup < numGroups; firstGroup += groupsAtOnce) {
      const count = Math.min(groupsAtOnce, numGroups - firstGroup);
      const begin = firstGroup * groupSize;
      yield { firstGroup, numGroups: count, groupSize, begin, end: begin + count * groupSize };
    }
    return;
  }
  for (let firstGroup = 0; firstGroup < numGroups; firstGroup++) {
    const groupEnd = (firstGroup + 1) * groupSize;
    for (let begin = firstGroup * groupSize; begin < groupEnd; begin += mostValues) {
      const end = Math.min(groupEnd, begin + mostValues);
      yield { firstGroup, numGroups: 1, groupSize: end - begin, begin, end };
    }
  }
}
