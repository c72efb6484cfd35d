/**
 * Kernels that tfjs's wasm backend lacks or runs slowly, registered with it under tfjs's own names, so
 * that autograd finds them: products with a transposed or batched side, which it computes ten times
 * slower than plain ones, and the sum over segments, which the gradient of a look-up needs. This is
 * the one place where another matrix product is put under everything that trains.
 */
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { numElements } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import type { Tfjs } from "./backend.ts";

/** A product's sizes: op(a) is [numRows, numInner] and op(b) [numInner, numCols]. */
export interface ProductShape {
  readonly numRows: number;
  readonly numInner: number;
  readonly numCols: number;
  /** a is stored as [numInner, numRows]. */
  readonly transposeA: boolean;
  /** b is stored as [numCols, numInner]. */
  readonly transposeB: boolean;
}

/** out = op(a) · op(b), row after row, over the memory of the backend. */
export type MatrixProduct = (
  a: Float32Array,
  b: Float32Array,
  out: Float32Array,
  shape: ProductShape,
) => void;

interface KernelCall {
  readonly inputs: NamedTensorInfoMap;
  readonly backend: BackendWasm;
  readonly attrs: NamedAttrMap;
}

/** Products of one shape; sizes and strides are counts of values. */
interface Batch extends ProductShape {
  readonly numBatches: number;
  readonly sizeA: number;
  readonly sizeB: number;
  readonly sizeOut: number;
  /** From one matrix to the next; 0 where all share one. */
  readonly strideA: number;
  readonly strideB: number;
  readonly outShape: number[];
}

/** Rows and columns of a square that a core's nearest cache holds twice. */
const transposeTile = 32;

/**
 * Replaces the wasm backend's product and adds what it lacks; may be called again, with another
 * product. Without one, each product goes through the backend's own kernel, brought into the form that
 * it computes fast.
 */
export function registerWasmKernels(tf: Tfjs, product?: MatrixProduct): void {
  const plainProduct = keptProduct(tf);
  replaceKernel(tf, "BatchMatMul", (call) =>
    product ? productOfViews(call, product) : productOfPlainParts(call, plainProduct),
  );
  replaceKernel(tf, "UnsortedSegmentSum", segmentSum);
}

/** The backend's own product, kept in tfjs's registry under another name once it is replaced. */
function keptProduct(tf: Tfjs): (call: KernelCall) => TensorInfo {
  const keptName = "BatchMatMulOfBackend";
  const registered = tf.getKernelsForBackend("wasm");
  let config = registered.find(({ kernelName }) => kernelName === keptName);
  if (!config) {
    config = { ...tf.getKernel("BatchMatMul", "wasm"), kernelName: keptName };
    tf.registerKernel(config);
  }
  const { kernelFunc } = config;
  return (call) => kernelFunc(call) as TensorInfo;
}

function replaceKernel(tf: Tfjs, kernelName: string, run: (call: KernelCall) => TensorInfo): void {
  const registered = tf.getKernelsForBackend("wasm");
  if (registered.some((config) => config.kernelName === kernelName)) {
    tf.unregisterKernel(kernelName, "wasm");
  }
  const kernelFunc = (call: { inputs: NamedTensorInfoMap; backend: object }): TensorInfo =>
    run(call as KernelCall);
  tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc });
}

/** Gives `product` the arrays where they lie. */
function productOfViews(call: KernelCall, product: MatrixProduct): TensorInfo {
  const { backend, inputs } = call;
  const batch = batchOf(call);
  const out = backend.makeOutput(batch.outShape, "float32");
  const [a, b, y] = [inputs["a"]!, inputs["b"]!, out].map((info) => view(backend, info));
  const { sizeA, sizeB, sizeOut } = batch;
  for (let i = 0; i < batch.numBatches; i++) {
    const [beginA, beginB] = [i * batch.strideA, i * batch.strideB];
    product(
      a!.subarray(beginA, beginA + sizeA),
      b!.subarray(beginB, beginB + sizeB),
      y!.subarray(i * sizeOut, (i + 1) * sizeOut),
      batch,
    );
  }
  return out;
}

