import { expect } from "chai";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rejection } from "../testing.ts";
import { choiceFileText, readChoiceFile } from "./choice-file.ts";
import { storyQuestions } from "./story-questions.ts";

describe("choice files", () => {
  let folder: string;
  let path: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-choices-"));
    path = join(folder, "questions.jsonl");
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("hold what was written to them, as far as it is wanted", async () => {
    const questions = storyQuestions("test", 1, 7);
    expect(questions).to.have.lengthOf(7);
    writeFileSync(path, choiceFileText(questions));
    expect(await readChoiceFile(path)).to.deep.equal(questions);
    expect(await readChoiceFile(path, 3)).to.deep.equal(questions.slice(0, 3));
  });

  it("may have other keys and empty lines", async () => {
    const line = '{"id": 5, "context": "Q", "choices": ["a", "b"], "answer": 1}';
    writeFileSync(path, `\n${line}\r\n\n`);
    const [question] = await readChoiceFile(path);
    expect(question).to.deep.equal({ context: "Q", choices: ["a", "b"], answer: 1 });
  });

  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ["no JSON", "context: x", /Line 2 of .*: it is no JSON object/],
    ["a choice too few", '{"context":"Q","choices":["a"],"answer":0}', /Line 2 .*choices/],
    ["an empty choice", '{"context":"Q","choices":["a",""],"answer":0}', /choices/],
    ["no context", '{"choices":["a","b"],"answer":0}', /context/],
    [
      "an answer that is none",
      '{"context":"Q","choices":["a","b"],"answer":2}',
      /no choice of that/,
    ],
    ["a number as text", '{"context":"Q","choices":["a","b"],"answer":"1"}', /answer/],
  ];
  for (const [what, line, message] of wrong) {
    it(`are refused with ${what}`, async () => {
      writeFileSync(path, `${choiceFileText(storyQuestions("test", 0, 1))}${line}\n`);
      expect((await rejection(readChoiceFile(path))).message).to.match(message);
    });
  }

  it("are refused without a question", async () => {
    writeFileSync(path, "\n\n");
    expect((await rejection(readChoiceFile(path))).message).to.match(/holds no question/);
  });
});
