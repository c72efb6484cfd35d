/**
 * The WebGPU kernels on whatever adapter this machine has: the suite of all forward kernels, with the
 * optional features of WebGPU and without; what is theirs alone; and a real model.
 */
import { expect } from "chai";
import { readFileSync } from "node:fs";
import { InputError } from "../core/errors.ts";
import { describeForwardKernels } from "../kernels/forward-conformance.testing.ts";
import { normal, seededRng } from "../core/rng.ts";
import { openGgufFile } from "../corpus/files.ts";
import { littleEndianBytes } from "../formats/plain-values.ts";
import type { Activations, ForwardKernels, StoredRows } from "../kernels/forward-kernels.ts";
import type { FunctionPrecision } from "../kernels/kernel-judge.testing.ts";
import { kvDtypes } from "../kernels/kv-rows.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { forward, loadLlama, prefill, type Llama } from "../model/llama.ts";
import { quantizeBlocks, type QuantizableDtype } from "../quant/blocks/quantize.ts";
import { notRunOutsideCi, outsideData, rejection } from "../testing.ts";
import {
  openGpuDevice,
  openWebGpuForward,
  readShaders,
  type OpenedWebGpu,
  type OpenWebGpuOptions,
} from "./open-webgpu-forward.ts";

/** A unit in the last place, at its largest beside the number. */
const ulp = 2 ** -23;

/** What WGSL's specification allows: "Floating point accuracy"; a square root is 1 / inverseSqrt. */
const wgsl: FunctionPrecision = {
  exp: (x) => (3 + 2 * Math.abs(x)) * ulp + Math.abs(x) * (ulp / 2),
  divide: 2.5 * ulp,
  sqrt: (2 + 2.5) * ulp,
  flushesSubnormals: true,
};

async function open(
  test: Mocha.Context,
  options: Omit<OpenWebGpuOptions, "allowSoftware"> = {},
): Promise<OpenedWebGpu> {
  try {
    // What is computed counts here, not how fast.
    return await openWebGpuForward({ allowSoftware: true, ...options });
  } catch (error) {
    if (error instanceof InputError) return notRunOutsideCi(test, error.message);
    throw error;
  }
}

const noFeatures = { subgroups: false, halves: false };

describeForwardKernels("webgpu", open, wgsl);
describeForwardKernels(
  "webgpu without its optional features",
  (test) => open(test, { features: noFeatures }),
  wgsl,
);

