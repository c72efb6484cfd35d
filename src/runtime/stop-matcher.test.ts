import { expect } from "chai";
import fc from "fast-check";
import { StopMatcher } from "./stop-matcher.ts";

describe("stop matcher", () => {
  it("holds back what may be a stop string, and lets it go when it is none", () => {
    const matcher = new StopMatcher(["END", "ok"]);
    expect(matcher.push("the EN")).to.deep.equal({ text: "the ", hasStopped: false });
    expect(matcher.push("E")).to.deep.equal({ text: "ENE".slice(0, 2), hasStopped: false });
    expect(matcher.flush()).to.equal("E");
    expect(matcher.push("a ok b")).to.deep.equal({ text: "a ", hasStopped: true });
  });

  it("gives the text up to the first stop string, however it is cut", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 0, maxLength: 4 });
    const pieces = fc.array(word, { maxLength: 10 });
    fc.assert(
      fc.property(pieces, fc.array(word, { maxLength: 3 }), (texts, stops) => {
        const matcher = new StopMatcher(stops);
        const whole = texts.join("");
        let found = "";
        let hasStopped = false;
        for (const text of texts) {
          const matched = matcher.push(text);
          found += matched.text;
          hasStopped = matched.hasStopped;
          if (hasStopped) break;
        }
        if (!hasStopped) found += matcher.flush();
        // The first in the text; of those that end at the same place the one that begins first.
        const ends = stops
          .filter((stop) => stop !== "" && whole.includes(stop))
          .map((stop) => whole.indexOf(stop) + stop.length);
        expect(hasStopped).to.equal(ends.length > 0);
        if (!hasStopped) expect(found).to.equal(whole);
        else {
          expect(whole.startsWith(found)).to.equal(true);
          expect(
            stops.some((stop) => stop !== "" && whole.startsWith(stop, found.length)),
          ).to.equal(true);
          expect(stops.some((stop) => stop !== "" && found.includes(stop))).to.equal(false);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
