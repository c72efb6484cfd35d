import { expect } from "chai";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkbenchReport } from "../compress/gptq-workbench.ts";
import { bytesOfModel } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import { outsideData, runInfinity, type CommandResult } from "../testing.ts";

const oneThread = ["--device", "cpu", "--threads", "1"];

describe("infinity gptq", () => {
  let folder: string;
  let small: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "infinity-gptq-"));
    small = join(folder, "small.gguf");
    writeFileSync(small, await bytesOfModel(draftStoryModel()));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const run = (model: string, layer: string, ...args: readonly string[]): CommandResult =>
    runInfinity("gptq", "--model", model, "--layer", layer, ...oneThread, ...args);

  function report(model: string, layer: string, ...args: readonly string[]): WorkbenchReport {
    const { status, stdout, stderr } = run(model, layer, "--json", ...args);
    expect(status, stderr).to.equal(0);
    return JSON.parse(stdout) as WorkbenchReport;
  }

  it("compares both ways on our stories, and logs every block of columns", () => {
    const args = ["--tokens", "512", "--held-out", "128", "--block", "16"];
    const { status, stdout, stderr } = run(small, "blk.1.ffn_down", ...args);
    expect(status, stderr).to.equal(0);
    expect(stdout).to.include("blk.1.ffn_down.weight: 32 outputs of 40 inputs");
    expect(stdout).to.include("calibrated with 512 tokens, judged by 128 others");
    expect(stdout).to.match(
      /columns {2}0 to 15 of 40: loss .*\n.*columns 16 to 31.*\n.*columns 32 to 39/,
    );
    expect(stdout).to.match(/^naive .* %$/m);
    expect(stdout).to.match(/^GPTQ .* %$/m);
    expect(stdout).to.match(/^gain +\d+\.\d\d× +\d+\.\d\d×$/m);
  });

  it("gains on held-out text of a real model with enough tokens, and loses with 128", function () {
    const model = outsideData(this, "models/stories260K-f32.gguf");
    const text = ["--calibrate", outsideData(this, "text/tinystories.txt"), "--bits", "3"];
    const enough = report(model, "blk.1.ffn_down", ...text, "--tokens", "8192");
    expect(enough.gain.heldOut).to.be.above(1.1);
    expect(enough.notes).to.deep.equal([]);
    const trap = report(model, "blk.1.ffn_down", ...text, "--tokens", "128");
    expect(trap.gain.inSample).to.be.above(2.5);
    expect(trap.gain.heldOut).to.be.below(0.8);
    expect(trap.notes.join()).to.include("128 tokens cannot fill a Hessian of 172 inputs");
    expect(trap.naive.weightMse).to.equal(enough.naive.weightMse);
  });

  it("damps more where the Hessian is singular, and says so", () => {
    const few = ["--tokens", "16", "--context", "16", "--damp", "0", "--held-out", "64"];
    const { notes } = report(small, "blk.0.attn_q.weight", ...few);
    expect(notes[0]).to.match(
      /^The Hessian is singular with damping 0: 0\.01 of its mean diagonal/,
    );
  });

  it("names the nearest matrices, and refuses text that is too short or no UTF-8", () => {
    expect(run(small, "blk.0.attn_z")).to.include({
      status: 1,
      stderr:
        'infinity: small.gguf has no matrix "blk.0.attn_z" in its layers; the nearest names are "blk.0.attn_q", "blk.0.attn_k", "blk.0.attn_v".\n',
    });
    const text = join(folder, "text.txt");
    writeFileSync(text, "Once upon a time.");
    const short = run(small, "blk.0.attn_q", "--calibrate", text);
    expect(short.status).to.equal(1);
    expect(short.stderr).to.match(/text\.txt has \d+ tokens, and two windows of 64 are needed/);
    writeFileSync(text, Uint8Array.of(0x4f, 0x6e, 0xe9, 0x20));
    const latin1 = run(small, "blk.0.attn_q", "--calibrate", text);
    expect(latin1.status).to.equal(1);
    expect(latin1.stderr).to.match(/text\.txt is no valid UTF-8 text: byte \d is 0x/);
    const type = run(small, "blk.0.attn_q", "--type", "iq4_nl");
    expect(type.status).to.equal(2);
    expect(type.stderr).to.include("iq4_nl is no format whose codes GPTQ chooses");
  });
});
