/** Places in a cell: Jupyter counts Unicode code points, JavaScript UTF-16 units. */

/** The UTF-16 offset of the code point at `position`, which may lie past the end. */
export function unitOffset(text: string, position: number): number {
  return Array.from(text).slice(0, Math.max(0, position)).join("").length;
}

/** The number of code points before the UTF-16 offset. */
export function codePointPosition(text: string, offset: number): number {
  return Array.from(text.slice(0, Math.max(0, offset))).length;
}
