/**
 * One suite over every tfjs backend: what training and dense algebra use, on aligned and on tail
 * shapes, against plain float64 loops with tolerances that are derived, not chosen.
 */
import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { normal, randomInt, seededRng, type Rng } from "../core/rng.ts";
import { notRun } from "../testing.ts";
import { chooseBackend, type DeviceName, type Tfjs } from "./backend.ts";
import {
  columnSums,
  convolution,
  entrywise,
  expected,
  given,
  product,
  roundoff,
  softmax,
  transposed,
  withinUlps,
  type Bounded,
  type Expected,
} from "./fixtures/float64.ts";

/** WebGPU on any adapter: software is slow, and here only what it computes counts. */
const devices: readonly DeviceName[] = ["cpu", "wasm", "webgpu-software", "tensorflow"];

/**
 * What the WGSL specification allows its built-in functions ("Floating point accuracy"), in units in
 * the last place, for arguments up to 8; the CPU backends are far more exact.
 */
const wgsl = { exp: 3 + 2 * 8, divide: 2.5, log: 3, logNearOne: 2 ** -21, sqrt: 4, tanh: 1e-5 };

function randoms(rng: Rng, length: number): Float32Array {
  return Float32Array.from({ length }, () => normal(rng));
}

function expectClose(got: ArrayLike<number>, { values, tolerance }: Expected): void {
  expect(got.length).to.equal(values.length);
  for (let i = 0; i < values.length; i++) {
    const error = Math.abs(got[i]! - values[i]!);
    if (error <= tolerance[i]!) continue;
    expect.fail(
      `[${i}] is ${got[i]!}, off by ${error} from ${values[i]!}; ${tolerance[i]!} is allowed`,
    );
  }
}

