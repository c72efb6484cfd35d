/**
 * The kernels in WebAssembly with SIMD, from the AssemblyScript in `assembly/`. The compiled module
 * is passed in, so that this runs in a browser as in Node; `src/tensor/kernel-module.ts` compiles it
 * and keeps it on disk.
 *
 * One build serves every engine: plain SIMD is everywhere, and relaxed SIMD may round differently
 * from one processor to the next, while codes have to be the same on all. Kernels that gain from it
 * need a build of their own, chosen by what the engine can do.
 */
import { InputError } from "../../core/errors.ts";
import type { GroupGrids } from "../../quant/linear.ts";
import type { Kernels } from "../kernels.ts";
import { KernelMemory } from "./kernel-memory.ts";
import { piecesOf } from "./pieces.ts";

/** 128 KiB of values at once: with their codes and scales they stay in a core's own cache. */
const pieceValues = 32_768;

/** Values and two float32 a group, at worst one a value, each array rounded up to a cache line. */
const scratchBytes = pieceValues * 4 * 3 + 4_096;

/** What the AssemblyScript exports; pointers are byte offsets. */
interface Exports {
  groupRanges(
    values: number,
    groupSize: number,
    numGroups: number,
    lows: number,
    highs: number,
  ): void;
  encodeGroups(
    values: number,
    groupSize: number,
    numGroups: number,
    scales: number,
    zeroPoints: number,
    qmin: number,
    qmax: number,
    codes: number,
  ): void;
  packNibbles(codes: number, count: number, packed: number): void;
}

export interface WasmKernelsOptions {
  /** Room for arrays that callers allocate here; 0 unless given. */
  readonly memoryBytes?: number;
}

/**
 * Starts the kernels of a compiled module. Throws InputError where the engine cannot run it or a
 * memory of that size is out of range.
 */
export async function startWasmKernels(
  module: Uint8Array<ArrayBuffer>,
  { memoryBytes = 0 }: WasmKernelsOptions = {},
): Promise<Kernels> {
  const memory = new KernelMemory(memoryBytes, scratchBytes);
  try {
    const { instance } = await WebAssembly.instantiate(module, { env: { memory: memory.memory } });
    return new WasmKernels(memory, instance.exports as Exports);
  } catch (error) {
    throw new InputError(
      `This JavaScript engine cannot run the wasm kernels (${(error as Error).message}); use one with WebAssembly SIMD, or the reference kernels.`,
    );
  }
}

class WasmKernels implements Kernels {
  readonly name = "wasm";
  readonly #memory: KernelMemory;
  readonly #wasm: Exports;

  constructor(memory: KernelMemory, wasm: Exports) {
    this.#memory = memory;
    this.#wasm = wasm;
  }

  allocateFloat32(length: number): Float32Array {
    return new Float32Array(this.#memory.memory.buffer, this.#memory.allocate(length * 4), length);
  }

  allocateBytes(length: number): Uint8Array {
    return new Uint8Array(this.#memory.memory.buffer, this.#memory.allocate(length), length);
  }

  groupRanges(
    values: Float32Array,
    groupSize: number,
    lows: Float32Array,
    highs: Float32Array,
  ): void {
    checkLength("values", values.length, lows.length * groupSize);
    checkLength("upper bounds", highs.length, lows.length);
    const memory = this.#memory;
    const partLow = new Float32Array(1);
    const partHigh = new Float32Array(1);
    lows.fill(0);
    highs.fill(0);
    for (const piece of piecesOf(lows.length, groupSize, pieceValues)) {
      const groupEnd = piece.firstGroup + piece.numGroups;
      const whole = piece.groupSize === groupSize;
      const low = whole ? lows.subarray(piece.firstGroup, groupEnd) : partLow;
      const high = whole ? highs.subarray(piece.firstGroup, groupEnd) : partHigh;
      const [lowAt, highAt] = [memory.place(low), memory.place(high)];
      const at = memory.bring(values.subarray(piece.begin, piece.end));
      this.#wasm.groupRanges(at, piece.groupSize, piece.numGroups, lowAt, highAt);
      memory.takeBack(low, lowAt);
      memory.takeBack(high, highAt);
      memory.endPiece();
      if (whole) continue;
      lows[piece.firstGroup] = Math.min(lows[piece.firstGroup]!, low[0]!);
      highs[piece.firstGroup] = Math.max(highs[piece.firstGroup]!, high[0]!);
    }
  }

  encodeGroups(
    values: Float32Array,
    groupSize: number,
    { scales, zeroPoints, qmin, qmax }: GroupGrids,
    codes: Uint8Array | Int8Array,
  ): void {
    checkLength("values", values.length, scales.length * groupSize);
    checkLength("codes", codes.length, values.length);
    checkLength("zero points", zeroPoints?.length ?? scales.length, scales.length);
    const memory = this.#memory;
    for (const piece of piecesOf(scales.length, groupSize, pieceValues)) {
      const groupEnd = piece.firstGroup + piece.numGroups;
      const out = codes.subarray(piece.begin, piece.end);
      const outAt = memory.place(out);
      this.#wasm.encodeGroups(
        memory.bring(values.subarray(piece.begin, piece.end)),
        piece.groupSize,
        piece.numGroups,
        memory.bring(scales.subarray(piece.firstGroup, groupEnd)),
        zeroPoints ? memory.bring(zeroPoints.subarray(piece.firstGroup, groupEnd)) : 0,
        qmin,
        qmax,
        outAt,
      );
      memory.takeBack(out, outAt);
      memory.endPiece();
    }
  }

  packNibbles(codes: Uint8Array | Int8Array, packed: Uint8Array): void {
    checkLength("packed bytes", packed.length, Math.ceil(codes.length / 2));
    const memory = this.#memory;
    // Pieces of an even number of codes begin at a whole byte.
    for (let begin = 0; begin < codes.length; begin += pieceValues) {
      const some = codes.subarray(begin, begin + pieceValues);
      const out = packed.subarray(begin / 2, (begin + some.length + 1) / 2);
      const outAt = memory.place(out);
      this.#wasm.packNibbles(memory.bring(some), some.length, outAt);
      memory.takeBack(out, outAt);
      memory.endPiece();
    }
  }
}

/** Keeps a kernel inside the arrays it was given. */
function checkLength(what: string, found: number, needed: number): void {
  if (found === needed) return;
  throw new InputError(`The kernel was given ${found} ${what} where ${needed} are needed.`);
}
