import type { Tensor, Tensor3D } from "@tensorflow/tfjs";
import { expect } from "chai";
import { normal, randomInt, seededRng } from "../core/rng.ts";
import { chooseBackend, type Tfjs } from "./backend.ts";
import { registerWasmKernels, type MatrixProduct } from "./wasm-kernels.ts";

/** Plain loops in float64, rounded once. */
const plainLoops: MatrixProduct = (a, b, out, shape) => {
  const { numRows, numInner, numCols, transposeA, transposeB } = shape;
  for (let row = 0; row < numRows; row++) {
    for (let col = 0; col < numCols; col++) {
      let sum = 0;
      for (let k = 0; k < numInner; k++) {
        const left = transposeA ? a[k * numRows + row]! : a[row * numInner + k]!;
        const right = transposeB ? b[col * numInner + k]! : b[k * numCols + col]!;
        sum += left * right;
      }
      out[row * numCols + col] = sum;
    }
  }
};

/** Batches of a and b, rows, inner and columns: one and many, aligned and not. */
const shapes: readonly (readonly [number, number, number, number, number])[] = [
  [1, 1, 64, 32, 48],
  [1, 1, 1, 7, 1],
  [3, 3, 33, 65, 17],
  [4, 1, 5, 40, 3],
  [1, 2, 35, 3, 66],
];

describe("the kernels of the wasm backend", () => {
  let tf: Tfjs;

  before(async () => {
    ({ tf } = await chooseBackend({ device: "wasm" }));
  });

  afterEach(() => {
    registerWasmKernels(tf);
  });

  for (const [batchesA, batchesB, numRows, numInner, numCols] of shapes) {
    for (const [transposeA, transposeB] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      const name = `[${batchesA}, ${numRows}, ${numInner}] · [${batchesB}, ${numInner}, ${numCols}], ${transposeA ? "" : "not "}transposed and ${transposeB ? "" : "not "}transposed`;
      it(`multiplies ${name}, by the backend's own product and by another`, () => {
        const rng = seededRng(5);
        const random = (...shape: [number, number, number]): Tensor3D =>
          tf.tensor3d(
            Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => normal(rng)),
            shape,
          );
        const a = transposeA
          ? random(batchesA, numInner, numRows)
          : random(batchesA, numRows, numInner);
        const b = transposeB
          ? random(batchesB, numCols, numInner)
          : random(batchesB, numInner, numCols);
        registerWasmKernels(tf);
        const own = tf.matMul<Tensor>(a, b, transposeA, transposeB);
        registerWasmKernels(tf, plainLoops);
        const other = tf.matMul<Tensor>(a, b, transposeA, transposeB);
        expect(own.shape).to.deep.equal([Math.max(batchesA, batchesB), numRows, numCols]);
        expect(other.shape).to.deep.equal(own.shape);
        const [found, wanted] = [own.dataSync(), other.dataSync()];
        // Entries are sums of numInner products of size 1, each rounded once and the sums as often.
        for (const [i, value] of wanted.entries()) {
          expect(found[i]).to.be.closeTo(value, 2 ** -24 * numInner * 8);
        }
        tf.dispose([a, b, own, other]);
      });
    }
  }

  it("takes the product that was registered last", () => {
    let numCalls = 0;
    registerWasmKernels(tf, (a, b, out, shape) => {
      numCalls++;
      plainLoops(a, b, out, shape);
    });
    tf.tidy(() => tf.matMul<Tensor>(tf.ones([4, 2, 3]), tf.ones([4, 3, 2])));
    expect(numCalls).to.equal(4);
    registerWasmKernels(tf);
    tf.tidy(() => tf.matMul<Tensor>(tf.ones([2, 3]), tf.ones([3, 2])));
    expect(numCalls).to.equal(4);
  });

  it("sums rows by segment, and leaves out what is no segment", () => {
    const rng = seededRng(6);
    const [numRows, width, numSegments] = [40, 3, 7];
    const ids = Int32Array.from({ length: numRows }, () => randomInt(rng, numSegments + 2) - 1);
    const rows = Float32Array.from({ length: numRows * width }, () => randomInt(rng, 100));
    const wanted = new Float32Array(numSegments * width);
    for (const [i, value] of rows.entries()) {
      const id = ids[Math.floor(i / width)]!;
      if (id >= 0 && id < numSegments) wanted[id * width + (i % width)]! += value;
    }
    const found = tf.tidy(() =>
      tf
        .unsortedSegmentSum(
          tf.tensor2d(rows, [numRows, width]),
          tf.tensor1d(ids, "int32"),
          numSegments,
        )
        .dataSync(),
    );
    expect(found).to.deep.equal(wanted);
  });

  it("leaves no tensors behind", () => {
    const before = tf.memory().numTensors;
    const backend = tf.backend() as unknown as { numDataIds(): number };
    const dataBefore = backend.numDataIds();
    tf.tidy(() =>
      tf.matMul<Tensor>(tf.ones([3, 4, 5]), tf.ones([3, 6, 5]), false, true).dataSync(),
    );
    expect(tf.memory().numTensors).to.equal(before);
    expect(backend.numDataIds()).to.equal(dataBefore);
  });
});
