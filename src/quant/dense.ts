/**
 * The dense linear algebra that data-aware quantisers need, in float64: one matrix product, a
 * Cholesky factor and a triangular inverse, both made of products of blocks so that a faster product
 * speeds up all of it. Not a library of linear algebra.
 */

/**
 * A pivot is what of a column the earlier ones do not explain, as a part of its square. Below this it
 * may be nothing but the rounding of others that are nearly explained as well. Damping by a part d of
 * the mean diagonal keeps pivots above d/n, far from here.
 */
const leastPivot = 1e-8;

/** A matrix inside an array: element (i, j) is `data[at + i · rowStride + j · columnStride]`. */
export interface MatrixView {
  readonly data: Float64Array;
  readonly at: number;
  readonly rowStride: number;
  /** 1 unless given. */
  readonly columnStride?: number;
}

/** Rows, inner length and columns of a product. */
export type ProductShape = readonly [m: number, k: number, n: number];

/** C [m, n] += factor · A [m, k] · B [k, n]. The columns of C and B have a stride of 1. */
export type AddProduct = (
  C: MatrixView,
  factor: number,
  A: MatrixView,
  B: MatrixView,
  shape: ProductShape,
) => void;

/**
 * H [cols, cols] += factor · XᵀX for X [any, cols], where it matters: on the diagonal and right of it.
 */
export type AddGram = (H: Float64Array, factor: number, X: Float32Array, cols: number) => void;

/** The two products that quantising spends its time in. */
export interface DenseAlgebra {
  readonly product: AddProduct;
  readonly addGram: AddGram;
}

/** The part of B that is used at once, [64, 512], fits into a second-level cache. */
const tileColumns = 512;
const tileRows = 64;

/** Rows that a factorisation or an inversion does at once. */
const blockRows = 64;

/** The product in plain TypeScript: two rows of C and four of B at a time. */
export const addProduct: AddProduct = (C, factor, A, B, [m, k, n]) => {
  const { columnStride = 1 } = A;
  for (let column = 0; column < n; column += tileColumns) {
    for (let row = 0; row < k; row += tileRows) {
      addTile(
        { ...C, at: C.at + column },
        factor,
        { ...A, at: A.at + row * columnStride },
        { ...B, at: B.at + row * B.rowStride + column },
        [m, Math.min(tileRows, k - row), Math.min(tileColumns, n - column)],
      );
    }
  }
};

const addTile: AddProduct = (C, factor, A, B, [m, k, n]) => {
  const { columnStride: step = 1, rowStride, data } = A;
  for (let i = 0; i < m; i += 2) {
    const c = C.at + i * C.rowStride;
    const a = A.at + i * rowStride;
    let done = 0;
    for (; i + 1 < m && done + 3 < k; done += 4) {
      const at = a + done * step;
      const b = B.at + done * B.rowStride;
      addFourRowsTwice(C.data, c, C.rowStride, factor, data, at, rowStride, step, B, b, n);
    }
    for (; done < k; done++) {
      const at = a + done * step;
      const b = B.at + done * B.rowStride;
      addRow(C.data, c, factor * data[at]!, B.data, b, n);
      if (i + 1 < m) addRow(C.data, c + C.rowStride, factor * data[at + rowStride]!, B.data, b, n);
    }
  }
};

function addFourRowsTwice(
  C: Float64Array,
  c0: number,
  cStride: number,
  factor: number,
  A: Float64Array,
  a: number,
  aStride: number,
  step: number,
  B: MatrixView,
  b0: number,
  width: number,
): void {
  const { data, rowStride } = B;
  const [c1, b1, b2, b3] = [c0 + cStride, b0 + rowStride, b0 + 2 * rowStride, b0 + 3 * rowStride];
  const d = a + aStride;
  const p0 = factor * A[a]!;
  const p1 = factor * A[a + step]!;
  const p2 = factor * A[a + 2 * step]!;
  const p3 = factor * A[a + 3 * step]!;
  const q0 = factor * A[d]!;
  const q1 = factor * A[d + step]!;
  const q2 = factor * A[d + 2 * step]!;
  const q3 = factor * A[d + 3 * step]!;
  for (let j = 0; j < width; j++) {
    const x0 = data[b0 + j]!;
    const x1 = data[b1 + j]!;
    const x2 = data[b2 + j]!;
    const x3 = data[b3 + j]!;
    C[c0 + j]! += p0 * x0 + p1 * x1 + p2 * x2 + p3 * x3;
    C[c1 + j]! += q0 * x0 + q1 * x1 + q2 * x2 + q3 * x3;
  }
}

