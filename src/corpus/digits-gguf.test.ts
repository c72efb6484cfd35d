import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { bytesSource } from "../formats/byte-source.ts";
import { openGguf } from "../formats/gguf/gguf-file.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import { digitsFromGguf, digitsGguf } from "./digits-gguf.ts";
import { digitSeeds, generateDigits } from "./digits.ts";
import { accuracy, classify, loadDigitsNetwork, type DigitsNetwork } from "./digits-model.ts";

async function reopened(bytes: Uint8Array): Promise<DigitsNetwork> {
  return digitsFromGguf(await openGguf(bytesSource("digits.gguf", bytes), dequantizeBlocks));
}

describe("the digit classifier as GGUF", () => {
  it("comes back bit for bit in F32", async () => {
    const network = await loadDigitsNetwork();
    const bytes = await digitsGguf(network, { hidden: "F32", output: "F32" });
    expect(await reopened(bytes)).to.deep.equal(network);
  });

  it("still reads digits in Q4_K, in less than a sixth of the bytes", async () => {
    const network = await loadDigitsNetwork();
    const full = await digitsGguf(network, { hidden: "F32", output: "F32" });
    const small = await digitsGguf(network, { hidden: "Q4_K", output: "Q6_K" });
    expect(small.length * 6).to.be.below(full.length);
    const { images, labels } = generateDigits(200, digitSeeds.test);
    expect(accuracy(classify(await reopened(small), images), labels)).to.be.above(0.95);
  });

  it("refuses weights that a format cannot hold", async () => {
    const network = await loadDigitsNetwork();
    const large = {
      ...network,
      fc1: { ...network.fc1, weight: network.fc1.weight.map(() => 1e9) },
    };
    const error = await digitsGguf(large, { hidden: "F16", output: "F16" }).catch(
      (caught: unknown) => caught,
    );
    expect(error).to.be.instanceOf(InputError);
  });
});