describe("webgpu", () => {
  const rng = seededRng(3);
  let opened: OpenedWebGpu | undefined;
  /** Opened once, for the tests that need nothing special. */
  const shared = async (test: Mocha.Context): Promise<OpenedWebGpu> =>
    (opened ??= await open(test));
  after(() => opened?.close());

  const randoms = (length: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length }, () => normal(rng));

  it("reads shaders that are valid WGSL, every file by itself", async function () {
    await shared(this);
    const { device } = await openGpuDevice(true);
    for (const [name, code] of Object.entries(await readShaders())) {
      const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
      expect(
        messages.map(({ message }) => message),
        name,
      ).to.deep.equal([]);
    }
    device.destroy();
  });

  it("computes the same with tensors in parts as with whole ones", async function () {
    const whole = await shared(this);
    const inParts = await open(this, { maxBindingBytes: 8192 });
    for (const dtype of ["F32", "Q4_0", "Q6_K"] as const) {
      const stored = storedRows(dtype, 67, 256, randoms(67 * 256));
      for (const n of [1, 7]) {
        const X = randoms(n * 256);
        const [expected, found] = await Promise.all(
          [whole, inParts].map((kernels) => lookUpAndMultiply(kernels, stored, X)),
        );
        expect(found).to.deep.equal(expected);
      }
    }
    await inParts.close();
  });

  it("agrees with the reference beyond one workgroup's tiles", async function () {
    const kernels = await shared(this);
    const wide = storedRows("Q4_K", 131, 1024, randoms(131 * 1024));
    const [X, weight] = [randoms(70 * 1024), randoms(1024)];
    const [Q, K] = [randoms(3 * 128), randoms(700 * 64)];
    const slots = Int32Array.from({ length: 601 }, (_, t) => (t * 3) % 700);
    const run = async (kernels: ForwardKernels): Promise<Float32Array[]> => {
      const x = filled(kernels, 70, 1024, X);
      const product = kernels.allocate(70, 131);
      kernels.matmul(x, await kernels.loadMatrix({ ...wide, bytes: wide.bytes.slice() }), product);
      const normed = kernels.allocate(70, 1024);
      kernels.rmsNorm(x, filled(kernels, 1, 1024, weight), 1e-5, normed);
      kernels.softmax(x);
      const queries = filled(kernels, 3, 128, Q);
      const attended = kvDtypes.map((dtype) => {
        const keys = kernels.allocateKv(700, 64, dtype);
        const all = Int32Array.from({ length: 700 }, (_, row) => row);
        kernels.restoreRows(keys, all, storedRows(dtype, 700, 64, K).bytes);
        const out = kernels.allocate(3, 128);
        kernels.attention({ queries, keys, values: keys, slots, headDim: 32, scale: 0.3 }, out);
        return out;
      });
      return Promise.all([product, normed, x, ...attended].map((result) => kernels.read(result)));
    };
    const [expected, found] = [await run(referenceForward), await run(kernels)];
    // Sums of 1024 products of numbers of about 1, with random errors (Higham and Mary, 2019); of numbers
    // below 5; of powers that make 1 together; and means of numbers below 5 over scores below 20.
    const product = (Math.sqrt(1024) * 1024 * ulp) / 2;
    const tolerances = [
      product,
      5 * 520 * ulp,
      wgsl.exp(10),
      ...kvDtypes.map(() => 5 * wgsl.exp(40)),
    ];
    expected.forEach((values, which) => {
      const most = Math.max(...values.map((value, i) => Math.abs(value - found[which]![i]!)));
      expect(most, `result ${which}`).to.be.below(tolerances[which]!);
    });
  });

  it("says what does not fit the GPU", async function () {
    const kernels = await open(this, { maxBindingBytes: 8192 });
    expect(() => kernels.allocate(65, 32)).to.throw(
      InputError,
      /Room for \[65, 32\] takes 8320 bytes, and this GPU reaches 8192/,
    );
    const wide = await rejection(kernels.loadMatrix(storedRows("F32", 1, 2080, randoms(2080))));
    expect(wide).to.be.instanceOf(InputError);
    expect(wide.message).to.match(/"w" cannot be used: a row takes 8320 bytes/);
    await kernels.close();
  });

  it("computes in place, and from rows of what it writes", async function () {
    const kernels = await shared(this);
    const [X, weight] = [randoms(4 * 40), randoms(40)];
    const run = async (K: ForwardKernels): Promise<number[]> => {
      const [x, kv] = [filled(K, 4, 40, X), filled(K, 4, 40, X)];
      K.rmsNorm(x, filled(K, 1, 40, weight), 1e-5, x);
      K.add(K.rows(x, 0, 2), K.rows(x, 2, 4));
      K.siluMultiply(K.rows(x, 1, 2), K.rows(x, 3, 4));
      K.storeRows(K.rows(x, 0, 2), Int32Array.of(3, 0), x);
      K.rope(K.rows(x, 1, 2), K.rows(x, 2, 3), { headDim: 40, pairing: "halves" });
      K.attention(
        {
          queries: x,
          keys: kv,
          values: kv,
          slots: Int32Array.of(0, 1, 2, 3),
          headDim: 8,
          scale: 1,
        },
        x,
      );
      return [...(await K.read(x))];
    };
    const [expected, found] = [await run(referenceForward), await run(kernels)];
    // Values below 16 after some ten roundings, and exponentials of less than 32 in WGSL's precision.
    found.forEach((value, i) => {
      expect(value).to.be.closeTo(expected[i]!, 16 * (10 * ulp + wgsl.exp(32)));
    });
  });

  it("keeps calls in order, however many are recorded", async function () {
    const kernels = await shared(this);
    const [x, one] = [kernels.allocate(2, 3), filled(kernels, 1, 3, Float32Array.of(1, 1, 1))];
    const pool = kernels.allocate(5000, 3);
    const written = randoms(6);
    for (let i = 0; i < 3000; i++) {
      kernels.add(x, one);
      kernels.storeRows(kernels.rows(x, 0, 1), Int32Array.of(i), pool);
    }
    kernels.write(written, x);
    const values = await kernels.read(pool);
    for (let i = 0; i < 5000; i++) expect(values[3 * i]).to.equal(i < 3000 ? i + 1 : 0);
    expect(await kernels.read(x)).to.deep.equal(written);
    const many = kernels.allocate(70_000, 1);
    kernels.storeRows(
      many,
      Int32Array.from({ length: 70_000 }, (_, i) => i),
      many,
    );
    kernels.add(many, filled(kernels, 1, 1, Float32Array.of(2)));
    expect((await kernels.read(many)).every((value) => value === 2)).to.equal(true);
  });

  it("says that a closed device computes no more", async function () {
    const kernels = await open(this);
    const x = kernels.allocate(1, 4);
    await kernels.close();
    const error = await rejection(kernels.read(x));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/closed/);
  });

  for (const format of ["f32", "f16", "q8_0", "q4_0", "q4_k_m"]) {
    it(`gives the reference's logits of a model in ${format}`, async function () {
      const path = outsideData(this, `models/stories260K-${format}.gguf`);
      const kernels = await shared(this);
      const [reference, webgpu] = [await model(path, referenceForward), await model(path, kernels)];
      const prompt = Int32Array.of(1, 403, 407, 261, 378);
      const caches = [reference, webgpu].map(
        ({ kernels, config }) => new ContiguousKvCache(kernels, config, 64),
      ) as [ContiguousKvCache, ContiguousKvCache];
      let expected = await prefill(reference, prompt, caches[0]);
      let found = await prefill(webgpu, prompt, caches[1]);
      for (let step = 0; step < 32; step++) {
        const most = Math.max(...expected.map((logit, i) => Math.abs(logit - found[i]!)));
        expect(most).to.be.below(1e-3);
        const id = Int32Array.of(likeliest(expected));
        const position = Int32Array.of(caches[0].slots.length);
        expected = await forward(reference, id, position, caches[0]);
        found = await forward(webgpu, id, position, caches[1]);
      }
    });
  }

  it("writes llama.cpp's text in F32", async function () {
    const path = outsideData(this, "models/stories260K-f32.gguf");
    const golden = JSON.parse(
      readFileSync(outsideData(this, "golden/stories260K-f32.golden.json"), "utf8"),
    ) as { readonly cases: readonly { readonly promptIds: number[]; readonly ids: number[] }[] };
    const kernels = await shared(this);
    const llama = await model(path, kernels);
    for (const { promptIds, ids } of golden.cases) {
      const cache = new ContiguousKvCache(kernels, llama.config, promptIds.length + ids.length);
      let logits = await prefill(llama, Int32Array.from(promptIds), cache);
      const found: number[] = [];
      while (found.length < ids.length) {
        found.push(likeliest(logits));
        const position = Int32Array.of(cache.slots.length);
        logits = await forward(llama, Int32Array.from(found.slice(-1)), position, cache);
      }
      expect(found).to.deep.equal(ids);
    }
  });
});

