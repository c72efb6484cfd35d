import { expect } from "chai";
import { openGguf } from "../formats/gguf/gguf-file.ts";
import { layOutGguf } from "../formats/gguf/gguf-writer.ts";
import { countAt } from "../formats/gguf/metadata-access.ts";
import { llamaPlan, numWeights } from "./llama-plan.ts";

describe("plan of a Llama 3 file", () => {
  it("has the published numbers of tensors and weights", () => {
    const [small, large] = [llamaPlan("8B", "q4_k_m"), llamaPlan("70B", "q6_k")];
    expect([small.tensors.length, large.tensors.length]).to.deep.equal([291, 723]);
    expect(numWeights(small.tensors)).to.equal(8_030_261_248);
    expect(numWeights(large.tensors)).to.equal(70_553_706_496);
  });

  it("is a header that the reader takes, as far as it goes", async () => {
    const { header, fileSize } = layOutGguf(llamaPlan("70B", "q6_k"));
    expect(fileSize).to.be.greaterThan(50 * 2 ** 30);
    const file = await openGguf({
      name: "plan.gguf",
      size: fileSize,
      read: (offset, length) => {
        const bytes = new Uint8Array(length);
        bytes.set(header.subarray(offset, offset + length));
        return Promise.resolve(bytes);
      },
    });
    expect(countAt(file, "llama.block_count")).to.equal(80);
    expect(file.tensors.at(-1)).to.deep.include({ name: "output.weight", shape: [128_256, 8192] });
  });
});
