import { expect } from "chai";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError, UsageError } from "../core/errors.ts";
import { openGgufFile } from "../corpus/files.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { HalfLayerRunner, halvesOf } from "../model/half-layers.ts";
import { loadLlama } from "../model/llama.ts";
import { quantizeBlocks } from "../quant/blocks/quantize.ts";
import { f16ArrayToF32 } from "../core/half.ts";
import { rejection } from "../testing.ts";
import { Calibration, embedWindows, type WindowStates } from "./calibrate.ts";
import { CountedKernels, openSmallModel, randomWindows } from "./fixtures/small-model.ts";
import { methods, type Method } from "./group-encoder.ts";
import { loadFloatHalf, readHalf } from "./layer-matrices.ts";
import { modelShape } from "./model-shape.ts";
import { checkFormat, recipeFor, type OutputFormat } from "./output-format.ts";
import { quantizeLayers, type MatrixReport, type ModelRecipe } from "./quantize-model.ts";
import { ggufLayerWriter, writeGgufModel } from "./write-gguf-model.ts";
import { layoutLayerWriter, writeTransformersModel } from "./write-transformers-model.ts";

const q4: OutputFormat = { kind: "blocks", recipe: "q4_0" };
const windows = randomWindows();

describe("a model quantised layer by layer", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-quantize-model-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  interface Quantized {
    readonly path: string;
    readonly matrices: readonly MatrixReport[];
    readonly numResumed: number;
    /** Behind the last layer, as the work left them. */
    readonly states: WindowStates;
  }

  async function quantizeTo(
    name: string,
    recipe: ModelRecipe,
    file: GgufFile,
    kernels: CountedKernels = new CountedKernels(),
  ): Promise<Quantized> {
    const path = join(folder, `${name}.gguf`);
    const { work, ...rest } = await quantizeLayers(
      { file, windows, recipe, folder: `${path}.unfinished`, openKernels: kernels.lend },
      ggufLayerWriter,
    );
    await writeGgufModel(path, file, recipe.format, work);
    const states = await work.readStates({
      ...{ numCalibration: windows.calibration.length, numHeldOut: windows.heldOut.length },
      windowValues: 16 * 32,
    });
    await work.remove();
    return { path, ...rest, states };
  }

  for (const method of methods) {
    it(`is an ordinary GGUF file that runs: ${method}`, async () => {
      const file = await openSmallModel();
      const format: OutputFormat = { kind: "blocks", recipe: method === "hqq" ? "q4_1" : "q4_0" };
      const kernels = new CountedKernels();
      const { path, matrices, states } = await quantizeTo(
        method,
        { method, format },
        file,
        kernels,
      );
      expect(kernels).to.include({ opened: 2, open: 0, mostOpen: 1 });
      expect(matrices).to.have.lengthOf(14);
      const written = await openGgufFile(path);
      expect(written.tensors.map(({ name }) => name)).to.deep.equal(
        file.tensors.map(({ name }) => name),
      );
      const base = method === "hqq" ? "Q4_1" : "Q4_0";
      for (const { name, dtype } of written.tensors) {
        if (/attn_[qkvo]\w*\.weight|ffn_(gate|up)\.weight/.test(name) && !name.includes("norm")) {
          expect(dtype, name).to.equal(base);
        }
        // Rows of 40 divide into no blocks.
        if (name.includes("ffn_down")) expect(dtype).to.equal("F16");
      }
      await loadLlama(written, referenceForward);
      // What is in the file is what was calibrated with, scales folded in or not.
      const found = (await statesOf(written, file, 2)).heldOut[3]!;
      const worst = found.reduce(
        (most, x, at) => Math.max(most, Math.abs(x - states.heldOut[3]![at]!)),
        0,
      );
      expect(worst).to.be.below(1e-5);
      await written.close();
      expect(readdirSync(folder).filter((each) => each.includes("unfinished"))).to.deep.equal([]);
    });
  }

  it("by rounding is what converting the file gives", async () => {
    const file = await openSmallModel();
    const { path, matrices } = await quantizeTo("plain", { method: "rtn", format: q4 }, file);
    const written = await openGgufFile(path);
    for (const name of ["blk.0.attn_k.weight", "blk.1.ffn_up.weight"]) {
      expect(await written.readBytes(name)).to.deep.equal(
        quantizeBlocks("Q4_0", await file.readFloat32(name)),
      );
    }
    await written.close();
    for (const { errors, rounding } of matrices) expect(errors).to.deep.equal(rounding);
  });

  it("hands on what the quantised layers give: the second one's importance is that of its inputs", async () => {
    const file = await openSmallModel();
    const { path } = await quantizeTo("order", { method: "k-quant", format: q4 }, file);
    const written = await openGgufFile(path);
    // The inputs of layer 1's queries, with layer 0 as it was written and as it had been.
    const importance = async (from: GgufFile): Promise<Float32Array> => {
      const { config, tensors, frequencies } = await modelShape(from);
      const runner = new HalfLayerRunner(referenceForward, config, frequencies, 16);
      const [attention] = halvesOf(tensors.layers[1]!);
      const loaded = await loadFloatHalf(referenceForward, await readHalf(from, attention));
      const gather = { calibration: {}, heldOut: {} };
      const calibration = new Calibration(await statesOf(from, file, 1));
      return (await calibration.firstInputs(runner, loaded.norm, gather)).calibration.meanSquares;
    };
    const name = "blk.1.attn_q.weight";
    const W = await file.readFloat32(name);
    const found = await written.readBytes(name);
    expect(found).to.deep.equal(
      quantizeBlocks("Q4_0", W, { importance: await importance(written) }),
    );
    expect(await importance(file)).to.not.deep.equal(await importance(written));
    await written.close();
  });

  it("goes on where it was broken off, to the same file", async () => {
    const file = await openSmallModel();
    const recipe: ModelRecipe = { method: "gptq", format: q4 };
    const whole = await quantizeTo("whole", recipe, file);
    const broken = new CountedKernels();
    broken.failAt = 2;
    expect((await rejection(quantizeTo("parts", recipe, file, broken))).message).to.equal(
      "broken off",
    );
    expect(existsSync(join(folder, "parts.gguf"))).to.equal(false);
    const other = rejection(quantizeTo("parts", { ...recipe, damp: 0.1 }, file));
    expect(await other).to.be.instanceOf(InputError);
    expect((await other).message).to.match(
      /^parts\.gguf\.unfinished holds a model that was begun with another recipe \(damp was none, and is now 0\.1\)/,
    );
    const resumed = await quantizeTo("parts", recipe, file);
    expect(resumed.numResumed).to.equal(1);
    expect(resumed.matrices).to.deep.equal(whole.matrices);
    expect(readFileSync(resumed.path).equals(readFileSync(whole.path))).to.equal(true);
  });

  it("leaves nothing behind where nothing was finished", async () => {
    const kernels = new CountedKernels();
    kernels.failAt = 1;
    const recipe: ModelRecipe = { method: "rtn", format: q4 };
    await rejection(quantizeTo("nothing", recipe, await openSmallModel(), kernels));
    expect(readdirSync(folder).filter((name) => name.startsWith("nothing"))).to.deep.equal([]);
  });

  it("is refused where it is quantised already", async () => {
    const { path } = await quantizeTo(
      "once",
      { method: "rtn", format: q4 },
      await openSmallModel(),
    );
    const written = await openGgufFile(path);
    const error = await rejection(quantizeTo("twice", { method: "gptq", format: q4 }, written));
    await written.close();
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.equal(
      'Tensor "blk.0.attn_q.weight" of once.gguf is quantised to Q4_0 already; start from an F32, F16 or BF16 file.',
    );
  });

  it("as values holds what a linear grid decodes to, and everything else as it was", async () => {
    const file = await openSmallModel();
    const grid = { bits: 3, groupSize: 8, mode: "symmetric" } as const;
    const { path } = await quantizeTo(
      "values",
      { method: "gptq", format: { kind: "values", grid } },
      file,
    );
    const written = await openGgufFile(path);
    expect(await written.readBytes("output.weight")).to.deep.equal(
      await file.readBytes("output.weight"),
    );
    const values = await written.readFloat32("blk.0.ffn_down.weight");
    for (let at = 0; at < values.length; at += 8) {
      expect(new Set(values.subarray(at, at + 8)).size).to.be.at.most(8);
    }
    await written.close();
  });

  it("as a folder for transformers has the weights where transformers looks for them", async () => {
    const file = await openSmallModel();
    const grid = { bits: 4, groupSize: 8, mode: "symmetric" } as const;
    const format = { kind: "gptq-layout", grid } as const;
    const path = join(folder, "for-transformers");
    const shape = await modelShape(file);
    const { work } = await quantizeLayers(
      {
        ...{ file, windows, folder: `${path}.unfinished` },
        recipe: { method: "rtn", format },
        openKernels: new CountedKernels().lend,
      },
      layoutLayerWriter(shape.config, format),
    );
    await writeTransformersModel(path, file, shape, format, { actOrder: false, damp: 0.01 }, work);
    const index = JSON.parse(readFileSync(join(path, "model.safetensors.index.json"), "utf8")) as {
      readonly weight_map: Readonly<Record<string, string>>;
    };
    expect(readdirSync(path).sort()).to.deep.equal(
      [
        ...["config.json", "model.safetensors.index.json", "quantize_config.json"],
        ...new Set(Object.values(index.weight_map)),
      ].sort(),
    );
    const name = "model.layers.1.self_attn.q_proj";
    const part = (suffix: string): ArrayBuffer => {
      const full = `${name}.${suffix}`;
      return storedBytes(join(path, index.weight_map[full]!), full);
    };
    const scales = f16ArrayToF32(new Uint16Array(part("scales")));
    const words = (suffix: string): Int32Array => new Int32Array(part(suffix));
    const decoded = decodeGptq(words("qweight"), words("qzeros"), scales, 8);
    expect([...words("g_idx")]).to.deep.equal(Array.from({ length: 32 }, (_, j) => j >> 3));
    // llama.cpp's conversion: [heads, 2, half, cols] becomes [heads, half, 2, cols].
    const W = await file.readFloat32("blk.1.attn_q.weight");
    const [headDim, cols] = [8, 32];
    let worst = 0;
    for (let row = 0; row < 32; row++) {
      const [head, half, i] = [Math.floor(row / headDim), Math.floor((row % headDim) / 4), row % 4];
      const from = head * headDim + 2 * i + half;
      for (let j = 0; j < cols; j++) {
        worst = Math.max(worst, Math.abs(decoded[row * cols + j]! - W[from * cols + j]!));
      }
    }
    // Half a step of the widest group: weights are within ±1, and codes within ±7.5.
    expect(worst)
      .to.be.below(1 / 7.5 / 2 + 1e-3)
      .and.above(0.01);
    const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as object;
    expect(config).to.deep.include({
      hidden_size: 32,
      num_key_value_heads: 2,
      rope_theta: 500_000,
    });
    expect(config).to.have.nested.property("quantization_config.quant_method", "gptq");
  });

  it("is refused in formats that a method does not write", () => {
    const wrong: readonly (readonly [Method, OutputFormat])[] = [
      ["hqq", q4],
      ["gptq", { kind: "blocks", recipe: "iq4_nl" }],
      ["rtn", { kind: "blocks", recipe: "f16" }],
      ["smoothquant", { kind: "gptq-layout", grid: { bits: 4, groupSize: 8, mode: "symmetric" } }],
      ["awq", { kind: "awq-layout", grid: { bits: 3, groupSize: 8, mode: "asymmetric" } }],
    ];
    for (const [method, format] of wrong) {
      expect(() => {
        checkFormat(method, format);
      }, `${method} ${format.kind}`).to.throw(UsageError);
    }
    expect(() => recipeFor("gptq", 7)).to.throw(UsageError, "choose 2, 3, 4, 5, 6, 8");
  });
});

