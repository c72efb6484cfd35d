import { expect } from "chai";
import { mkdtempSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTensors } from "../corpus/files.ts";
import { writeSafetensors } from "../formats/safetensors.ts";
import { sqnrDb } from "../quant/error.ts";
import { dequantizeLinear, quantizeLinear } from "../quant/linear.ts";
import { unpackCodes } from "../quant/pack.ts";
import { outsideData, runInfinity } from "../testing.ts";

const digits = "datasets/digits/digits.safetensors";

function quantize(...args: readonly string[]): ReturnType<typeof runInfinity> {
  return runInfinity("quantize", ...args);
}

function jsonOf(...args: readonly string[]): Record<string, unknown> {
  const { status, stdout, stderr } = quantize(...args, "--json");
  expect(status, stderr).to.equal(0);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe("infinity quantize", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-quantize-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("reports one tensor of the shipped network as JSON", async () => {
    const report = jsonOf("--input", digits, "--tensor", "fc1.weight", "--bits", "4");
    const file = await openTensors(digits);
    const W = await file.readFloat32("fc1.weight");
    await file.close();
    const peak = W.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
    expect(report).to.include({
      tensor: "fc1.weight",
      bits: 4,
      mode: "symmetric",
      convention: "max7",
      zeroPoint: 0,
    });
    expect(report["shape"]).to.deep.equal([256, 784]);
    expect(report["scale"]).to.equal(Math.fround(peak / 7));
    expect(report["bytesBefore"]).to.equal(256 * 784 * 4);
    expect(report["bytesAfter"]).to.equal((256 * 784) / 2 + 4);
    const back = W.map((w) => Math.fround(peak / 7) * Math.round(w / Math.fround(peak / 7)));
    expect(report["sqnrDb"]).to.be.closeTo(sqnrDb(W, back), 1e-3);
  });

  it("quantises a tensor of a GGUF model that llama.cpp wrote", function () {
    const model = outsideData(this, "models/stories260K-f32.gguf");
    const report = jsonOf(
      "--input",
      model,
      "--tensor",
      "blk.0.attn_q.weight",
      "--granularity",
      "group:32",
      "--scale-type",
      "F16",
    );
    expect(report["shape"]).to.deep.equal([64, 64]);
    expect(report["bytesBefore"]).to.equal(64 * 64 * 4);
    expect(report["bytesAfter"]).to.equal((64 * 64) / 2 + 128 * 2);
  });

  it("prints statistics, scale, error, bytes and two histograms", () => {
    const { stdout } = quantize(
      "--input",
      digits,
      "--tensor",
      "fc2.weight",
      "--mode",
      "asymmetric",
    );
    for (const part of [
      "before   mean",
      "after    mean",
      "scale S",
      "zero point Z",
      "MSE",
      "SQNR",
      "% saved",
      "weights before",
      "weights after",
      "█",
    ]) {
      expect(stdout).to.include(part);
    }
  });

  it("writes packed codes, scales and zero points that give the same weights back", async () => {
    const out = join(folder, "packed.safetensors");
    const options = ["--bits", "3", "--mode", "asymmetric", "--granularity", "group:32"];
    const report = jsonOf("--input", digits, "--tensor", "fc2.weight", ...options, "--out", out);
    const written = await openTensors(out);
    const read = async (part: string): Promise<Float32Array> =>
      written.readFloat32(`fc2.weight.${part}`);
    const [codes, scales, zeros] = [
      await read("codes"),
      await read("scales"),
      await read("zero_points"),
    ];
    expect(report["bytesAfter"]).to.equal(codes.length + 4 * scales.length + zeros.length);
    const source = await openTensors(digits);
    const W = await source.readFloat32("fc2.weight");
    const want = dequantizeLinear(
      quantizeLinear(W, 10, 256, { bits: 3, mode: "asymmetric", granularity: { group: 32 } }),
    );
    const unpacked = unpackCodes(Uint8Array.from(codes), W.length, 3, false);
    const zeroPoints = unpackCodes(Uint8Array.from(zeros), scales.length, 3, false);
    const back = want.map((_, i) => scales[i >> 5]! * (unpacked[i]! - zeroPoints[i >> 5]!));
    expect(back).to.deep.equal(want);
    await Promise.all([written.close(), source.close()]);
  });

  for (const extra of [
    [],
    ["--clip", "mse"],
    ["--granularity", "row"],
    ["--mode", "asymmetric"],
    ["--convention", "ggml"],
  ]) {
    it(`runs the functions of an exercise file: ${extra.join(" ") || "symmetric"}`, () => {
      const args = ["--input", digits, "--tensor", "fc2.weight", ...extra];
      const ours = jsonOf(...args);
      const theirs = jsonOf(...args, "--use", "solutions/01-linear-quantizer.ts");
      expect(theirs["mse"]).to.be.closeTo(ours["mse"] as number, 1e-3 * (ours["mse"] as number));
    });
  }

  it("says so where the exercise is not written yet", () => {
    const { status, stderr } = quantize(
      "--input",
      digits,
      "--tensor",
      "fc2.weight",
      "--use",
      "exercises/.stubs/01-linear-quantizer.ts",
    );
    expect(status).to.equal(1);
    expect(stderr).to.match(/not written yet/);
  });

  describe("bad input: one sentence, nothing written", () => {
    const file = (name: string, values: number[], shape = [values.length]): string => {
      const path = join(folder, name);
      writeFileSync(
        path,
        writeSafetensors([{ name: "w", dtype: "F32", shape, data: new Float32Array(values) }]),
      );
      return path;
    };
    const cases: readonly (readonly [string, () => readonly string[], number, RegExp])[] = [
      ["a NaN", () => ["--input", file("nan.safetensors", [1, 2, NaN])], 1, /Value 2 is NaN/],
      [
        "an infinity",
        () => ["--input", file("inf.safetensors", [-Infinity, 2])],
        1,
        /Value 0 is -Infinity/,
      ],
      [
        "9 bits",
        () => ["--input", digits, "--tensor", "fc2.weight", "--bits", "9"],
        2,
        /2 to 8 bits, not 9/,
      ],
      ["bits that are no number", () => ["--input", digits, "--bits", "four"], 2, /whole number/],
      [
        "a group that does not divide",
        () => ["--input", digits, "--tensor", "fc1.weight", "--granularity", "group:32"],
        1,
        /Groups of 32 do not divide a row of 784 weights; use a divisor such as 28 or 49/,
      ],
      ["a foreign file", () => ["--input", "README.md"], 1, /README.md is no tensor file/],
      ["no such file", () => ["--input", "nowhere.gguf"], 1, /nowhere.gguf/],
      [
        "an unknown tensor",
        () => ["--input", digits, "--tensor", "fc1.wieght"],
        1,
        /nearest names are "fc1.weight"/,
      ],
      ["several tensors and no name", () => ["--input", digits], 1, /fc1.weight/],
      ["an unknown mode", () => ["--input", digits, "--mode", "cubic"], 2, /symmetric, asymmetric/],
      ["no input", () => [], 2, /--input/],
    ];
    for (const [name, args, exit, message] of cases) {
      it(name, () => {
        const out = join(folder, "out.safetensors");
        const { status, stdout, stderr } = quantize(...args(), "--out", out);
        expect(stderr).to.match(message);
        expect(status).to.equal(exit);
        expect(stdout).to.equal("");
        expect(existsSync(out)).to.equal(false);
      });
    }

    it("a truncated file", () => {
      const whole = file("whole.safetensors", [1, 2, 3, 4]);
      const cut = join(folder, "cut.safetensors");
      const bytes = writeSafetensors([
        { name: "w", dtype: "F32", shape: [4], data: new Float32Array(4) },
      ]);
      writeFileSync(cut, bytes.subarray(0, statSync(whole).size - 3));
      const { status, stderr } = quantize("--input", cut);
      expect(stderr.trim().split("\n")).to.have.length(1);
      expect(status).to.equal(1);
      expect(readdirSync(folder).filter((entry) => entry.includes("tmp"))).to.deep.equal([]);
    });
  });
});
