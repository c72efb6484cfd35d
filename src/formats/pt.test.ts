import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { rejection } from "../testing.ts";
import { bytesSource } from "./byte-source.ts";
import { cube, even, golden, goldenBytes, grid, integers } from "./fixtures/golden.ts";
import { openPt } from "./pt.ts";

/** cube[i, j, k] is 12 i + 4 j + k; transposed it is read as [k, j, i]. */
const transposed = Float32Array.from({ length: 24 }, (_, n) => {
  const [k, j, i] = [Math.floor(n / 6), Math.floor(n / 2) % 3, n % 2];
  return cube[12 * i + 4 * j + k]!;
});

/** `bytes` with the one occurrence of `from` replaced by `to`, which is as long. */
function patched(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const copy = Buffer.from(bytes);
  const at = copy.lastIndexOf(from, undefined, "latin1");
  expect(at).to.be.greaterThan(0);
  copy.write(to, at, "latin1");
  return copy;
}

describe("pt", () => {
  it("reads a state dict", async () => {
    const file = await openPt(golden("state-dict.pt"));
    expect(
      file.tensors.map(({ name, shape, dtype, numBytes }) => [name, shape, dtype, numBytes]),
    ).to.deep.equal([
      ["layer.weight", [3, 4], "F32", 48],
      ["layer.bias", [3], "F32", 12],
    ]);
    expect(await file.readFloat32("layer.weight")).to.deep.equal(grid);
    expect(await file.readFloat32("layer.bias")).to.deep.equal(Float32Array.of(0.5, -0.25, 4));
  });

  it("reads a nested checkpoint of protocol 4: views, formats, lists; numbers are passed over", async () => {
    const file = await openPt(golden("checkpoint-protocol4.pt"));
    const expected: Record<string, Float32Array> = {
      "model.transposed": transposed,
      "model.slice": Float32Array.of(13, 14, 17, 18, 21, 22),
      "model.half": grid,
      "model.bf16": grid,
      "model.i64": integers,
      "model.even": even,
      "model.parameter": grid,
      "list.0": Float32Array.of(0.625),
      "list.2.0": new Float32Array(0),
    };
    expect(file.tensors.map(({ name }) => name)).to.deep.equal(Object.keys(expected));
    for (const [name, values] of Object.entries(expected)) {
      expect(await file.readFloat32(name), name).to.deep.equal(values);
    }
  });

  for (const name of ["bare", "deflated", "zip64"]) {
    it(`reads a tensor alone, ${name}`, async () => {
      const file = await openPt(golden(`${name}.pt`));
      expect(await file.readFloat32(name)).to.deep.equal(grid);
    });
  }

  const state = goldenBytes("state-dict.pt");
  const refused: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["a command, naming it", goldenBytes("command.pt"), /"posix\.system".*state_dict\(\) alone/],
    [
      "any other function of torch",
      patched(state, "_rebuild_tensor_v2", "_rebuild_tensor_xy"),
      /_xy"/,
    ],
    ["an expanded tensor", goldenBytes("expanded.pt"), /\.contiguous\(\)/],
    ["files from before PyTorch 1.6", goldenBytes("legacy.pt"), /before 1\.6/],
    ["foreign bytes", Buffer.from("hello"), /no file of torch\.save/],
    ["a truncated archive", state.subarray(0, -30), /no end record/],
    ["an archive without a pickle", patched(state, "data.pkl", "data.pkx"), /not one of PyTorch/],
    [
      "a storage that is not there",
      patched(state, "X\x01\0\0\x001q", "X\x01\0\0\x009q"),
      /no storage "9"/,
    ],
  ];
  for (const [what, bytes, message] of refused) {
    it(`refuses ${what}`, async () => {
      const error = await rejection(openPt(bytesSource("x.pt", bytes)));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message)
        .to.match(message)
        .and.to.match(/^x\.pt/);
    });
  }
});
