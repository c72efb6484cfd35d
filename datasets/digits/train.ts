/**
 * Trains the digit classifier of `datasets/digits` and writes digits.safetensors beside this file:
 * `node --import tsx datasets/digits/train.ts`, some minutes on two cores. Every epoch draws new
 * digits, so the network cannot learn any of them by heart. No MNIST here: evaluate.ts judges.
 */
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-wasm";
import { type Rng, normal, seededRng } from "../../src/core/rng.ts";
import {
  type DigitsLayer,
  type DigitsNetwork,
  accuracy,
  classify,
  digitsNetworkPath,
  hiddenUnits,
} from "../../src/corpus/digits-model.ts";
import { digitPixels, digitSeeds, generateDigits } from "../../src/corpus/digits.ts";
import { writeFileAtomically } from "../../src/corpus/files.ts";
import { type SafetensorsEntry, writeSafetensors } from "../../src/formats/safetensors.ts";

/** Of the initial weights and the dropout. */
const seed = 1;
const numEpochs = 20;
const digitsPerEpoch = 60_000;
const batchSize = 120;
const learningRate = 1e-3;

/** Shares of pixels and hidden units that a step leaves out; both help with strangers' hands. */
const pixelDropout = 0.1;
const hiddenDropout = 0.5;

interface Variables {
  readonly weight1: tf.Variable<tf.Rank.R2>;
  readonly bias1: tf.Variable<tf.Rank.R1>;
  readonly weight2: tf.Variable<tf.Rank.R2>;
  readonly bias2: tf.Variable<tf.Rank.R1>;
}

/** Adam whose learning rate may change between steps. */
class ScheduledAdam extends tf.AdamOptimizer {
  set rate(rate: number) {
    this.learningRate = rate;
  }
}

async function train(): Promise<void> {
  await tf.setBackend("wasm");
  const rng = seededRng(seed);
  const variables = initialise(rng);
  const optimizer = new ScheduledAdam(learningRate, 0.9, 0.999, 1e-8);
  const validation = generateDigits(2_000, digitSeeds.validation);
  for (let epoch = 0; epoch < numEpochs; epoch++) {
    trainEpoch(variables, optimizer, epoch, rng);
    const right = accuracy(classify(networkOf(variables), validation.images), validation.labels);
    const percent = (100 * right).toFixed(2);
    process.stderr.write(`epoch ${epoch + 1} of ${numEpochs}: ${percent} % of validation right\n`);
  }
  const network = networkOf(variables);
  const test = generateDigits(10_000, digitSeeds.test);
  const right = accuracy(classify(network, test.images), test.labels);
  await writeFileAtomically(digitsNetworkPath, fileOf(network, right));
}

/** Normal weights of variance 2 / inputs, for ReLU (He et al. 2015, equation 10); zero biases. */
function initialise(rng: Rng): Variables {
  const weight = (out: number, inputs: number): tf.Variable<tf.Rank.R2> =>
    tf.variable(
      tf.tensor2d(
        Float32Array.from({ length: out * inputs }, () => Math.sqrt(2 / inputs) * normal(rng)),
        [out, inputs],
      ),
    );
  return {
    weight1: weight(hiddenUnits, digitPixels),
    bias1: tf.variable(tf.zeros([hiddenUnits])),
    weight2: weight(10, hiddenUnits),
    bias2: tf.variable(tf.zeros([10])),
  };
}

