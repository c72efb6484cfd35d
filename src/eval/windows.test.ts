import { expect } from "chai";
import * as fc from "fast-check";
import { InputError, UsageError } from "../core/errors.ts";
import { llamaCppWindows, stridedWindows, type TextWindow } from "./windows.ts";

/** How often each token is scored. */
function coverage(numTokens: number, windows: readonly TextWindow[]): number[] {
  const counts = new Array<number>(numTokens).fill(0);
  for (const { scoreFrom, end } of windows) {
    for (let i = scoreFrom; i < end; i++) counts[i]!++;
  }
  return counts;
}

describe("strided windows", () => {
  it("are those worked by hand", () => {
    expect(stridedWindows(10, 6, 3)).to.deep.equal([
      { begin: 0, end: 6, scoreFrom: 1 },
      { begin: 3, end: 9, scoreFrom: 6 },
      { begin: 6, end: 10, scoreFrom: 9 },
    ]);
    expect(stridedWindows(3, 512, 256)).to.deep.equal([{ begin: 0, end: 3, scoreFrom: 1 }]);
  });

  it("score every token but the first once, after at least context − stride others", () => {
    const shape = fc
      .tuple(
        fc.integer({ min: 2, max: 300 }),
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 1, max: 39 }),
      )
      .filter(([, context, stride]) => stride < context);
    fc.assert(
      fc.property(shape, ([numTokens, context, stride]) => {
        const windows = stridedWindows(numTokens, context, stride);
        expect(coverage(numTokens, windows)).to.deep.equal([
          0,
          ...new Array<number>(numTokens - 1).fill(1),
        ]);
        for (const { begin, end, scoreFrom } of windows) {
          expect(end - begin).to.be.at.most(context);
          if (begin > 0) expect(scoreFrom - begin).to.be.at.least(context - stride);
        }
      }),
    );
  });

  it("are disjoint where the stride is the context, and leave the first token of each out", () => {
    const windows = stridedWindows(11, 5, 5);
    expect(windows).to.deep.equal([
      { begin: 0, end: 5, scoreFrom: 1 },
      { begin: 5, end: 10, scoreFrom: 6 },
    ]);
    expect(coverage(11, windows)).to.deep.equal([0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0]);
  });

  it("are refused where tokens would be left out or nothing can be scored", () => {
    for (const stride of [0, 6, 2.5]) {
      expect(() => stridedWindows(10, 5, stride)).to.throw(UsageError, /from 1 to the context/);
    }
    expect(() => stridedWindows(10, 1, 1)).to.throw(UsageError, /at least 2/);
    expect(() => stridedWindows(1, 5, 5)).to.throw(InputError, /1 tokens; perplexity needs/);
  });
});

describe("llama.cpp's windows", () => {
  it("score the second half of disjoint chunks behind the begin token", () => {
    // llama-perplexity takes the logits of positions n/2 to n − 2, so it scores n/2 + 1 to n − 1.
    expect(llamaCppWindows(17, 8, 1)).to.deep.equal([
      { begin: 0, end: 8, scoreFrom: 5, first: 1 },
      { begin: 8, end: 16, scoreFrom: 13, first: 1 },
    ]);
    expect(llamaCppWindows(1024, 512).map(({ scoreFrom, end }) => end - scoreFrom)).to.deep.equal([
      255, 255,
    ]);
    expect(llamaCppWindows(14, 7)[1]).to.deep.equal({ begin: 7, end: 14, scoreFrom: 11 });
  });

  it("need two contexts", () => {
    expect(() => llamaCppWindows(1023, 512)).to.throw(
      InputError,
      /1023 tokens.*1024; take a longer/,
    );
    expect(() => llamaCppWindows(99, 2)).to.throw(UsageError, /at least 3/);
  });
});
