import { expect } from "chai";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesOfModel, draftModel } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { chainDraft } from "../runtime/speculative.ts";
import { outsideData, runInfinity } from "../testing.ts";
import { paintFor, passLine } from "./speculate-report.ts";

/** On the reference kernels, unless `args` name others: they need nothing compiled. */
function speculate(...args: readonly string[]): ReturnType<typeof runInfinity> {
  return runInfinity("speculate", "--device", "reference", "--rounds", "1", ...args);
}

describe("infinity speculate", () => {
  let folder: string;
  let pair: readonly string[];
  const at = (name: string): string => join(folder, name);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "infinity-speculate-"));
    writeFileSync(at("target.gguf"), await bytesOfModel(draftStoryModel()));
    const draft = draftStoryModel();
    const values = new Float32Array(draft.tensors.get("output.weight")!.bytes.slice().buffer);
    draft.tensors.get("output.weight")!.bytes = new Uint8Array(
      values.map((value, i) => value + Math.cos(i) / 8).buffer,
    );
    writeFileSync(at("draft.gguf"), await bytesOfModel(draft));
    const stranger = draftStoryModel();
    const tokens = stranger.metadata.get("tokenizer.ggml.tokens")!;
    if (tokens.type !== "array" || tokens.itemType !== "string") throw new Error("no tokens");
    const items = [...tokens.items];
    items[300] = "elsewhere";
    stranger.metadata.set("tokenizer.ggml.tokens", { ...tokens, items });
    writeFileSync(at("stranger.gguf"), await bytesOfModel(stranger));
    writeFileSync(at("no-tokenizer.gguf"), await bytesOfModel(draftModel("llama3")));
    pair = ["--target", at("target.gguf"), "--draft", at("draft.gguf")];
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const report = (...args: readonly string[]): Record<string, unknown> => {
    const { status, stdout, stderr } = speculate(...pair, "--json", ...args);
    expect(status, stderr).to.equal(0);
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  for (const source of ["model", "ngram", "tree"]) {
    it(`writes what generate writes, and measures: ${source}`, () => {
      const args = ["--prompt", "Hello", "--max-tokens", "12"];
      const wanted = JSON.parse(
        runInfinity(
          ...["generate", "--device", "reference", "--model", at("target.gguf"), "--json"],
          ...["--temperature", "0", ...args],
        ).stdout,
      ) as Record<string, unknown>;
      const json = report("--source", source, "--length", "3", ...args);
      expect(json["ids"]).to.deep.equal(wanted["ids"]);
      expect(json).to.include({ text: wanted["text"], finish: "length", sameText: true, source });
      const fast = Number(json["speculativeTokensPerSecond"]);
      const slow = Number(json["plainTokensPerSecond"]);
      expect(fast).to.be.above(0);
      expect(json["speedup"]).to.be.closeTo(fast / slow, 1e-9);
      // All tokens but the first come from passes.
      expect(Number(json["tokensPerTargetPass"]) * Number(json["passes"])).to.be.closeTo(11, 1e-9);
      if (json["acceptanceRate"] !== null) expect(json["acceptanceRate"]).to.be.within(0, 1);
      expect(json["acceptedTokens"]).to.be.at.most(Number(json["draftedTokens"]));
    });
  }

  it("rounds the draft and leaves the target alone", () => {
    const args = ["--prompt", "Hello", "--max-tokens", "12", "--length", "3"];
    const rounded = report(...args);
    const stored = report("--draft-weights", "file", ...args);
    expect(rounded).to.include({ draftWeights: "Q8_0", draftThreads: 1, sameText: true });
    expect(stored).to.include({ draftWeights: "file", sameText: true });
    expect(rounded["ids"]).to.deep.equal(stored["ids"]);
    expect(report("--source", "ngram", ...args)).to.include({ draftWeights: null });
  });

  it("runs a small draft on one thread beside a target on two", () => {
    const args = ["speculate", "--prompt", "One morning", "--max-tokens", "16", "--json"];
    const threads = ["--device", "cpu", "--threads", "2", "--rounds", "1"];
    const json = (...more: readonly string[]): unknown => {
      const { status, stdout, stderr } = runInfinity(...args, ...threads, ...more);
      expect(status, stderr).to.equal(0);
      return JSON.parse(stdout);
    };
    expect(json()).to.include({ threads: 2, draftThreads: 1, sameText: true });
    expect(json("--draft-threads", "2")).to.include({ draftThreads: 2, sameText: true });
  });

  it("copies from a reference what it writes again", () => {
    const args = ["--prompt", "One morning", "--max-tokens", "48", "--json"];
    const json = (...command: readonly string[]): Record<string, unknown> => {
      const { status, stdout, stderr } = runInfinity(...command, ...args);
      expect(status, stderr).to.equal(0);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const first = json("generate", "--temperature", "0");
    writeFileSync(at("answer.txt"), `One morning${first["text"] as string}`);
    const ngram = ["speculate", "--source", "ngram", "--length", "7", "--rounds", "1"];
    const alone = json(...ngram);
    const again = json(...ngram, "--reference", at("answer.txt"));
    expect(again["ids"]).to.deep.equal(first["ids"]);
    expect(again["tokensPerTargetPass"]).to.be.above(4);
    expect(alone["tokensPerTargetPass"]).to.be.below(4);
  });

  it("shows every pass on stderr, and the text alone on stdout", () => {
    const { status, stdout, stderr } = speculate(
      ...[...pair, "--prompt", "Hello", "--max-tokens", "9", "--length", "4"],
    );
    expect(status, stderr).to.equal(0);
    const lines = stderr.trimEnd().split("\n");
    expect(lines[0]).to.equal("+ accepted   x refused   = the target's correction   * bonus");
    const passes = lines.filter((line) => /^\d\/\d  /.test(line));
    const shown = passes.map((line) => [...line.matchAll(/[+=*]("(?:[^"\\]|\\.)*")/g)]);
    const text = shown.flat().map(([, piece]) => JSON.parse(piece!) as string);
    expect(text).to.have.lengthOf(8);
    expect(stdout.endsWith(`${text.slice(-1).join("")}\n`)).to.equal(true);
    expect(stderr).to.match(/9 tokens in \d+ passes after the first: [\d.]+ tokens a pass/);
    expect(stderr).to.match(/the text is the one that plain decoding writes/);
  });

  it("gives the same text for the same seed and length above temperature 0", () => {
    const ids = (seed: string): unknown =>
      report(
        ...["--prompt", "Hello", "--max-tokens", "8", "--temperature", "1.5", "--top-k", "0"],
        ...["--length", "3", "--seed", seed],
      )["ids"];
    expect(ids("1")).to.deep.equal(ids("1"));
    expect(ids("1")).not.to.deep.equal(ids("2"));
  });

  it("marks what became of every guess, in colour or without", () => {
    const tokenizer = {
      decode: (ids: readonly number[]) => `<${ids.join()}>`,
    } as unknown as Tokenizer;
    const draft = chainDraft(Int32Array.of(5, 6, 7));
    const figures = {
      ...{ length: 3, numAccepted: 1, wasRefused: true, numTokens: 2, draftMs: 1, verifyMs: 1 },
    };
    const outcome = {
      ...{ tokens: [5, 9], verdict: { path: [0], next: 9 }, wasRefused: true, hasEnded: false },
    };
    const event = { type: "pass", draft, outcome, figures } as const;
    expect(passLine(event, tokenizer, paintFor(false))).to.equal('1/3  +"<5>" x"<6>" ="<9>"\n');
    const escape = String.fromCharCode(27);
    expect(passLine(event, tokenizer, paintFor(true))).to.contain(`${escape}[32m+"<5>"${escape}`);
  });

  it("lets a student's verify decide, and refuses a wrong answer with a sentence", () => {
    const file = at("exercise.ts");
    const args = ["--prompt", "Hello", "--max-tokens", "8", "--length", "3", "--use", file];
    writeFileSync(
      file,
      `export function verify(draft: Int32Array, q: Float64Array[], p: Float64Array[], rng: () => number) {
        let accepted = 0;
        while (accepted < draft.length && rng() * q[accepted]![draft[accepted]!]! < p[accepted]![draft[accepted]!]!) accepted++;
        return { accepted, next: p[accepted]!.indexOf(Math.max(...p[accepted]!)) };
      }`,
    );
    expect(report(...args)["sameText"]).to.equal(true);
    writeFileSync(file, `export function verify() { return { accepted: 99, next: 0 }; }`);
    const { status, stderr } = speculate(...pair, ...args);
    expect(stderr).to.match(
      /verify of .*exercise\.ts answered with something unusable at \.accepted/,
    );
    expect(status).to.equal(1);
  });

  const refused: readonly (readonly [string, () => readonly string[], number, RegExp])[] = [
    ["no prompt", () => [], 2, /--prompt/],
    [
      "a reference for a model",
      () => ["--prompt", "x", "--reference", "README.md"],
      2,
      /--reference is a text to look in: choose --source ngram/,
    ],
    [
      "a reference that is not there",
      () => ["--prompt", "x", "--source", "ngram", "--reference", at("none.txt")],
      1,
      /none\.txt/,
    ],
    [
      "a pair with different tokens",
      () => ["--prompt", "x", "--draft", at("stranger.gguf")],
      1,
      /Token 300 is "elsewhere" to the draft model and ".*" to the target; they need the same tokenizer/,
    ],
    [
      "a draft without a tokenizer",
      () => ["--prompt", "x", "--draft", at("no-tokenizer.gguf")],
      1,
      /no tokenizer/,
    ],
    ["a missing file", () => ["--prompt", "x", "--draft", at("none.gguf")], 1, /no such file/],
    ["a length of nothing", () => ["--prompt", "x", "--length", "0"], 2, /at least 1/],
    ["a length of too much", () => ["--prompt", "x", "--length", "33"], 2, /from 1 to 32/],
    ["too many branches", () => ["--prompt", "x", "--branches", "9"], 2, /at most 8 are tried/],
    ["no tokens", () => ["--prompt", "x", "--max-tokens", "0"], 2, /at least 1 is needed/],
    ["an unknown source", () => ["--prompt", "x", "--source", "oracle"], 2, /model, ngram, tree/],
    [
      "a student's verify for a tree",
      () => ["--prompt", "x", "--source", "tree", "--use", at("exercise.ts")],
      2,
      /--use verifies chains: choose --source model or ngram/,
    ],
    [
      "a prompt beyond the context",
      () => ["--prompt", "x ".repeat(100)],
      1,
      /The prompt has \d+ tokens, and target\.gguf looks back on 64; shorten it/,
    ],
  ];
  for (const [what, args, exit, message] of refused) {
    it(`refuses ${what} in one sentence`, () => {
      const { status, stdout, stderr } = speculate(...pair, ...args());
      expect(stderr).to.match(message);
      expect([status, stdout]).to.deep.equal([exit, ""]);
    });
  }

  for (const source of ["model", "tree", "ngram"]) {
    it(`writes at temperature 0 what a real model writes plainly on cpu: ${source}`, function () {
      const target = outsideData(this, "models/stories260K-f32.gguf");
      const draft = outsideData(this, "models/stories260K-q4_0.gguf");
      const args = ["--target", target, "--draft", draft, "--source", source, "--device", "cpu"];
      const { status, stdout, stderr } = runInfinity(
        ...["speculate", "--prompt", "Once upon a time", "--rounds", "1", "--json", ...args],
      );
      expect(status, stderr).to.equal(0);
      expect((JSON.parse(stdout) as { sameText: boolean }).sameText).to.equal(true);
    });
  }
});
