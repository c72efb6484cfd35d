import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { InputError } from "../core/errors.ts";
import { bytesSource } from "../formats/byte-source.ts";
import { openSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import { notRun, rejection, root } from "../testing.ts";
import {
  hashOfTokens,
  loadCheckpoint,
  saveCheckpoint,
  type TrainingIdentity,
} from "./checkpoint.ts";
import { goldenRecipe } from "./fixtures/tiny.ts";
import { initialState, type TrainingState } from "./trainer.ts";

const identity: TrainingIdentity = {
  recipe: goldenRecipe,
  textHash: hashOfTokens(Int32Array.of(1, 2, 3)),
};

function someState(): TrainingState {
  const state = initialState(goldenRecipe);
  state.moments.first.fill(0.25);
  state.moments.second.forEach((_, i, all) => (all[i] = i));
  state.losses.push(3.5, 2.25, 1.125);
  state.validations.push({ step: 2, loss: 2.5 });
  return state;
}

describe("a checkpoint", () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "checkpoint-"));
    path = join(folder, "checkpoint.safetensors");
    await saveCheckpoint(path, identity, someState());
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("gives back every bit", async () => {
    expect(await loadCheckpoint(path, identity)).to.deep.equal(someState());
  });

  it("is replaced as a whole, with nothing left beside it", async () => {
    const later = someState();
    later.losses.push(1);
    await saveCheckpoint(path, identity, later);
    expect((await loadCheckpoint(path, identity)).losses).to.deep.equal([3.5, 2.25, 1.125, 1]);
    expect(readdirSync(folder)).to.deep.equal(["checkpoint.safetensors"]);
  });

  it("stays as it was where the disk does not take the next one", function () {
    if (platform() === "win32")
      notRun(this, "the shell's limit on a file's size is not on Windows");
    const before = readFileSync(path);
    const module = (name: string): string =>
      pathToFileURL(join(root, "src", "training", name)).href;
    const program = `
      import { saveCheckpoint } from "${module("checkpoint.ts")}";
      import { initialState } from "${module("trainer.ts")}";
      const identity = ${JSON.stringify(identity)};
      saveCheckpoint(process.argv[1], identity, initialState(identity.recipe)).then(
        () => console.log("written"),
        (error) => console.log(error.name + ": " + error.message),
      );`;
    // No file may become larger than 8 blocks: what a full disk does, without one.
    const node = `exec "$0" --import tsx/esm --input-type module --eval "$1" "$2"`;
    const result = spawnSync(
      "sh",
      ["-c", `ulimit -f 8; ${node}`, process.execPath, program, path],
      {
        cwd: root,
        encoding: "utf8",
      },
    );
    expect(result.stdout).to.match(
      /^InputError: .*checkpoint\.safetensors cannot be written: .+\.\n$/,
    );
    expect(readFileSync(path).equals(before)).to.equal(true);
    expect(readdirSync(folder)).to.deep.equal(["checkpoint.safetensors"]);
  });

  it("of another training is refused, with the first difference", async () => {
    const { recipe } = identity;
    const cases: readonly (readonly [TrainingIdentity, string])[] = [
      [
        { ...identity, recipe: { ...recipe, numSteps: 6 } },
        "was trained with numSteps 5, and this training has 6; resume with the same preset, seed, steps and kind of backend, or train into another folder.",
      ],
      [
        { ...identity, recipe: { ...recipe, shape: { ...recipe.shape, hiddenSize: 32 } } },
        "was trained with shape.hiddenSize 16, and this training has 32",
      ],
      [
        { ...identity, recipe: { ...recipe, optimizer: { ...recipe.optimizer, beta2: 0.5 } } },
        "was trained with optimizer.beta2 0.95, and this training has 0.5",
      ],
      [{ ...identity, textHash: "" }, "was trained on another text"],
    ];
    for (const [other, message] of cases) {
      const error = await rejection(loadCheckpoint(path, other));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.contain(message);
    }
  });

  it("that is damaged anywhere is refused", async () => {
    const sound = readFileSync(path);
    for (const at of [0, 9, 100, Math.floor(sound.length / 2), sound.length - 1]) {
      const bytes = Buffer.from(sound);
      bytes[at]! ^= 1;
      writeFileSync(path, bytes);
      expect(await rejection(loadCheckpoint(path, identity))).to.be.instanceOf(InputError);
    }
    for (const length of [0, 8, 500, sound.length - 4]) {
      writeFileSync(path, sound.subarray(0, length));
      expect(await rejection(loadCheckpoint(path, identity))).to.be.instanceOf(InputError);
    }
    expect((await rejection(loadCheckpoint(`${path}.not`, identity))).message).to.contain(
      "there is no such file",
    );
  });

  it("with another shape than its recipe, or without a recipe, is refused", async () => {
    const file = await openSafetensors(bytesSource("x", readFileSync(path)));
    const metadata = Object.fromEntries(file.metadata);
    const few = { dtype: "F32" as const, shape: [1], data: new Float32Array(1) };
    for (const [changed, message] of [
      [metadata, /its tensor parameters is missing or has another size/],
      [{ ...metadata, recipe: "{" }, /does not say how it was trained/],
      [{ ...metadata, recipe: "null" }, /numSteps unknown|hiddenSize unknown|vocabSize unknown/],
      [{ ...metadata, version: "2" }, /no checkpoint of this version/],
    ] as const) {
      writeFileSync(path, writeSafetensors([{ ...few, name: "parameters" }], changed));
      expect((await rejection(loadCheckpoint(path, identity))).message).to.match(message);
    }
  });
});
