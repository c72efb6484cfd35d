import { expect } from "chai";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { normal, seededRng } from "../core/rng.ts";
import { openGgufFile, writeAtomically } from "../corpus/files.ts";
import { writeGguf, type GgufTensor } from "../formats/gguf/gguf-writer.ts";
import type { GgufValue } from "../formats/gguf/metadata.ts";
import { outsideData, runInfinity } from "../testing.ts";

const golden = "src/formats/fixtures/golden.gguf";
const bigEndian = "src/formats/fixtures/golden-big-endian.gguf";

function gguf(...args: readonly string[]): ReturnType<typeof runInfinity> {
  return runInfinity("gguf", ...args);
}

function jsonOf(...args: readonly string[]): Record<string, unknown> {
  const { status, stdout, stderr } = gguf(...args, "--json");
  expect(status, stderr).to.equal(0);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe("infinity gguf", () => {
  let folder: string;
  let model: string;
  const at = (name: string): string => join(folder, name);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "infinity-gguf-"));
    model = at("model.gguf");
    await writeModel(model);
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  describe("peek", () => {
    it("prints version, metadata and tensors as JSON, shapes in the file's order", () => {
      const report = jsonOf("peek", golden);
      expect(report).to.include({ version: 3, tensorCount: 5, kvCount: 19, littleEndian: true });
      const metadata = report["metadata"] as Record<string, unknown>;
      expect(metadata["a.u64"]).to.equal("18446744073709551615");
      expect(metadata["an.array.of.strings"]).to.deep.equal(["", "two", "三"]);
      expect(metadata["a.nested.array"]).to.deep.equal([[1, 2], [3]]);
      const tensors = report["tensors"] as Record<string, unknown>[];
      expect(tensors.slice(0, 3)).to.deep.equal([
        { name: "grid.f32", shape: [4, 3], type: "F32", offset: 0, bytes: 48 },
        { name: "grid.f16", shape: [4, 3], type: "F16", offset: 64, bytes: 24 },
        { name: "cube.i32", shape: [4, 3, 2], type: "I32", offset: 128, bytes: 96 },
      ]);
    });

    it("prints a table with long arrays cut", () => {
      const { stdout } = gguf("peek", model);
      expect(stdout).to.match(/GGUF version 3, little-endian/);
      expect(stdout).to.match(/tokens +string\[300\] +\["t0", "t1", "t2", "t3", …\]/);
      expect(stdout).to.match(/token_embd\.weight +F32 +\[256, 300\] +0 +307200/);
      expect(stdout).to.match(/fastest|side by side/);
    });

    it("lists the tensors of a file of llama.cpp", function () {
      const path = outsideData(this, "models/stories260K-q4_k_m.gguf");
      const report = jsonOf("peek", path);
      expect(report).to.include({ version: 3, tensorCount: 48, kvCount: 21 });
      const tensors = report["tensors"] as { name: string; shape: number[] }[];
      const embeddings = tensors.find(({ name }) => name === "token_embd.weight");
      expect(embeddings?.shape).to.deep.equal([64, 512]);
    });
  });

  describe("verify", () => {
    it("finds nothing wrong with sound files, in either byte order", () => {
      for (const file of [golden, bigEndian, model]) {
        const { status, stdout } = gguf("verify", "--values", file);
        expect(stdout).to.match(
          /^ok {4}structure.*\nok {4}padding.*\nok {4}size.*\nok {4}values.*\n$/,
        );
        expect(status).to.equal(0);
      }
    });

    const damages: readonly (readonly [string, (bytes: Buffer) => Buffer, RegExp])[] = [
      ["a truncated file", (bytes) => bytes.subarray(0, 5000), /FAIL {2}structure .*truncated/],
      [
        "padding that is not 0",
        (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.of(7)]),
        /FAIL {2}padding .*is 7, and padding is 0/,
      ],
      [
        "bytes after the end",
        (bytes) => Buffer.concat([bytes, Buffer.alloc(40)]),
        /FAIL {2}size .*belong to nothing/,
      ],
      [
        "a NaN",
        (bytes) => Buffer.from(bytes).fill(0xff, bytes.length - 32 - 4, bytes.length - 32),
        /FAIL {2}values .*"output_norm.weight" has 1 values that are NaN/,
      ],
    ];
    for (const [what, damage, line] of damages) {
      it(`says what is wrong: ${what}`, () => {
        const path = at("damaged.gguf");
        writeFileSync(path, damage(readFileSync(model)));
        const { status, stdout, stderr } = gguf("verify", "--values", path);
        expect(stdout).to.match(line);
        expect([status, stderr]).to.deep.equal([1, ""]);
        const json = gguf("verify", "--values", "--json", path);
        expect(json.status).to.equal(1);
        expect(JSON.parse(json.stdout)).to.include({ ok: false });
      });
    }
  });

  describe("tensors", () => {
    it("prints the figures of every tensor", () => {
      const report = jsonOf("tensors", model);
      const tensors = report["tensors"] as Record<string, number>[];
      expect(tensors).to.have.length(9);
      expect(tensors[0]).to.include({ type: "F32", bytes: 307200, bitsPerWeight: 32 });
      // 76,800 normal numbers: mean within five times 1/√n of 0, deviation near 1.
      expect(tensors[0]!["mean"]).to.be.closeTo(0, 5 / Math.sqrt(76_800));
      expect(tensors[0]!["std"]).to.be.closeTo(1, 0.02);
      expect(report["total"]).to.include({ bitsPerWeight: 32 });
    });

    it("decodes blocks", () => {
      const { stdout, status } = gguf("tensors", golden);
      expect(status).to.equal(0);
      expect(stdout).to.match(/blocks\.q8_0 +Q8_0 +68 +8\.5 +-2\.0\d+ +1\.8\d+/);
    });
  });

  describe("convert", () => {
    const types: readonly (readonly [string, string, number])[] = [
      ["f16", "F16", 2 ** -10],
      ["bf16", "BF16", 2 ** -7],
      ["q8_0", "Q8_0", 0.02],
      ["q6_k", "Q6_K", 0.1],
      ["q5_k_m", "Q5_K", 0.15],
      ["q4_k_m", "Q4_K", 0.3],
      ["q3_k_m", "Q3_K", 0.6],
      ["q2_k", "Q2_K", 1.1],
      ["iq4_nl", "IQ4_NL", 0.4],
    ];
    for (const [to, dtype, most] of types) {
      it(`--to ${to}: a sound file whose values are near`, async () => {
        const out = at(`${to}.gguf`);
        const report = jsonOf("convert", model, "--to", to, "--out", out);
        expect(report["tensors"]).to.have.property(dtype);
        expect(gguf("verify", "--values", out).status).to.equal(0);
        const [before, after] = [await openGgufFile(model), await openGgufFile(out)];
        expect(after.metadata.get("general.file_type")?.type).to.equal("u32");
        expect(after.tensors.map(({ name }) => name)).to.deep.equal(
          before.tensors.map(({ name }) => name),
        );
        const name = "blk.0.ffn_up.weight";
        expect(after.tensors.find((tensor) => tensor.name === name)!.dtype).to.equal(dtype);
        const [x, y] = [await before.readFloat32(name), await after.readFloat32(name)];
        const worst = x.reduce((all, value, i) => Math.max(all, Math.abs(value - y[i]!)), 0);
        const peak = x.reduce((all, value) => Math.max(all, Math.abs(value)), 0);
        expect(worst)
          .to.be.greaterThan(0)
          .and.at.most(most * peak);
        await Promise.all([before.close(), after.close()]);
      });
    }

    for (const type of ["f16", "q8_0", "q4_0", "q4_k_m"]) {
      it(`gives the types and bytes of llama.cpp's ${type} file, tensor by tensor`, async function () {
        const source = outsideData(this, "models/stories260K-f32.gguf");
        const want = await openGgufFile(outsideData(this, `models/stories260K-${type}.gguf`));
        const out = at(`stories-${type}.gguf`);
        expect(gguf("convert", source, "--to", type, "--out", out).status).to.equal(0);
        const made = await openGgufFile(out);
        expect(made.fileSize).to.equal(want.fileSize);
        expect([...made.metadata]).to.deep.equal([...want.metadata]);
        for (const { name, dtype, shape } of want.tensors) {
          expect(made.tensors.find((tensor) => tensor.name === name)).to.deep.include({
            dtype,
            shape,
          });
          const bytes = await made.readBytes(name);
          expect(Buffer.compare(bytes, await want.readBytes(name)), name).to.equal(0);
        }
        await Promise.all([want.close(), made.close()]);
      });
    }

    it("requantises only where it is asked to", () => {
      const [half, out] = [at("once.gguf"), at("twice.gguf")];
      jsonOf("convert", model, "--to", "q8_0", "--out", half);
      const refused = gguf("convert", half, "--to", "q4_0", "--out", out);
      expect([refused.status, existsSync(out)]).to.deep.equal([1, false]);
      expect(refused.stderr).to.match(/quantised to Q8_0 already/);
      expect(gguf("convert", half, "--to", "q4_0", "--out", out, "--requantize").status).to.equal(
        0,
      );
    });

    const refused: readonly (readonly [string, () => readonly string[], number, RegExp])[] = [
      ["an unknown format", () => [model, "--to", "q4_2"], 2, /q4_2 is no format.*q4_0/],
      ["no format", () => [model], 2, /--to/],
      ["a big-endian file", () => [bigEndian, "--to", "f16"], 1, /big-endian/],
      ["a foreign file", () => ["README.md", "--to", "f16"], 1, /README.md is damaged.*"GGUF"/],
      ["weights that a block cannot hold", () => [huge(), "--to", "q8_0"], 1, /"a\.weight".*65504/],
    ];
    for (const [what, args, exit, message] of refused) {
      it(`refuses ${what} in one sentence and writes nothing`, () => {
        const { status, stdout, stderr } = gguf("convert", ...args(), "--out", at("none.gguf"));
        expect(stderr).to.match(message);
        expect([status, stdout]).to.deep.equal([exit, ""]);
        expect(readdirSync(folder).filter((name) => name.includes("none"))).to.deep.equal([]);
      });
    }

    it("refuses to write over the file that it reads", () => {
      const path = at("same.gguf");
      copyFileSync(model, path);
      const { status, stderr } = gguf("convert", path, "--to", "f16", "--out", path);
      expect([status, readFileSync(path).equals(readFileSync(model))]).to.deep.equal([2, true]);
      expect(stderr).to.match(/--out names the file that is read/);
    });

    const huge = (): string => at("huge.gguf");
    before(() =>
      writeTensors(
        huge(),
        new Map(),
        [{ name: "a.weight", shape: [2, 32], dtype: "F32" }],
        () => 1e30,
      ),
    );
  });
});

