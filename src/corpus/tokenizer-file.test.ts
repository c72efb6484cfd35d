import { expect } from "chai";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { rejection } from "../testing.ts";
import { readTokenizerFile, storyTokenizerPath, tokenizerJson } from "./tokenizer-file.ts";

interface File {
  added_tokens: unknown[];
  pre_tokenizer: unknown;
  model: { type: string; vocab: Record<string, unknown>; merges: unknown[] };
}

describe("tokenizer files", () => {
  const folder = mkdtempSync(join(tmpdir(), "infinity-tokenizer-"));
  const path = join(folder, "tokenizer.json");
  const shipped = readFileSync(storyTokenizerPath, "utf8");
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("are read and written again without a change", async () => {
    expect(tokenizerJson(await readTokenizerFile())).to.equal(shipped);
  });

  it("of other models are refused, and damaged ones", async () => {
    const damages: readonly (readonly [string, (file: File) => void])[] = [
      ["its pre-tokenizer is another", (file) => (file.pre_tokenizer = { type: "Whitespace" })],
      ["at model.type", (file) => (file.model.type = "WordPiece")],
      ["ids are missing or repeated", (file) => delete file.model.vocab["b"]],
      ["ids are missing or repeated", (file) => (file.model.vocab["x y"] = 5)],
      ["at model.vocab.a", (file) => (file.model.vocab["a"] = "b")],
      ["special tokens are not the first", (file) => file.added_tokens.reverse()],
      ["at model.merges.0", (file) => (file.model.merges[0] = ["Ġ", "t"])],
    ];
    for (const [message, damage] of damages) {
      const file = JSON.parse(shipped) as File;
      damage(file);
      writeFileSync(path, JSON.stringify(file));
      const error = await rejection(readTokenizerFile(path));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.include(message);
    }
    writeFileSync(path, shipped.slice(0, -10));
    expect((await rejection(readTokenizerFile(path))).message).to.include("is no JSON");
    expect(await rejection(readTokenizerFile(join(folder, "none")))).to.be.instanceOf(InputError);
  });
});
