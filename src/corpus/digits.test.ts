import { expect } from "chai";
import { createHash } from "node:crypto";
import { UsageError } from "../core/errors.ts";
import { seededRng } from "../core/rng.ts";
import { massOf } from "./digits-pen.ts";
import { digitPixels, drawDigit, generateDigits } from "./digits.ts";

/** Of the labels and grey levels of 200 digits of seed 7; the same on Node 20 and 24. */
const golden = "7b1bbbb1d3e2be58e42efa2788891f19e7e1a75617b1643f65076e6169e36cf2";

const digits = generateDigits(2_000, 7);
const pictures = [...digits.labels.keys()].map((i) =>
  digits.images.subarray(i * digitPixels, (i + 1) * digitPixels),
);

describe("generated digits", () => {
  it("are the same for the same seed, and a longer series begins with the shorter one", () => {
    const first = generateDigits(123, 7);
    expect(first.images).to.deep.equal(digits.images.slice(0, first.images.length));
    expect(first.labels).to.deep.equal(digits.labels.slice(0, 123));
    expect(generateDigits(123, 8).images).not.to.deep.equal(first.images);
  });

  it("are the ones that were drawn when the network was trained", () => {
    const levels = Uint8Array.from(
      digits.images.subarray(0, 200 * digitPixels),
      (x) => x * 255 + 0.5,
    );
    const hash = createHash("sha256").update(digits.labels.subarray(0, 200)).update(levels);
    expect(hash.digest("hex")).to.equal(golden);
  });

  it("hold each digit as often, and all ten in every ten", () => {
    for (let start = 0; start < 2_000; start += 10) {
      const ten = [...digits.labels.subarray(start, start + 10)].sort();
      expect(ten).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
  });

  it("are grey levels from 0 to 255, as white and as spread as MNIST's", () => {
    expect(digits.images.every((x) => x >= 0 && x <= 1)).to.equal(true);
    expect(digits.images.every((x) => Math.fround(Math.round(x * 255) / 255) === x)).to.equal(true);
    const mean = digits.images.reduce((sum, x) => sum + x, 0) / digits.images.length;
    const variance =
      digits.images.reduce((sum, x) => sum + (x - mean) ** 2, 0) / digits.images.length;
    // MNIST's training set has mean 0.1307 and standard deviation 0.3081.
    expect(mean).to.be.closeTo(0.1307, 0.01);
    expect(Math.sqrt(variance)).to.be.closeTo(0.3081, 0.01);
  });

  it("have their centre of mass in the middle, and ink about 20 pixels long", () => {
    for (const picture of pictures) {
      const { x, y } = massOf(picture);
      // Half a pixel from the rounding, and what uneven ink adds.
      expect(Math.abs(x - 14)).to.be.below(0.6);
      expect(Math.abs(y - 14)).to.be.below(0.6);
      expect(longerSide(picture)).to.be.within(17, 22);
    }
  });

  it("differ from each other by digit: the nearest mean picture tells most of them", () => {
    const means = Array.from({ length: 10 }, (_, digit) =>
      meanOf(pictures.slice(0, 1_000).filter((_, i) => digits.labels[i] === digit)),
    );
    const right = pictures.slice(1_000).filter((picture, i) => {
      const distances = means.map((mean) => distance(picture, mean));
      return distances.indexOf(Math.min(...distances)) === digits.labels[1_000 + i];
    });
    expect(right.length / 1_000).to.be.above(0.7);
  });

  it("can be none at all, and are refused beyond what memory holds", () => {
    expect(generateDigits(0, 1).images).to.have.length(0);
    for (const count of [-1, 1.5, NaN, 200_001]) {
      expect(() => generateDigits(count, 1)).to.throw(
        UsageError,
        "a whole number from 0 to 200000",
      );
    }
    expect(() => drawDigit(10, seededRng(1))).to.throw(UsageError, "There is no digit 10");
  });
});

/** Of the box around the pixels that are more ink than paper. */
function longerSide(picture: Float32Array): number {
  const inked = [...picture.keys()].filter((i) => picture[i]! > 0.5);
  const side = (places: number[]): number => Math.max(...places) - Math.min(...places) + 1;
  return Math.max(side(inked.map((i) => i % 28)), side(inked.map((i) => Math.floor(i / 28))));
}

function meanOf(pictures: readonly Float32Array[]): Float32Array {
  return new Float32Array(digitPixels).map(
    (_, i) => pictures.reduce((sum, picture) => sum + picture[i]!, 0) / pictures.length,
  );
}

function distance(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0);
}