/** A one-layer model with widths of 256, so that every block format fits. */
async function writeModel(path: string): Promise<void> {
  const rng = seededRng(3);
  const tokens = Array.from({ length: 300 }, (_, i) => `t${i}`);
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", { type: "string", value: "llama" }],
    ["llama.block_count", { type: "u32", value: 1 }],
    ["llama.attention.head_count", { type: "u32", value: 4 }],
    ["tokenizer.ggml.tokens", { type: "array", itemType: "string", items: tokens }],
  ]);
  const matrix = (name: string, shape: number[]): GgufTensor => ({ name, shape, dtype: "F32" });
  await writeTensors(
    path,
    metadata,
    [
      matrix("token_embd.weight", [300, 256]),
      ...["attn_q", "attn_k", "attn_v", "attn_output"].map((part) =>
        matrix(`blk.0.${part}.weight`, [256, 256]),
      ),
      matrix("blk.0.ffn_up.weight", [512, 256]),
      matrix("blk.0.ffn_down.weight", [256, 512]),
      matrix("output.weight", [300, 256]),
      // Nine values end off the alignment, so that the file ends in padding.
      matrix("output_norm.weight", [9]),
    ],
    () => normal(rng),
  );
}

async function writeTensors(
  path: string,
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly GgufTensor[],
  value: () => number,
): Promise<void> {
  const outline = { version: 3, littleEndian: true, metadata, tensors };
  await writeAtomically(path, (sink) =>
    writeGguf(sink, outline, ({ shape }) => {
      const numValues = shape.reduce((product, dimension) => product * dimension, 1);
      const values = Float32Array.from({ length: numValues }, value);
      return [new Uint8Array(values.buffer)];
    }),
  );
}