function storedRows(
  dtype: "F32" | QuantizableDtype,
  numRows: number,
  numCols: number,
  values: Float32Array,
): StoredRows {
  const bytes = dtype === "F32" ? littleEndianBytes(values, 4) : quantizeBlocks(dtype, values);
  return { name: "w", dtype, numRows, numCols, bytes: new Uint8Array(bytes) };
}

function filled(
  kernels: ForwardKernels,
  numRows: number,
  numCols: number,
  values: Float32Array,
): Activations {
  const x = kernels.allocate(numRows, numCols);
  kernels.write(values, x);
  return x;
}

async function lookUpAndMultiply(
  kernels: ForwardKernels,
  stored: StoredRows,
  X: Float32Array,
): Promise<number[]> {
  const { numRows, numCols } = stored;
  const W = await kernels.loadMatrix({ ...stored, bytes: stored.bytes.slice() });
  const n = X.length / numCols;
  const [products, rows] = [kernels.allocate(n, numRows), kernels.allocate(4, numCols)];
  kernels.matmul(filled(kernels, n, numCols, X), W, products);
  kernels.embed(W, Int32Array.of(66, 0, 8, 31), rows);
  return [...(await kernels.read(products)), ...(await kernels.read(rows))];
}

async function model(path: string, kernels: ForwardKernels): Promise<Llama> {
  const file = await openGgufFile(path);
  try {
    return await loadLlama(file, kernels);
  } finally {
    await file.close();
  }
}

function likeliest(logits: Float32Array): number {
  return logits.indexOf(Math.max(...logits));
}
