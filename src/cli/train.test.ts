import { expect } from "chai";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";
import { openGgufFile } from "../corpus/files.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { loadLlama, prefill } from "../model/llama.ts";
import { tokenizerFromGguf } from "../model/tokenizer/tokenizer.ts";
import { notRun, root, runInfinity, type CommandResult } from "../testing.ts";
import type { TrainingReport } from "./train-report.ts";

const command = join(root, "src", "cli", "infinity.js");

/** On the backend that every machine has. */
const smoke = ["train", "--preset", "smoke", "--backend", "wasm"];

describe("infinity train", function () {
  this.timeout(300_000);
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-train-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const train = (...args: readonly string[]): CommandResult => runInfinity(...smoke, ...args);
  const reportOf = ({ stdout }: { stdout: string }): TrainingReport =>
    JSON.parse(stdout) as TrainingReport;

  it("learns from our stories in a minute, and writes a model that runs", async () => {
    const args = [command, ...smoke, "--out", join(folder, "smoke"), "--json"];
    const options = { cwd: root, encoding: "utf8", timeout: 290_000 } as const;
    const report = reportOf(spawnSync(process.execPath, args, options));
    expect(report.losses).to.have.lengthOf(120);
    expect(report.firstLoss).to.be.closeTo(Math.log(2048), 0.1);
    // Better than to know how frequent each token is, which takes a past to reach.
    expect(report.lastLoss).to.be.below(report.baselines!.unigram - 0.5);
    expect(report.validationLoss).to.be.below(report.baselines!.unigram - 0.5);
    expect(report.validationLoss).to.be.closeTo(report.lastLoss!, 0.5);

    const file = await openGgufFile(join(folder, "smoke", "model.gguf"));
    const model = await loadLlama(file, referenceForward);
    const prompt = tokenizerFromGguf(file.metadata).encode("One morning");
    const cache = new ContiguousKvCache(referenceForward, model.config, prompt.length);
    const logits = await prefill(model, prompt, cache);
    await file.close();
    expect(logits.every(Number.isFinite)).to.equal(true);
    // Far from the flat logits of the first step.
    expect(Math.max(...logits) - Math.min(...logits)).to.be.above(3);
  });

  it("learns from a text, and goes on after Ctrl-C with the same losses", async function () {
    if (platform() === "win32") notRun(this, "Windows has no SIGINT to send");
    const text = join(folder, "text.txt");
    writeFileSync(text, "The cat sat on the mat. The dog saw the cat. ".repeat(400));
    const args = ["--text", text, "--steps", "12", "--save-every", "1", "--json"];
    const whole = reportOf(train(...args));
    expect(whole.losses).to.have.lengthOf(12);

    const out = join(folder, "model");
    const child = spawn(process.execPath, [command, ...smoke, ...args, "--out", out], {
      cwd: root,
      stdio: "pipe",
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = once(child, "exit");
    const watch = setInterval(() => {
      if (!existsSync(join(out, "checkpoint.safetensors"))) return;
      // Once: a second Ctrl-C would end it on the spot.
      clearInterval(watch);
      child.kill("SIGINT");
    }, 5);
    const [status] = (await ended) as [number | null];
    expect(status).to.equal(0);
    expect(stderr).to.match(/stopped after step \d+; go on with --resume /);
    expect(existsSync(join(out, "model.gguf"))).to.equal(false);

    const resumed = reportOf(train(...args, "--resume", out));
    expect(resumed.losses).to.deep.equal(whole.losses);
    expect(existsSync(join(out, "model.gguf"))).to.equal(true);

    const before = readFileSync(join(out, "checkpoint.safetensors"));
    for (const [other, message] of [
      [["--steps", "13"], /was trained with numSteps 12, and this training has 13/],
      [["--seed", "1"], /was trained with seed 0, and this training has 1/],
    ] as const) {
      const refused = train(...args, ...other, "--resume", out);
      expect(refused.status).to.equal(1);
      expect(refused.stderr).to.match(message);
    }
    writeFileSync(text, "Another text. ".repeat(1000));
    expect(train(...args, "--resume", out).stderr).to.match(/was trained on another text/);
    expect(train(...args, "--out", out).stderr).to.match(/holds the checkpoint of an earlier/);
    expect(readFileSync(join(out, "checkpoint.safetensors")).equals(before)).to.equal(true);
  });

  it("refuses text and options that it cannot use, in one sentence", () => {
    const text = join(folder, "text.txt");
    const cases: readonly (readonly [string | Uint8Array, readonly string[], number, RegExp])[] = [
      [Uint8Array.of(97, 0xff), ["--text", text], 1, /text\.txt is no valid UTF-8 text: byte 1/],
      ["", ["--text", text], 1, /text\.txt is empty/],
      ["Too short.", ["--text", text], 1, /The text has \d+ tokens, and .* needs 256 or more/],
      ["", ["--preset", "draft"], 2, /would be lost: give --out <folder>/],
      ["", ["--out", folder, "--resume", folder], 2, /both name a folder/],
      ["", ["--resume", folder], 1, /checkpoint\.safetensors cannot be read: there is no such/],
      ["a b c ".repeat(300), ["--text", text, "--out", join(text, "x")], 1, /cannot be made/],
      ["", ["--steps", "0"], 2, /at least 1/],
      ["", ["--backend", "cpu", "--threads", "2"], 2, /--threads is for the wasm backend/],
    ];
    for (const [content, args, wanted, message] of cases) {
      writeFileSync(text, content);
      const { status, stdout, stderr } = train(...args);
      expect(stderr).to.match(message);
      expect(stdout).to.equal("");
      expect(status).to.equal(wanted);
    }
  });
});