/** One pass over new digits; the learning rate falls to zero along half a cosine. */
function trainEpoch(variables: Variables, optimizer: ScheduledAdam, epoch: number, rng: Rng): void {
  const { images, labels } = generateDigits(digitsPerEpoch, digitSeeds.train + epoch);
  const numSteps = digitsPerEpoch / batchSize;
  for (let step = 0; step < numSteps; step++) {
    optimizer.rate = learningRate * cosine((epoch * numSteps + step) / (numEpochs * numSteps));
    const start = step * batchSize;
    const end = start + batchSize;
    tf.tidy(() => {
      const x = tf
        .tensor2d(images.subarray(start * digitPixels, end * digitPixels), [batchSize, digitPixels])
        .mul(dropout([batchSize, digitPixels], pixelDropout, rng));
      const y = tf.oneHot(tf.tensor1d(Int32Array.from(labels.subarray(start, end)), "int32"), 10);
      const kept = dropout([batchSize, hiddenUnits], hiddenDropout, rng);
      optimizer.minimize(() => loss(variables, x as tf.Tensor2D, y as tf.Tensor2D, kept));
    });
  }
}

function loss(variables: Variables, x: tf.Tensor2D, y: tf.Tensor2D, kept: tf.Tensor): tf.Scalar {
  const { weight1, bias1, weight2, bias2 } = variables;
  const hidden = linear(x, weight1).add(bias1).relu().mul<tf.Tensor2D>(kept);
  const logits = linear(hidden, weight2).add(bias2);
  return tf.losses.softmaxCrossEntropy(y, logits).asScalar();
}

/**
 * x Wᵀ with its gradient. tfjs's own gradient asks matMul to transpose, for which the wasm backend
 * has only a slow path (measured: 22 ms instead of 1.2); a transpose beforehand avoids it.
 */
const linear = tf.customGrad<tf.Tensor2D>((...inputs) => {
  const [x, weight, save] = inputs as [tf.Tensor2D, tf.Tensor2D, (tensors: tf.Tensor[]) => void];
  save([x, weight]);
  return {
    value: tf.matMul(x, weight.transpose<tf.Tensor2D>()),
    gradFunc: (dy: tf.Tensor2D, saved: tf.Tensor[]) => {
      const [x, weight] = saved as [tf.Tensor2D, tf.Tensor2D];
      return [tf.matMul(dy, weight), tf.matMul(dy.transpose<tf.Tensor2D>(), x)];
    },
  };
}) as (x: tf.Tensor2D, weight: tf.Tensor2D) => tf.Tensor2D;

/** Zeros for what is left out; the rest is scaled so that the expected value does not change. */
function dropout(shape: [number, number], share: number, rng: Rng): tf.Tensor2D {
  const kept = new Float32Array(shape[0] * shape[1]);
  for (let i = 0; i < kept.length; i++) kept[i] = rng() < share ? 0 : 1 / (1 - share);
  return tf.tensor2d(kept, shape);
}

function cosine(done: number): number {
  return (1 + Math.cos(Math.PI * done)) / 2;
}

function networkOf({ weight1, bias1, weight2, bias2 }: Variables): DigitsNetwork {
  const values = (tensor: tf.Tensor): Float32Array => Float32Array.from(tensor.dataSync());
  return {
    fc1: { weight: values(weight1), bias: values(bias1) },
    fc2: { weight: values(weight2), bias: values(bias2) },
  };
}

function fileOf({ fc1, fc2 }: DigitsNetwork, right: number): Uint8Array {
  const layer = (name: string, { weight, bias }: DigitsLayer): SafetensorsEntry[] => {
    const inputs = weight.length / bias.length;
    return [
      {
        name: `${name}.weight`,
        dtype: "F32",
        shape: [bias.length, inputs],
        data: new Float32Array(weight),
      },
      { name: `${name}.bias`, dtype: "F32", shape: [bias.length], data: new Float32Array(bias) },
    ];
  };
  return writeSafetensors([...layer("fc1", fc1), ...layer("fc2", fc2)], {
    title: "Digit classifier 784-256-10 with ReLU",
    license: "CC0-1.0",
    data: `src/corpus/digits.ts, ${numEpochs} × ${digitsPerEpoch} digits, seeds from ${digitSeeds.train}`,
    seed: String(seed),
    accuracy: `${(100 * right).toFixed(2)} % of 10000 digits drawn from seed ${digitSeeds.test}`,
  });
}

await train();
