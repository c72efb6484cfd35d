/**
 * Products of matrices in float64 and float32, cut into parts that threads take as they come free.
 * `src/kernels/wasm/wasm-dense.ts` packs matrices and writes programs. Nothing is checked here.
 *
 * A is packed in panels of 4 rows, each a column after the other; B in panels of as many columns as 32
 * bytes hold, each a row after the other; C lies row after row. Missing rows and columns are zeros.
 */
import { awaitWork, meet, takePart } from "../forward/threads";

/** `meet` stays a function of its own, as in `../forward/interpreter.ts`. */
export { awaitWork, meet };

/** Rows of a panel of A, and bytes of a row of a panel of B. */
const panelRows: i32 = 4;
const panelBytes: usize = 32;

/** Returns whether all threads came to the program's end. */
export function run(
  program: usize,
  control: usize,
  _work: usize,
  _thread: i32,
  numThreads: i32,
  maySleep: i32,
): bool {
  const numParts = load<i32>(program, 4);
  const isDouble = load<i32>(program, 8);
  for (let part = takePart(program); part < numParts; part = takePart(program)) {
    if (isDouble) multiplyPart<f64>(program + 12, part);
    else multiplyPart<f32>(program + 12, part);
  }
  return meet(control, numThreads, maySleep);
}

/** C += A · B over a rectangle of panels; right of the diagonal only, where asked for. */
function multiplyPart<T>(args: usize, part: i32): void {
  const A = <usize>load<u32>(args);
  const B = <usize>load<u32>(args, 4);
  const C = <usize>load<u32>(args, 8);
  const inner = load<i32>(args, 12);
  const rowPanels = load<i32>(args, 16);
  const colPanels = load<i32>(args, 20);
  const rowBytes = <usize>load<u32>(args, 24);
  const upperOnly = load<i32>(args, 28);
  const perPartRows = load<i32>(args, 32);
  const perPartCols = load<i32>(args, 36);
  const colParts = (colPanels + perPartCols - 1) / perPartCols;
  const firstRow = (part / colParts) * perPartRows;
  const endRow = min(rowPanels, firstRow + perPartRows);
  const firstCol = (part % colParts) * perPartCols;
  const endCol = min(colPanels, firstCol + perPartCols);
  const panelCols = <i32>(panelBytes / sizeof<T>());
  const bytesA = <usize>(inner * panelRows) * sizeof<T>();
  const bytesB = <usize>inner * panelBytes;
  for (let col = firstCol; col < endCol; col++) {
    for (let row = firstRow; row < endRow; row++) {
      if (upperOnly && (col + 1) * panelCols <= row * panelRows) break;
      multiplyTile<T>(
        A + <usize>row * bytesA,
        B + <usize>col * bytesB,
        C + <usize>(row * panelRows) * rowBytes + <usize>col * panelBytes,
        inner,
        rowBytes,
      );
    }
  }
}

/** C [4, 32 bytes] += A panel · B panel. */
function multiplyTile<T>(A: usize, B: usize, C: usize, inner: i32, rowBytes: usize): void {
  let c00 = f64x2.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  for (const end = B + <usize>inner * panelBytes; B < end; B += panelBytes) {
    const b0 = v128.load(B);
    const b1 = v128.load(B, 16);
    let a = splat<T>(A);
    c00 = madd<T>(a, b0, c00);
    c01 = madd<T>(a, b1, c01);
    a = splat<T>(A + sizeof<T>());
    c10 = madd<T>(a, b0, c10);
    c11 = madd<T>(a, b1, c11);
    a = splat<T>(A + 2 * sizeof<T>());
    c20 = madd<T>(a, b0, c20);
    c21 = madd<T>(a, b1, c21);
    a = splat<T>(A + 3 * sizeof<T>());
    c30 = madd<T>(a, b0, c30);
    c31 = madd<T>(a, b1, c31);
    A += 4 * sizeof<T>();
  }
  addTo<T>(C, c00, c01);
  addTo<T>(C + rowBytes, c10, c11);
  addTo<T>(C + 2 * rowBytes, c20, c21);
  addTo<T>(C + 3 * rowBytes, c30, c31);
}

@inline
function splat<T>(at: usize): v128 {
  return sizeof<T>() == 8 ? v128.load64_splat(at) : v128.load32_splat(at);
}

@inline
function addTo<T>(at: usize, low: v128, high: v128): void {
  v128.store(at, v128.add<T>(v128.load(at), low));
  v128.store(at, v128.add<T>(v128.load(at, 16), high), 16);
}

/** a · b + c, rounded once or twice. RELAXED, a constant of the build, says what the engine has. */
@inline
function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (RELAXED) return v128.relaxed_madd<T>(a, b, c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}