for (const device of devices) {
  describe(`tensor backend ${device}`, () => {
    let tf: Tfjs;
    let rng: Rng;

    const check = (title: string, body: () => Promise<void>): void => {
      it(title, async function () {
        const backend = await chooseBackend({ device }).catch((error: unknown) => {
          if (error instanceof InputError)
            return notRun(this, `${device} is not available; npx infinity doctor says why`);
          throw error;
        });
        tf = backend.tf;
        rng = seededRng(11);
        // tfjs computes small tensors on the CPU otherwise, and the shaders would not be tested.
        if (backend.name === "webgpu") tf.env().set("WEBGPU_CPU_FORWARD", false);
        tf.engine().startScope();
        await body().finally(() => {
          tf.engine().endScope();
        });
      });
    };

    for (const [n, k, m] of [
      [1, 1, 1],
      [64, 64, 64],
      [33, 65, 17],
      [1, 300, 7],
      [5, 3, 130],
    ] as const) {
      check(`matMul [${n}, ${k}] [${k}, ${m}], and with either side transposed`, async () => {
        const [a, b] = [randoms(rng, n * k), randoms(rng, k * m)];
        const exact = expected(product(given(n, k, a), given(k, m, b)), k);
        const [left, right] = [tf.tensor2d(a, [n, k]), tf.tensor2d(b, [k, m])];
        expectClose(await tf.matMul(left, right).data(), exact);
        expectClose(await tf.matMul(left.transpose(), right, true).data(), exact);
        expectClose(await tf.matMul(left, right.transpose(), false, true).data(), exact);
      });
    }

    check("matMul of a batch", async () => {
      const [a, b] = [randoms(rng, 3 * 5 * 7), randoms(rng, 3 * 7 * 9)];
      const got = await tf.matMul(tf.tensor3d(a, [3, 5, 7]), tf.tensor3d(b, [3, 7, 9])).data();
      for (let i = 0; i < 3; i++) {
        const left = given(5, 7, a.subarray(35 * i, 35 * i + 35));
        const right = given(7, 9, b.subarray(63 * i, 63 * i + 63));
        expectClose(got.subarray(45 * i, 45 * i + 45), expected(product(left, right), 7));
      }
    });

    for (const [inputs, outputs, size, stride, pad] of [
      [4, 8, 3, 1, "same"],
      [3, 5, 3, 2, "valid"],
      [1, 6, 5, 1, "valid"],
      [16, 16, 1, 1, "same"],
    ] as const) {
      check(
        `conv2d ${inputs} → ${outputs}, ${size} × ${size}, stride ${stride}, ${pad}`,
        async () => {
          const [n, height, width] = [2, 9, 7];
          const padding = pad === "same" ? (size - 1) / 2 : 0;
          const out = (length: number): number =>
            Math.floor((length + 2 * padding - size) / stride) + 1;
          const images = randoms(rng, n * height * width * inputs);
          const filter = randoms(rng, size * size * inputs * outputs);
          const [outHeight, outWidth] = [out(height), out(width)];
          const sizes = {
            n,
            height,
            width,
            inputs,
            outputs,
            size,
            stride,
            padding,
            outHeight,
            outWidth,
          };
          const got = tf.conv2d(
            tf.tensor4d(images, [n, height, width, inputs]),
            tf.tensor4d(filter, [size, size, inputs, outputs]),
            stride,
            pad,
          );
          expect(got.shape).to.deep.equal([n, outHeight, outWidth, outputs]);
          expectClose(
            await got.data(),
            expected(convolution(sizes, images, filter), size * size * inputs),
          );
        },
      );
    }

    for (const [rows, columns] of [
      [4, 64],
      [5, 17],
      [1, 1],
      [2, 1025],
    ] as const) {
      check(`softmax [${rows}, ${columns}]`, async () => {
        const x = randoms(rng, rows * columns);
        const exact = softmax(rows, columns, x);
        // Two exponentials, a sum, a quotient; and the argument's own rounding, which exp passes on.
        const ulps = 2 * wgsl.exp + columns / 2 + wgsl.divide + 8;
        const got = tf.softmax(tf.tensor2d(x, [rows, columns]));
        expectClose(await got.data(), withinUlps(exact, ulps));
      });
    }

    for (const shape of [
      [64, 64],
      [3, 257],
      [4, 5, 33],
    ] as const) {
      check(
        `sum, mean, max, min and argMax over the last axis of [${shape.join(", ")}]`,
        async () => {
          const columns = shape.at(-1)!;
          const x = randoms(
            rng,
            shape.reduce((total, size) => total * size, 1),
          );
          const rows = x.length / columns;
          const tensor = tf.tensor(x, [...shape]);
          const sums = columnSums(transposed(given(rows, columns, x)));
          expectClose(await tensor.sum(-1).data(), expected(sums, columns));
          const { values, tolerance } = expected(sums, columns + 2 * wgsl.divide);
          const share = (value: number): number => value / columns;
          const means = { values: values.map(share), tolerance: tolerance.map(share) };
          expectClose(await tensor.mean(-1).data(), means);
          const rowsOfX = Array.from({ length: rows }, (_, i) => [
            ...x.subarray(i * columns, (i + 1) * columns),
          ]);
          const largest = rowsOfX.map((row) => Math.max(...row));
          expect([...(await tensor.max(-1).data())]).to.deep.equal(largest);
          expect([...(await tensor.min(-1).data())]).to.deep.equal(
            rowsOfX.map((row) => Math.min(...row)),
          );
          const places = rowsOfX.map((row, i) => row.indexOf(largest[i]!));
          expect([...(await tensor.argMax(-1).data())]).to.deep.equal(places);
        },
      );
    }

    check("sum of everything, and over the first axis", async () => {
      const x = randoms(rng, 37 * 129);
      const tensor = tf.tensor2d(x, [37, 129]);
      const all = columnSums(given(x.length, 1, x));
      expectClose(await tensor.sum().data(), expected(all, x.length));
      expectClose(await tensor.sum(0).data(), expected(columnSums(given(37, 129, x)), 37));
    });

    check("exp, log, sqrt, tanh and relu", async () => {
      const x = randoms(rng, 1001);
      const positive = x.map((value) => Math.abs(value) + 2 ** -10);
      const [tensor, roots] = [tf.tensor1d(x), tf.tensor1d(positive)];
      const exact = (from: Float32Array, f: (value: number) => number): Float64Array =>
        Float64Array.from(from, f);
      expectClose(await tensor.exp().data(), withinUlps(exact(x, Math.exp), wgsl.exp));
      expectClose(
        await roots.log().data(),
        withinUlps(exact(positive, Math.log), wgsl.log, wgsl.logNearOne),
      );
      expectClose(await roots.sqrt().data(), withinUlps(exact(positive, Math.sqrt), wgsl.sqrt));
      expectClose(await tensor.tanh().data(), withinUlps(exact(x, Math.tanh), 1, wgsl.tanh));
      expect([...(await tensor.relu().data())]).to.deep.equal(
        [...x].map((value) => Math.max(value, 0)),
      );
    });

    check("add, subtract, multiply and divide, with one row repeated over all", async () => {
      const [x, y] = [randoms(rng, 9 * 31), randoms(rng, 31)];
      const [a, b] = [tf.tensor2d(x, [9, 31]), tf.tensor1d(y)];
      const exact = (f: (p: number, q: number) => number): Float64Array =>
        Float64Array.from(x, (value, n) => f(value, y[n % 31]!));
      expectClose(
        await a.add(b).data(),
        withinUlps(
          exact((p, q) => p + q),
          1,
        ),
      );
      expectClose(
        await a.sub(b).data(),
        withinUlps(
          exact((p, q) => p - q),
          1,
        ),
      );
      expectClose(
        await a.mul(b).data(),
        withinUlps(
          exact((p, q) => p * q),
          1,
        ),
      );
      expectClose(
        await a.div(b).data(),
        withinUlps(
          exact((p, q) => p / q),
          wgsl.divide,
        ),
      );
    });

    check(
      "gather, transpose, slice, concat, pad, oneHot and where move values unchanged",
      async () => {
        const x = randoms(rng, 6 * 5);
        const tensor = tf.tensor2d(x, [6, 5]);
        const at = (i: number, j: number): number => x[5 * i + j]!;
        const rowsOf = async (t: { array(): Promise<unknown> }): Promise<unknown> => t.array();
        const row = (i: number): number[] => [0, 1, 2, 3, 4].map((j) => at(i, j));
        const picked = Array.from({ length: 9 }, () => randomInt(rng, 6));
        expect(await rowsOf(tensor.gather(tf.tensor1d(picked, "int32")))).to.deep.equal(
          picked.map(row),
        );
        const columns = [0, 1, 2, 3, 4].map((j) => [0, 1, 2, 3, 4, 5].map((i) => at(i, j)));
        expect(await rowsOf(tensor.transpose())).to.deep.equal(columns);
        const part = [2, 3, 4].map((i) => [at(i, 1), at(i, 2), at(i, 3)]);
        expect(await rowsOf(tensor.slice([2, 1], [3, 3]))).to.deep.equal(part);
        expect(await rowsOf(tf.concat([tensor, tensor], 1))).to.deep.equal(
          [0, 1, 2, 3, 4, 5].map((i) => [...row(i), ...row(i)]),
        );
        const padded = await rowsOf(
          tensor.slice([0, 0], [1, 2]).pad([
            [1, 0],
            [0, 1],
          ]),
        );
        expect(padded).to.deep.equal([
          [0, 0, 0],
          [at(0, 0), at(0, 1), 0],
        ]);
        expect(await rowsOf(tf.oneHot(tf.tensor1d([2, 0], "int32"), 3))).to.deep.equal([
          [0, 0, 1],
          [1, 0, 0],
        ]);
        const clipped = tf.where(tensor.greater(0), tensor, tf.zerosLike(tensor));
        expect([...(await clipped.data())]).to.deep.equal(
          [...x].map((value) => Math.max(value, 0)),
        );
      },
    );

    check("gradients of an MLP: two layers, biases, relu, squared error", async () => {
      const [batch, inputs, hidden, outputs] = [7, 13, 18, 5];
      const data = {
        x: given(batch, inputs, randoms(rng, batch * inputs)),
        t: given(batch, outputs, randoms(rng, batch * outputs)),
        w1: given(inputs, hidden, randoms(rng, inputs * hidden)),
        b1: given(1, hidden, randoms(rng, hidden)),
        w2: given(hidden, outputs, randoms(rng, hidden * outputs)),
        b2: given(1, outputs, randoms(rng, outputs)),
      };
      const tensorOf = ({ rows, columns, values }: Bounded) =>
        tf.tensor2d(Float32Array.from(values), [rows, columns]);
      const [x, t] = [tensorOf(data.x), tensorOf(data.t)];
      const gradients = tf.grads((w1, b1, w2, b2) => {
        const h = tf.relu(tf.add(tf.matMul(x, w1 as typeof x), b1));
        const y = tf.add(tf.matMul(h as typeof x, w2 as typeof x), b2);
        return tf.sum(tf.square(tf.sub(y, t)));
      })([tensorOf(data.w1), tensorOf(data.b1), tensorOf(data.w2), tensorOf(data.b2)]);
      const exact = mlpGradients(data);
      // Roundings that a term of the longest path meets: three products, a column sum, a few more.
      const numRoundings = inputs + hidden + outputs + batch + 8;
      for (const [i, name] of (["w1", "b1", "w2", "b2"] as const).entries()) {
        expectClose(await gradients[i]!.data(), expected(exact[name], numRoundings));
      }
    });

    check("the gradient of softmax cross entropy", async () => {
      const [rows, columns] = [6, 11];
      const z = randoms(rng, rows * columns);
      const labels = Array.from({ length: rows }, () => randomInt(rng, columns));
      const target = tf.oneHot(tf.tensor1d(labels, "int32"), columns);
      const gradient = tf.grad((logits) => tf.losses.softmaxCrossEntropy(target, logits));
      const p = softmax(rows, columns, z);
      const values = p.map(
        (value, n) => (value - Number(n % columns === labels[Math.floor(n / columns)])) / rows,
      );
      // p − 1 cancels: the tolerance is relative to the probabilities, which are at most 1.
      const ulps = 2 * wgsl.exp + columns + 2 * wgsl.divide + 8;
      const tolerance = values.map(() => (ulps * 2 * roundoff) / rows);
      expectClose(await gradient(tf.tensor2d(z, [rows, columns])).data(), { values, tolerance });
    });
  });
}

/** Gradients of Σ (relu(x w1 + b1) w2 + b2 − t)² by the chain rule. */
function mlpGradients(
  data: Record<"x" | "t" | "w1" | "b1" | "w2" | "b2", Bounded>,
): Record<"w1" | "b1" | "w2" | "b2", Bounded> {
  const add = (x: number, y: number): number => x + y;
  const before = entrywise(product(data.x, data.w1), data.b1, add, add);
  const passes = (value: number, z: number): number => (z > 0 ? value : 0);
  const h = entrywise(before, before, passes, (value) => value);
  const y = entrywise(product(h, data.w2), data.b2, add, add);
  const dy = entrywise(
    y,
    data.t,
    (value, t) => 2 * (value - t),
    (value, t) => 2 * (value + t),
  );
  const dh = product(dy, transposed(data.w2));
  const dz = entrywise(dh, before, passes, (value) => value);
  return {
    w1: product(transposed(data.x), dz),
    b1: columnSums(dz),
    w2: product(transposed(h), dy),
    b2: columnSums(dy),
  };
}