/** C[c … c + width) += factor · B[b … b + width) */
function addRow(
  C: Float64Array,
  c: number,
  factor: number,
  B: Float64Array,
  b: number,
  width: number,
): void {
  for (let j = 0; j < width; j++) C[c + j]! += factor * B[b + j]!;
}

/** Inputs that are converted to float64 at a time. */
const chunkTokens = 128;

/** `AddGram` in plain TypeScript. */
export const addGram: AddGram = (H, factor, X, cols) => {
  const numTokens = X.length / cols;
  for (let from = 0; from < numTokens; from += chunkTokens) {
    const tokens = Math.min(chunkTokens, numTokens - from);
    const data = new Float64Array(X.subarray(from * cols, (from + tokens) * cols));
    for (let i = 0; i < cols; i += blockRows) {
      addProduct(
        { data: H, at: i * cols + i, rowStride: cols },
        factor,
        { data, at: i, rowStride: 1, columnStride: cols },
        { data, at: i, rowStride: cols },
        [Math.min(blockRows, cols - i), tokens, cols - i],
      );
    }
  }
};

/** Both in plain TypeScript. */
export const plainAlgebra: DenseAlgebra = { product: addProduct, addGram };

/**
 * Replaces the upper triangle of a symmetric A [n, n] by V, upper triangular, with A = VᵀV; the
 * lower triangle is neither read nor written. False where A is not positive definite, or only
 * by its rounding errors, or not finite; A is then spoilt.
 *
 * Source: Golub and Van Loan, Matrix Computations, §4.2.
 */
export function choleskyUpper(A: Float64Array, n: number, product: AddProduct): boolean {
  const diagonal = Float64Array.from({ length: n }, (_, i) => A[i * n + i]!);
  for (let from = 0; from < n; from += blockRows) {
    const to = Math.min(n, from + blockRows);
    // Rows of the block, less what the rows above explain: A −= V[0 … from)ᵀ V[0 … from).
    product(
      { data: A, at: from * n + from, rowStride: n },
      -1,
      { data: A, at: from, rowStride: 1, columnStride: n },
      { data: A, at: from, rowStride: n },
      [to - from, from, n - from],
    );
    for (let i = from; i < to; i++) {
      for (let k = from; k < i; k++) addRow(A, i * n + i, -A[k * n + i]!, A, k * n + i, n - i);
      const pivot = A[i * n + i]!;
      if (!(pivot > leastPivot * diagonal[i]!) || pivot === Infinity) return false;
      const scale = 1 / Math.sqrt(pivot);
      for (let j = i; j < n; j++) A[i * n + j]! *= scale;
    }
  }
  return true;
}

/** The inverse of Vᵀ, lower triangular [n, n], for an upper triangular V without zeros on the diagonal. */
export function inverseOfTransposed(
  V: Float64Array,
  n: number,
  product: AddProduct,
): Float64Array<ArrayBuffer> {
  const X = new Float64Array(n * n);
  for (let from = 0; from < n; from += blockRows) {
    const to = Math.min(n, from + blockRows);
    product(
      { data: X, at: from * n, rowStride: n },
      -1,
      { data: V, at: from, rowStride: 1, columnStride: n },
      { data: X, at: 0, rowStride: n },
      [to - from, from, from],
    );
    for (let i = from; i < to; i++) {
      X[i * n + i] = 1;
      for (let k = from; k < i; k++) addRow(X, i * n, -V[k * n + i]!, X, k * n, k + 1);
      const scale = 1 / V[i * n + i]!;
      for (let j = 0; j <= i; j++) X[i * n + j]! *= scale;
    }
  }
  return X;
}
