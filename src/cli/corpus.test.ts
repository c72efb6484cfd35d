import { expect } from "chai";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promptOf, storyAt, storyDocumentAt } from "../corpus/stories.ts";
import { readTokenizerFile } from "../corpus/tokenizer-file.ts";
import { runInfinity } from "../testing.ts";

describe("infinity corpus", () => {
  const folder = mkdtempSync(join(tmpdir(), "infinity-corpus-"));
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("prints the documents of a split", () => {
    const { status, stdout } = runInfinity(
      ...["corpus", "stories", "--split", "test", "--count", "2", "--seed", "3", "--start", "4"],
    );
    const documents = [4, 5].map((i) => storyDocumentAt("test", 3, i));
    expect(status).to.equal(0);
    expect(stdout).to.equal(`${documents.join("\n\n---\n\n")}\n`);
  });

  it("prints questions as lines of JSON", () => {
    const { status, stdout } = runInfinity("corpus", "questions", "--count", "5");
    const expected = [0, 1, 2, 3, 4].flatMap((i) => {
      const { text, questions } = storyAt("validation", 0, i);
      return questions.map((question) => ({
        context: promptOf(text, question),
        choices: question.options.map((option) => ` ${option}`),
        answer: question.answer,
      }));
    });
    expect(status).to.equal(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).to.deep.equal(expected);
  });

  it("trains a tokenizer on a text", async () => {
    const text = join(folder, "text.txt");
    const out = join(folder, "tokenizer.json");
    writeFileSync(text, storyDocumentAt("train", 0, 0));
    const { status, stdout } = runInfinity(
      ...["corpus", "tokenizer", "--text", text, "--vocab", "300", "--out", out],
    );
    expect([status, stdout]).to.deep.equal([0, `wrote ${out}: 300 tokens, 40 merges\n`]);
    expect((await readTokenizerFile(out)).tokens).to.have.length(300);
    expect(readFileSync(out, "utf8")).to.include('"ids": [');
  });

  it("says in one sentence what is wrong", () => {
    const text = join(folder, "bad.txt");
    const tokenizer = (...args: readonly string[]): readonly string[] => [
      ...["corpus", "tokenizer", "--out", join(folder, "none.json"), ...args],
    ];
    writeFileSync(text, Uint8Array.of(0x61, 0xff));
    for (const [args, status, message] of [
      [["corpus", "stories", "--split", "exam"], 2, "there are train, validation, test"],
      [["corpus", "stories", "--seed", "9000000"], 2, "no story with the seed 9000000"],
      [tokenizer("--vocab", "200"), 2, "need 260 or more"],
      [tokenizer("--text", text), 1, "no valid UTF-8 text: byte 1 is 0xFF"],
    ] as const) {
      const result = runInfinity(...args);
      expect(result.status, message).to.equal(status);
      expect(result.stderr.trim().split("\n")).to.have.length(1);
      expect(result.stderr).to.include(message);
    }
  });
});
