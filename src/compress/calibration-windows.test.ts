import { expect } from "chai";
import { InputError, UsageError } from "../core/errors.ts";
import { storyDocuments } from "../corpus/stories.ts";
import { loadTokenizer } from "../corpus/tokenizer-file.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { windowsOfStories, windowsOfText } from "./calibration-windows.ts";

const options = { numTokens: 320, numHeldOut: 128, contextLength: 64 };

describe("calibration windows", () => {
  let tokenizer: Tokenizer;
  let text: string;
  before(async () => {
    tokenizer = await loadTokenizer();
    const documents = storyDocuments("test", 1);
    text = Array.from({ length: 12 }, () => documents.next().value).join("\n");
  });

  it("cut a text into windows that begin as the model's texts do, the end held out", () => {
    const { calibration, heldOut } = windowsOfText(tokenizer, text, "text", options);
    expect(calibration).to.have.lengthOf(5);
    expect(heldOut).to.have.lengthOf(2);
    const tokens = tokenizer.encode(text, { addSpecial: false });
    const { bos } = tokenizer.vocabulary;
    calibration.forEach((window, i) => {
      expect([...window]).to.deep.equal([bos, ...tokens.subarray(i * 63, (i + 1) * 63)]);
    });
    const numWindows = Math.floor(tokens.length / 63);
    const firstHeldOut = numWindows - Math.floor(numWindows / 5);
    expect([...heldOut[0]!.subarray(1)]).to.deep.equal([
      ...tokens.subarray(firstHeldOut * 63, (firstHeldOut + 1) * 63),
    ]);
  });

  it("never judge by what was calibrated with", () => {
    const all = { ...options, numTokens: 1e6, numHeldOut: 1e6 };
    const { calibration, heldOut } = windowsOfText(tokenizer, text, "text", all);
    const used = new Set(calibration.map(String));
    expect(heldOut.some((window) => used.has(String(window)))).to.equal(false);
    const numWindows = Math.floor(tokenizer.encode(text, { addSpecial: false }).length / 63);
    expect(calibration.length + heldOut.length).to.equal(numWindows);
  });

  it("of stories come from the splits for learning and for choosing", () => {
    const { calibration, heldOut } = windowsOfStories(tokenizer, options);
    expect(calibration.map(({ length }) => length)).to.deep.equal([64, 64, 64, 64, 64]);
    expect(heldOut).to.have.lengthOf(2);
    expect(heldOut.map(String)).to.not.include(String(calibration[0]));
    expect(windowsOfStories(tokenizer, options)).to.deep.equal({ calibration, heldOut });
  });

  it("need a text of two windows", () => {
    expect(() => windowsOfText(tokenizer, "Once upon a time", "short.txt", options)).to.throw(
      InputError,
      /short\.txt has \d+ tokens, and two windows of 64 are needed/,
    );
    const wrong = { ...options, numTokens: 32 };
    expect(() => windowsOfText(tokenizer, text, "text", wrong)).to.throw(
      UsageError,
      "windows of 64 do not fit 32 tokens to calibrate with and 128 held out",
    );
  });
});