/** The states behind `numLayers` layers of `file`, with the embeddings of another. */
async function statesOf(
  file: GgufFile,
  embeddings: GgufFile,
  numLayers: number,
): Promise<WindowStates> {
  const { config, tensors, frequencies } = await modelShape(file);
  const runner = new HalfLayerRunner(referenceForward, config, frequencies, 16);
  const { embedding } = (await modelShape(embeddings)).tensors;
  const calibration = new Calibration(await embedWindows(embeddings, embedding, windows));
  for (const half of tensors.layers.slice(0, numLayers).flatMap((layer) => halvesOf(layer))) {
    const loaded = await loadFloatHalf(referenceForward, await readHalf(file, half));
    await calibration.advance(runner, loaded);
  }
  return calibration.states;
}

/** The words of a tensor of a safetensors file, read here by the format's own rule. */
function storedBytes(path: string, name: string): ArrayBuffer {
  const bytes = readFileSync(path);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes)) as Readonly<
    Record<string, { readonly data_offsets: readonly [number, number] }>
  >;
  const [begin, end] = header[name]!.data_offsets.map((at) => at + 8 + headerBytes);
  return new Uint8Array(bytes.subarray(begin, end)).buffer;
}

/** [outputs, inputs] by AutoGPTQ's rule for 4 bits: (code − (stored zero + 1)) · scale. */
function decodeGptq(
  qweight: Int32Array,
  qzeros: Int32Array,
  scales: Float32Array,
  groupSize: number,
): Float32Array {
  const rows = 32;
  const cols = (qweight.length * 8) / rows;
  const out = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < cols; j++) {
      const code = (qweight[Math.floor(j / 8) * rows + row]! >>> (4 * (j % 8))) & 15;
      const group = Math.floor(j / groupSize);
      const zero = (qzeros[(group * rows) / 8 + Math.floor(row / 8)]! >>> (4 * (row % 8))) & 15;
      out[row * cols + j] = (code - (zero + 1)) * scales[group * rows + row]!;
    }
  }
  return out;
}
