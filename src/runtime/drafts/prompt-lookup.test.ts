import { expect } from "chai";
import fc from "fast-check";
import { lookUp, PromptLookup } from "./prompt-lookup.ts";

describe("prompt lookup", () => {
  it("copies what followed the last words the last time", () => {
    expect([...lookUp([1, 2, 3, 9, 1, 2, 3, 8, 5, 1, 2, 3], 2)]).to.deep.equal([8, 5]);
  });

  it("prefers a longer match to a later one", () => {
    expect([...lookUp([1, 2, 3, 7, 7, 3, 4, 4, 2, 3], 2)]).to.deep.equal([7, 7]);
    expect([...lookUp([1, 2, 3, 7, 7, 3, 4, 4, 2, 3], 2, 1)]).to.deep.equal([4, 4]);
  });

  it("finds nothing where the last token is new, and does not find the suffix itself", () => {
    expect(lookUp([1, 2, 3], 4)).to.have.lengthOf(0);
    expect(lookUp([1], 4)).to.have.lengthOf(0);
    expect(lookUp([], 4)).to.have.lengthOf(0);
  });

  it("goes on into a repetition that overlaps the suffix", () => {
    expect([...lookUp([5, 5, 5], 4)]).to.deep.equal([5]);
    expect([...lookUp([1, 2, 1, 2, 1], 4)]).to.deep.equal([2, 1]);
  });

  it("finds what a search over all places finds", () => {
    const tokens = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 24 });
    fc.assert(
      fc.property(tokens, fc.integer({ min: 1, max: 4 }), (sequence, most) => {
        const text = sequence.join("");
        let wanted = "";
        for (let size = Math.min(most, text.length - 1); size >= 1 && wanted === ""; size--) {
          const at = text.slice(0, -1).lastIndexOf(text.slice(-size));
          if (at >= 0) wanted = text.slice(at + size, at + size + 5);
        }
        expect(lookUp(sequence, 5, most).join("")).to.equal(wanted);
      }),
      { numRuns: 1000 },
    );
  });

  it("gives a chain that was chosen without chance", async () => {
    const draft = await new PromptLookup().propose([1, 2, 3, 1, 2], 2);
    expect([...draft.tokens]).to.deep.equal([3, 1]);
    expect([...draft.parents]).to.deep.equal([-1, 0]);
    expect(draft.proposals).to.deep.equal([]);
  });

  it("looks in a reference as well, and in the sequence first", async () => {
    const lookup = new PromptLookup({ reference: [1, 2, 3, 4, 9, 1, 5] });
    const guessed = async (sequence: readonly number[], length: number): Promise<number[]> => [
      ...(await lookup.propose(sequence, length)).tokens,
    ];
    expect(await guessed([7, 1, 2], 2)).to.deep.equal([3, 4]);
    expect(await guessed([1, 2, 8, 7, 1, 2], 2)).to.deep.equal([8, 7]);
    expect(await guessed([6], 2)).to.deep.equal([]);
  });
});
