/**
 * Damaged files: thousands of mutations of each golden file are read to the end or refused with an
 * InputError, fast, and without taking more memory than a file can fill.
 */
import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { randomInt, seededRng, type Rng } from "../core/rng.ts";
import { bytesSource } from "./byte-source.ts";
import { goldenBytes, goldenFiles } from "./fixtures/golden.ts";
import { openTensorFile } from "./tensor-file.ts";

const mutationsPerFile = 1000;
const deadlineMs = 100;
/** Bytes that sit at the edges of signed and unsigned numbers, and the letters of the formats. */
const interesting = [0, 1, 0x7f, 0x80, 0xff, ...Buffer.from('{}[]()",.-0q')];

function mutated(bytes: Uint8Array, rng: Rng): Uint8Array {
  const copy = new Uint8Array(bytes);
  for (let i = randomInt(rng, 4); i >= 0; i--) {
    const at = randomInt(rng, copy.length);
    const kind = randomInt(rng, 4);
    if (kind === 0) copy[at]! ^= 1 << randomInt(rng, 8);
    if (kind === 1) copy[at] = interesting[randomInt(rng, interesting.length)]!;
    if (kind === 2) copy.fill(randomInt(rng, 2) * 0xff, at, at + 1 + randomInt(rng, 8));
    if (kind === 3) copy.copyWithin(at, randomInt(rng, copy.length), copy.length);
  }
  const length = rng() < 0.2 ? randomInt(rng, copy.length) : copy.length;
  return copy.subarray(0, length);
}

/** Reads every plain tensor; true where the file was understood as a whole. */
async function isReadable(name: string, bytes: Uint8Array): Promise<boolean> {
  try {
    const file = await openTensorFile(bytesSource(name, bytes));
    for (const tensor of file.tensors) {
      // Deflate unpacks to at most 1032 times, and float32 is at most 4 times as wide.
      expect(tensor.numBytes).to.be.at.most(1032 * bytes.length);
      const values = await file.readFloat32(tensor.name);
      expect(values.length).to.be.at.most(tensor.numBytes);
    }
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

describe("damaged files", () => {
  for (const name of goldenFiles) {
    it(`${name}: every mutation is read or refused`, async () => {
      const rng = seededRng(20_260);
      const golden = goldenBytes(name);
      let refused = 0;
      for (let i = 0; i < mutationsPerFile; i++) {
        const bytes = mutated(golden, rng);
        const timed = async (): Promise<number> => {
          const start = performance.now();
          if (!(await isReadable(name, bytes))) refused++;
          return performance.now() - start;
        };
        // A busy machine may be slow once; a slow parser is slow again.
        if ((await timed()) > deadlineMs) expect(await timed()).to.be.below(deadlineMs);
      }
      expect(refused).to.be.greaterThan(mutationsPerFile / 20);
    });
  }

  it("a CSV with damaged lines is read or refused", async () => {
    const rng = seededRng(7);
    const golden = Buffer.from('a,"b",c\n' + "1.5,-2e3,nan\n".repeat(20));
    for (let i = 0; i < mutationsPerFile; i++) await isReadable("t.csv", mutated(golden, rng));
  });
});
