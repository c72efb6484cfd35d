import { expect } from "chai";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shippedModel } from "../corpus/shipped-models.ts";
import { bytesOfModel, draftModel, ggufValue } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import { outsideData, runInfinity } from "../testing.ts";

/** On the reference kernels, unless `args` name others: they need nothing compiled. */
function generate(...args: readonly string[]): ReturnType<typeof runInfinity> {
  return runInfinity("generate", "--device", "reference", ...args);
}

describe("infinity generate", () => {
  let folder: string;
  let model: string;
  const at = (name: string): string => join(folder, name);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "infinity-generate-"));
    model = at("model.gguf");
    const draft = draftStoryModel();
    const template =
      "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}";
    draft.metadata.set("tokenizer.chat_template", ggufValue(template));
    writeFileSync(model, await bytesOfModel(draft));
    writeFileSync(at("no-tokenizer.gguf"), await bytesOfModel(draftModel("llama3")));
    const mamba = draftStoryModel();
    mamba.metadata.set("general.architecture", ggufValue("mamba"));
    writeFileSync(at("mamba.gguf"), await bytesOfModel(mamba));
    writeFileSync(at("plain.gguf"), await bytesOfModel(draftStoryModel()));
    writeFileSync(at("cut.gguf"), readFileSync(model).subarray(0, -100));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const report = (...args: readonly string[]): Record<string, unknown> => {
    const { status, stdout, stderr } = generate("--json", ...args);
    expect(status, stderr).to.equal(0);
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  it("streams text to stdout and figures to stderr", () => {
    const args = ["--model", model, "--prompt", "Hello", "--max-tokens", "5", "--temperature", "0"];
    const { status, stdout, stderr } = generate(...args);
    expect(status, stderr).to.equal(0);
    expect(stderr).to.match(
      /^prompt \d+ tokens \([\d.]+ tokens\/s\), text 5 tokens \([\d.]+ tokens\/s\), reference kernels\n$/,
    );
    const json = report(...args);
    expect(stdout).to.equal(`${String(json["text"])}\n`);
    expect(json).to.include({ finish: "length", kernels: "reference" });
    expect(json["ids"]).to.have.lengthOf(5);
    // 2 layers, keys and values, 2 heads of 8 values of 4 bytes; the last token needs none.
    expect(json["cacheBytes"]).to.equal(2 * 2 * 2 * 8 * 4 * (Number(json["promptTokens"]) + 4));
    for (const key of ["prefillTokensPerSecond", "decodeTokensPerSecond", "firstTokenMs"]) {
      expect(json[key], key).to.be.a("number").greaterThan(0);
    }
  });

  it("prints a table of figures when asked", () => {
    const args = ["--model", model, "--prompt", "Hello", "--max-tokens", "3", "--stats"];
    const { stderr } = generate(...args, "--device", "reference", "--threads", "1");
    expect(stderr).to.match(/^load +\d+ ms +\d+ bytes$/m);
    expect(stderr).to.match(/^prompt +[\d.]+ tokens\/s +\d+ tokens$/m);
    expect(stderr).to.match(/^first token +[\d.]+ ms +after the prompt was given$/m);
    expect(stderr).to.match(/^text +[\d.]+ tokens\/s +3 tokens$/m);
    expect(stderr).to.match(/^memory +\d+ bytes +at its peak, of the whole process$/m);
    expect(stderr).to.match(/^kernels +reference +1 thread$/m);
  });

  it("runs the target that ships with the course where no model is named", () => {
    const args = ["--prompt", "One morning", "--max-tokens", "12", "--temperature", "0"];
    const shipped = report(...args);
    expect(shipped["ids"]).to.have.lengthOf(12);
    expect(report(...args, "--model", shippedModel("target"))["ids"]).to.deep.equal(shipped["ids"]);
  });

  it("gives the same text for the same seed", () => {
    const ids = (seed: string): unknown =>
      report("--model", model, "--prompt", "Hello", "--max-tokens", "8", "--seed", seed)["ids"];
    expect(ids("1")).to.deep.equal(ids("1"));
    expect(ids("1")).not.to.deep.equal(ids("2"));
  });

  it("writes a message as the model's chat template says", () => {
    const tokens = (prompt: string, ...more: readonly string[]): unknown =>
      report("--model", model, "--prompt", prompt, "--max-tokens", "1", ...more)["promptTokens"];
    expect(tokens("Hi", "--chat")).to.equal(tokens("user: Hi"));
  });

  it("measures nothing where there is nothing to measure", () => {
    const json = report("--model", model, "--prompt", "Hello", "--max-tokens", "1");
    expect(json["decodeTokensPerSecond"]).to.equal(null);
  });

  const refused: readonly (readonly [string, () => readonly string[], number, RegExp])[] = [
    ["no prompt", () => ["--model", model], 2, /--prompt/],
    ["a missing file", () => ["--model", at("none.gguf"), "--prompt", "x"], 1, /no such file/],
    ["a foreign file", () => ["--model", "README.md", "--prompt", "x"], 1, /README\.md is damaged/],
    ["a truncated file", () => ["--model", at("cut.gguf"), "--prompt", "x"], 1, /truncated/],
    [
      "a model without a tokenizer",
      () => ["--model", at("no-tokenizer.gguf"), "--prompt", "x"],
      1,
      /no tokenizer/,
    ],
    [
      "another architecture",
      () => ["--model", at("mamba.gguf"), "--prompt", "x"],
      1,
      /architecture "mamba", and llama, qwen2 are supported/,
    ],
    [
      "a chat with a model that has no template",
      () => ["--model", at("plain.gguf"), "--prompt", "x", "--chat"],
      1,
      /has no chat template.*leave out --chat/,
    ],
    [
      "a prompt beyond the context",
      () => ["--model", model, "--prompt", "x ".repeat(100)],
      1,
      /The prompt has \d+ tokens, and model\.gguf looks back on 64; shorten it/,
    ],
    ["no tokens", () => ["--model", model, "--prompt", "x", "--max-tokens", "0"], 2, /at least 1/],
    ["half a token", () => ["--model", model, "--prompt", "x", "--max-tokens", "1.5"], 2, /whole/],
    [
      "a share above 1",
      () => ["--model", model, "--prompt", "x", "--top-p", "1.5"],
      2,
      /top-p is 1\.5: more than 0 and at most 1 is needed/,
    ],
    [
      "an unknown device",
      () => ["--model", model, "--prompt", "x", "--device", "abacus"],
      2,
      /Allowed choices are cpu, wasm/,
    ],
    ["no threads", () => ["--model", model, "--prompt", "x", "--threads", "0"], 2, /at least 1/],
    [
      "threads on a device without them",
      () => ["--model", model, "--prompt", "x", "--device", "reference", "--threads", "2"],
      2,
      /2 threads were asked for, and the device reference does not use them/,
    ],
    [
      "a temperature of hot",
      () => ["--model", model, "--prompt", "x", "--temperature", "hot"],
      2,
      /num/,
    ],
  ];
  for (const [what, args, exit, message] of refused) {
    it(`refuses ${what} in one sentence`, () => {
      const { status, stdout, stderr } = generate(...args());
      expect(stderr).to.match(message);
      expect([status, stdout]).to.deep.equal([exit, ""]);
    });
  }

  for (const [format, device] of [
    ["f32", "reference"],
    ["q8_0", "reference"],
    ["f32", "cpu"],
    ["q8_0", "cpu"],
  ] as const) {
    it(`continues a story as llama.cpp does, in ${format} on ${device}`, function () {
      const file = outsideData(this, `models/stories260K-${format}.gguf`);
      const golden = outsideData(this, `golden/stories260K-${format}.golden.json`);
      const { cases } = JSON.parse(readFileSync(golden, "utf8")) as {
        cases: { prompt: string; text: string }[];
      };
      const [first] = cases;
      const args = ["--model", file, "--prompt", first!.prompt, "--temperature", "0"];
      expect(generate(...args, "--max-tokens", "48", "--device", device).stdout).to.equal(
        `${first!.text}\n`,
      );
    });
  }
});
