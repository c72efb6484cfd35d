import { expect } from "chai";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { randomInt, seededRng, shuffle } from "../core/rng.ts";
import { chooseBackend } from "../tensor/backend.ts";
import { rejection } from "../testing.ts";
import { loadCheckpoint, saveCheckpoint, hashOfTokens } from "./checkpoint.ts";
import { golden } from "./fixtures/tiny.ts";
import { openGradientThreads } from "./gradient-threads.ts";
import { TfjsGradients, type GradientSource } from "./gradients.ts";
import type { TrainingRecipe } from "./recipe.ts";
import { initialState, Trainer, type StepReport, type TrainingState } from "./trainer.ts";
import { WindowSampler } from "./windows.ts";

const shape = golden.shape;

const recipe: TrainingRecipe = {
  shape,
  optimizer: { ...golden.optimizer, peakLearningRate: 0.04, warmupSteps: 3, maxGradientNorm: 1 },
  numSteps: 30,
  windowsPerStep: 8,
  windowsPerShard: 4,
  seed: 5,
};

/** Words of two tokens, the second of which follows from the first: a half that can be learned. */
function pairs(length: number): Int32Array {
  const rng = seededRng(9);
  const tokens = new Int32Array(length);
  for (let i = 0; i < length; i += 2) {
    tokens[i] = randomInt(rng, 16);
    tokens[i + 1] = 16 + ((5 * tokens[i]!) % 16);
  }
  return tokens;
}

const tokens = pairs(4000);

describe("training", () => {
  let folder: string;
  let source: GradientSource;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "training-"));
    source = new TfjsGradients(await chooseBackend({ device: "wasm" }), shape);
  });

  after(async () => {
    rmSync(folder, { recursive: true });
    await source.close();
  });

  const trainerOf = (
    state: TrainingState = initialState(recipe),
    { gradients = source, text = tokens, its = recipe } = {},
  ): Trainer => new Trainer(its, state, new WindowSampler(text, 12, 32, its.seed), gradients);

  const run = async (trainer: Trainer): Promise<readonly number[]> => {
    await trainer.run({ now: () => 0 });
    return trainer.state.losses;
  };

  /** Mean loss of the last five steps. */
  const ending = (losses: readonly number[]): number =>
    losses.slice(-5).reduce((sum, loss) => sum + loss, 0) / 5;

  it("learns what can be learned: half of the tokens follow from the one before", async () => {
    const its = { ...recipe, numSteps: 80 };
    const losses = await run(trainerOf(undefined, { its }));
    expect(losses[0]).to.be.closeTo(Math.log(32), 0.1);
    // One of 16 where a word begins and nothing in it: ln 16 / 2 = 1.39, which 80 steps come near to.
    expect(ending(losses)).to.be.within(Math.log(16) / 2, 1.8);
  });

  it("does not get there with a broken learning rate or shuffled tokens", async () => {
    const withRate = (peakLearningRate: number, finalLearningRate: number): TrainingRecipe => ({
      ...recipe,
      optimizer: { ...recipe.optimizer, peakLearningRate, finalLearningRate },
    });
    for (const its of [withRate(0, 0), withRate(-0.02, -0.004), withRate(2e-5, 2e-5)]) {
      expect(ending(await run(trainerOf(initialState(its), { its })))).to.be.above(3);
    }
    const text = Int32Array.from(shuffle([...tokens], seededRng(1)));
    expect(ending(await run(trainerOf(undefined, { text })))).to.be.above(2.5);
  });

  it("goes on from a checkpoint with the same bits", async () => {
    const path = join(folder, "checkpoint.safetensors");
    const identity = { recipe, textHash: hashOfTokens(tokens) };
    const whole = trainerOf();
    const stopped = new AbortController();
    await whole.run({
      now: () => 0,
      onStep: ({ step }) => {
        if (step === 11) stopped.abort();
      },
      save: () => saveCheckpoint(path, identity, whole.state),
      signal: stopped.signal,
    });
    expect(whole.step).to.equal(11);
    const resumed = trainerOf(await loadCheckpoint(path, identity));
    expect(resumed.step).to.equal(11);
    const losses = await run(whole);
    expect(await run(resumed)).to.deep.equal(losses);
    expect(losses).to.have.lengthOf(30);
    expect(resumed.state.parameters).to.deep.equal(whole.state.parameters);

    // The moments matter: without them the same steps end elsewhere.
    const forgetful = await loadCheckpoint(path, identity);
    forgetful.moments.first.fill(0);
    expect(await run(trainerOf(forgetful))).to.not.deep.equal(losses);
  });

  it("gives the same bits on any number of threads", async () => {
    const its = { ...recipe, numSteps: 4, windowsPerShard: 1 };
    const wanted = await run(trainerOf(undefined, { its }));
    for (const numThreads of [1, 3]) {
      const gradients = await openGradientThreads(shape, "wasm", numThreads);
      try {
        expect(await run(trainerOf(undefined, { gradients, its }))).to.deep.equal(wanted);
        const shards = new WindowSampler(tokens, 12, 32, 1).shards(0, 5, 1);
        const { parameters } = initialState(recipe);
        expect(await gradients.loss(parameters, shards)).to.equal(
          await source.loss(parameters, shards),
        );
      } finally {
        await gradients.close();
      }
    }
  });

  it("says what a thread that cannot start lacks", async () => {
    const error = await rejection(openGradientThreads(shape, "tensorflow", 1));
    expect(error.message).to.match(/tensorflow/);
  });

  it("stops before a step that would spoil the weights", async () => {
    const state = initialState(recipe);
    state.parameters[100] = NaN;
    const before = state.parameters.slice();
    const error = await rejection(trainerOf(state).next());
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/diverged: the loss of step 1 is NaN/);
    expect(state.parameters).to.deep.equal(before);
    expect(state.losses).to.deep.equal([]);
  });

  it("reports every step, validates and saves as often as is said", async () => {
    const reports: StepReport[] = [];
    const shown: string[] = [];
    let saved = 0;
    let clock = 0;
    const trainer = trainerOf();
    await trainer.run({
      now: () => (clock += 500),
      validation: [goldenWindow()],
      validateEvery: 12,
      saveEvery: 8,
      save: () => {
        saved++;
        return Promise.resolve();
      },
      onStep: (report) => void reports.push(report),
      progress: { update: (_, __, label) => void shown.push(label ?? ""), finish: () => undefined },
    });
    expect(reports.map(({ step }) => step)).to.deep.equal(
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
    expect(
      reports.filter(({ validationLoss }) => validationLoss).map(({ step }) => step),
    ).to.deep.equal([12, 24, 30]);
    expect(trainer.state.validations.map(({ step }) => step)).to.deep.equal([12, 24, 30]);
    expect(saved).to.equal(4);
    // 96 tokens in half a second.
    expect(reports[9]!.tokensPerSecond).to.equal(192);
    expect(shown[9]).to.match(/^loss \d\.\d{3} {2}192 tokens\/s {2}0:10 left$/);
  });
});

function goldenWindow(): Int32Array {
  return Int32Array.from(golden.windows.slice(0, 13));
}
