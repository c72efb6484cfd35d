import { expect } from "chai";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError, UsageError } from "../core/errors.ts";
import { normal, seededRng } from "../core/rng.ts";
import { writeSafetensors } from "../formats/safetensors.ts";
import { outsideData, root } from "../testing.ts";
import { readIdxDigits } from "./digits-idx.ts";
import {
  type DigitsNetwork,
  accuracy,
  classify,
  digitsNetworkPath,
  loadDigitsNetwork,
} from "./digits-model.ts";
import { digitPixels, digitSeeds, generateDigits } from "./digits.ts";

const card = readFileSync(join(root, "datasets/digits/README.md"), "utf8");

describe("the digit classifier", () => {
  it("sees what the formula says, on random weights and pictures with negative pixels", () => {
    const rng = seededRng(3);
    const random = (length: number): Float32Array =>
      new Float32Array(length).map(() => normal(rng));
    const network = {
      fc1: { weight: random(256 * digitPixels), bias: random(256) },
      fc2: { weight: random(10 * 256), bias: random(10) },
    };
    const images = random(20 * digitPixels).map((x) => (x < 0.5 && x > -0.5 ? 0 : x));
    expect([...classify(network, images)]).to.deep.equal(byFormula(network, images));
  });

  it("has the accuracy of its card on the test split", async () => {
    const { images, labels } = generateDigits(10_000, digitSeeds.test);
    expectOnCard("Our test split", classify(await loadDigitsNetwork(), images), labels);
  });

  it("has the accuracy of its card on MNIST's test set", async function () {
    const { images, labels } = await readIdxDigits(
      outsideData(this, "mnist/t10k-images-idx3-ubyte.gz"),
      outsideData(this, "mnist/t10k-labels-idx1-ubyte.gz"),
    );
    expectOnCard("MNIST t10k", classify(await loadDigitsNetwork(), images), labels);
  });

  it("is the file whose checksum the list of data sets gives", () => {
    const hash = createHash("sha256").update(readFileSync(digitsNetworkPath)).digest("hex");
    expect(readFileSync(join(root, "datasets/README.md"), "utf8")).to.include(hash);
  });

  it("refuses weights and pictures of another size", async () => {
    const network = await loadDigitsNetwork();
    const cut = { ...network, fc2: { ...network.fc2, weight: new Float32Array(2_559) } };
    expect(() => classify(cut, new Float32Array(784))).to.throw(
      UsageError,
      "fc2.weight has 2559 values and needs 2560.",
    );
    expect(() => classify(network, new Float32Array(785))).to.throw(
      UsageError,
      "images has 785 values and needs 1568.",
    );
    expect(() => accuracy(new Uint8Array(2), new Uint8Array(3))).to.throw(UsageError);
  });

  it("refuses a file of other tensors", async () => {
    const folder = await mkdtemp(join(tmpdir(), "infinity-digits-"));
    const path = join(folder, "other.safetensors");
    const data = new Float32Array(4);
    await writeFile(
      path,
      writeSafetensors([{ name: "fc1.weight", dtype: "F32", shape: [2, 2], data }]),
    );
    const error: unknown = await loadDigitsNetwork(path).catch((error: unknown) => error);
    await rm(folder, { recursive: true });
    expect(error).to.be.instanceOf(InputError);
    expect(String(error)).to.include("fc1.weight has the shape [2, 2] and needs [256, 784]");
  });
});

/** The card's row for a split names the very count that came out. */
function expectOnCard(split: string, predicted: Uint8Array, labels: Uint8Array): void {
  const right = Math.round(accuracy(predicted, labels) * labels.length);
  expect(card).to.match(new RegExp(`^\\| ${split}[^|]*\\| ${right} of ${labels.length} \\|`, "m"));
}

/** argmax(W2 max(0, W1 x + b1) + b2), every product written out, in float64. */
function byFormula({ fc1, fc2 }: DigitsNetwork, images: Float32Array): number[] {
  const dot = (row: Float32Array, x: number[]): number =>
    x.reduce((sum, value, i) => sum + value * row[i]!, 0);
  return Array.from({ length: images.length / digitPixels }, (_, n) => {
    const x = [...images.subarray(n * digitPixels, (n + 1) * digitPixels)];
    const hidden = Array.from({ length: 256 }, (_, row) =>
      Math.max(0, dot(fc1.weight.subarray(row * 784, (row + 1) * 784), x) + fc1.bias[row]!),
    );
    const scores = Array.from(
      { length: 10 },
      (_, row) => dot(fc2.weight.subarray(row * 256, (row + 1) * 256), hidden) + fc2.bias[row]!,
    );
    return scores.indexOf(Math.max(...scores));
  });
}
