/** Which of several compromises nothing else beats. */

/**
 * The items that no other is at least as good as in both `costs` and better in one, in their order.
 * Less is better.
 */
export function paretoFront<T>(
  items: readonly T[],
  costs: (item: T) => readonly [number, number],
): T[] {
  const all = items.map(costs);
  return items.filter((_, i) => {
    const [x, y] = all[i]!;
    return !all.some(
      ([otherX, otherY]) => otherX <= x && otherY <= y && (otherX < x || otherY < y),
    );
  });
}