/** One plain product after the other; what is transposed is turned round first. */
function productOfPlainParts(
  call: KernelCall,
  plainProduct: (call: KernelCall) => TensorInfo,
): TensorInfo {
  const { inputs, backend } = call;
  const batch = batchOf(call);
  const { numBatches, transposeA, transposeB, outShape, sizeOut } = batch;
  if (numBatches === 1 && !transposeA && !transposeB) return plainProduct(call);
  const { numRows, numInner, numCols } = batch;
  const out = backend.makeOutput(outShape, "float32");
  const attrs = { transposeA: false, transposeB: false };
  for (let i = 0; i < numBatches; i++) {
    const a = part(backend, inputs["a"]!, i * batch.strideA, [numRows, numInner], transposeA);
    const b = part(backend, inputs["b"]!, i * batch.strideB, [numInner, numCols], transposeB);
    const y = plainProduct({ inputs: { a, b }, backend, attrs });
    view(backend, out).set(view(backend, y), i * sizeOut);
    for (const { dataId } of [a, b, y]) backend.disposeData(dataId);
  }
  return out;
}

/** A copy of the matrix that begins at value `begin`; `shape` is that of the copy. */
function part(
  backend: BackendWasm,
  from: TensorInfo,
  begin: number,
  shape: [number, number],
  transpose: boolean,
): TensorInfo {
  const copy = backend.makeOutput(shape, "float32");
  // Only now: making room may move the backend's memory.
  const values = view(backend, from).subarray(begin, begin + shape[0] * shape[1]);
  const out = view(backend, copy);
  if (transpose) transposeInto(values, shape[1], shape[0], out);
  else out.set(values);
  return copy;
}

/** out [numCols, numRows] = the transpose of values [numRows, numCols]. */
function transposeInto(
  values: Float32Array,
  numRows: number,
  numCols: number,
  out: Float32Array,
): void {
  for (let top = 0; top < numRows; top += transposeTile) {
    const bottom = Math.min(numRows, top + transposeTile);
    for (let left = 0; left < numCols; left += transposeTile) {
      const right = Math.min(numCols, left + transposeTile);
      for (let col = left; col < right; col++) {
        for (let row = top; row < bottom; row++) {
          out[col * numRows + row] = values[row * numCols + col]!;
        }
      }
    }
  }
}

function batchOf({ inputs, attrs }: KernelCall): Batch {
  const a = inputs["a"]!.shape;
  const b = inputs["b"]!.shape;
  const transposeA = attrs["transposeA"] === true;
  const transposeB = attrs["transposeB"] === true;
  const [heightA, widthA] = a.slice(-2) as [number, number];
  const [heightB, widthB] = b.slice(-2) as [number, number];
  const numRows = transposeA ? widthA : heightA;
  const numInner = transposeA ? heightA : widthA;
  const numCols = transposeB ? heightB : widthB;
  const [outerA, outerB] = [a.slice(0, -2), b.slice(0, -2)];
  const [batchesA, batchesB] = [numElements(outerA), numElements(outerB)];
  const numBatches = Math.max(batchesA, batchesB);
  const isOneOrAll = [batchesA, batchesB].every((count) => count === 1 || count === numBatches);
  if (numInner !== (transposeB ? widthB : heightB) || !isOneOrAll) {
    throw new InputError(`Matrices [${a.join()}] and [${b.join()}] have no product here.`);
  }
  const [sizeA, sizeB, sizeOut] = [numRows * numInner, numInner * numCols, numRows * numCols];
  return {
    ...{ numRows, numInner, numCols, transposeA, transposeB, numBatches, sizeA, sizeB, sizeOut },
    strideA: batchesA === 1 ? 0 : sizeA,
    strideB: batchesB === 1 ? 0 : sizeB,
    outShape: [...(batchesA < batchesB ? outerB : outerA), numRows, numCols],
  };
}

/** out[segmentIds[i]] += x[i], in the order of i; ids that are no segment are left out. */
function segmentSum({ inputs, backend, attrs }: KernelCall): TensorInfo {
  const [x, segmentIds] = [inputs["x"]!, inputs["segmentIds"]!];
  const numSegments = attrs["numSegments"] as number;
  const width = numElements(x.shape) / segmentIds.shape[0]!;
  const out = backend.makeOutput([numSegments, ...x.shape.slice(1)], "float32");
  const [rows, sums] = [view(backend, x), view(backend, out).fill(0)];
  for (const [i, id] of backend.typedArrayFromHeap(segmentIds).entries()) {
    if (id < 0 || id >= numSegments) continue;
    for (let col = 0; col < width; col++) {
      sums[id * width + col]! += rows[i * width + col]!;
    }
  }
  return out;
}

function view(backend: BackendWasm, info: TensorInfo): Float32Array {
  if (info.dtype === "float32") return backend.typedArrayFromHeap(info) as Float32Array;
  throw new InputError(`This kernel computes float32, and was given ${info.dtype}.`);
}
