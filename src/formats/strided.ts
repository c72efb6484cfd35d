/** The order in which a tensor's values lie in memory. Strides count values, not bytes. */

/** The strides of C order: the last dimension is contiguous. */
export function cStrides(shape: readonly number[]): number[] {
  return fortranStrides([...shape].reverse()).reverse();
}

/** The strides of Fortran order: the first dimension is contiguous. */
export function fortranStrides(shape: readonly number[]): number[] {
  let stride = 1;
  return shape.map((size) => {
    const own = stride;
    stride *= size;
    return own;
  });
}

/** True where values of these strides already lie in C order; a dimension of 1 has any stride. */
export function isCOrder(shape: readonly number[], strides: readonly number[]): boolean {
  const wanted = cStrides(shape);
  return shape.every((size, d) => size === 1 || strides[d] === wanted[d]);
}

/** The values of a tensor `shape` in C order, gathered from `values` by `strides`. */
export function toCOrder(
  values: Float32Array<ArrayBuffer>,
  shape: readonly number[],
  strides: readonly number[],
): Float32Array<ArrayBuffer> {
  if (isCOrder(shape, strides)) return values;
  const ordered = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < ordered.length; to++) {
    ordered[to] = values[from]!;
    for (let d = shape.length - 1; d >= 0; d--) {
      from += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      from -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return ordered;
}
