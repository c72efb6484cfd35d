import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { rejection } from "../testing.ts";
import { bytesSource } from "./byte-source.ts";
import { golden, goldenBytes, grid } from "./fixtures/golden.ts";
import { findTensor, openTensorFile } from "./tensor-file.ts";

describe("tensor file", () => {
  for (const [file, format, tensor] of [
    ["golden.gguf", "gguf", "grid.f32"],
    ["grid.safetensors", "safetensors", "grid.bf16"],
    ["f4.npy", "npy", "data"],
    ["state-dict.pt", "pt", "layer.weight"],
  ] as const) {
    it(`knows ${format} by its first bytes, whatever the file is called`, async () => {
      const opened = await openTensorFile(bytesSource("data", goldenBytes(file)));
      expect([opened.format, opened.name]).to.deep.equal([format, "data"]);
      expect(await opened.readFloat32(tensor)).to.deep.equal(grid);
    });
  }

  for (const extension of ["csv", "tsv", "CSV"]) {
    it(`knows a table by the extension .${extension}`, async () => {
      const opened = await openTensorFile(bytesSource(`t.${extension}`, Buffer.from("1,2\n")));
      expect(opened.format).to.equal("csv");
    });
  }

  for (const [extension, message] of [
    ["gguf", /not "GGUF"/],
    ["safetensors", /too large|limit|fit/],
    ["npy", /NUMPY/],
    ["pth", /torch\.save/],
  ] as const) {
    it(`says what is wrong with a .${extension} that begins differently`, async () => {
      const source = bytesSource(`x.${extension}`, Buffer.from("something else altogether"));
      expect((await rejection(openTensorFile(source))).message).to.match(message);
    });
  }

  it("names the formats for a foreign file", async () => {
    const error = await rejection(
      openTensorFile(bytesSource("cat.jpg", Uint8Array.of(0xff, 0xd8))),
    );
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/^cat\.jpg is no tensor file: GGUF, safetensors.*\.csv/);
  });
});

describe("findTensor", () => {
  it("finds a tensor by name, and the only one without", async () => {
    const many = await openTensorFile(golden("state-dict.pt"));
    const one = await openTensorFile(golden("f4.npy"));
    expect(findTensor(many, "layer.bias").shape).to.deep.equal([3]);
    expect(findTensor(one, undefined).name).to.equal("f4");
  });

  it("says what there is", async () => {
    const many = await openTensorFile(golden("state-dict.pt"));
    expect(() => findTensor(many, undefined)).to.throw(
      InputError,
      /holds 2 tensors.*"layer.weight"/,
    );
    expect(() => findTensor(many, "layer.wieght")).to.throw(InputError, /nearest.*"layer.weight"/);
    const none = { name: "vocab.gguf", tensors: [] };
    expect(() => findTensor(none, undefined)).to.throw(InputError, /holds no tensors/);
  });
});
