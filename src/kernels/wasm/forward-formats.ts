/**
 * What the recorder of the wasm forward pass knows of the formats that it computes with; the
 * arithmetic is in `assembly/forward/`, one file for each format and one for each activation layout.
 * A format's file exports, with its name at the end: `pack`, `matvec`, `gemm` and `unpack`, the
 * inverse of `pack` for one row: `unpackQ4_0(W, row, dst, numCols)` writes row `row` of the matrix
 * that begins at W to `dst`, with the bytes that it had in the GGUF file (for looking rows up).
 */
import type { Dtype } from "../../core/dtypes.ts";

/** How activations are prepared for the weights of some formats. */
export interface ActivationLayout {
  /** The interpreter's number. */
  readonly id: number;
  /** Bytes of one row in the layout for a single row. */
  vectorBytes(numCols: number): number;
  /** Bytes of 4 rows in the layout for several rows. */
  tileBytes(numCols: number): number;
}

/** How weights of a format lie in wasm memory: records of 8 rows and some columns. */
export interface ForwardFormat {
  /** The interpreter's number for the format: ggml's. */
  readonly id: number;
  /** Columns of a record. */
  readonly recordCols: number;
  readonly recordBytes: number;
  readonly layout: ActivationLayout;
}

const float32Layout: ActivationLayout = {
  id: 0,
  vectorBytes: (numCols) => 4 * numCols,
  tileBytes: (numCols) => 16 * numCols,
};

/** Float32 values that float16 has. */
const float16Layout: ActivationLayout = { ...float32Layout, id: 1 };

/** Codes of 8 bits in blocks of 32: `assembly/forward/activations-32.ts`. */
const bytes32Layout: ActivationLayout = {
  id: 2,
  vectorBytes: (numCols) => (numCols / 32) * 40,
  tileBytes: (numCols) => (numCols / 32) * 160,
};

/** The same codes for weights of 8 bits: `assembly/forward/pairs-32.ts`. */
const pairs32Layout: ActivationLayout = {
  id: 3,
  vectorBytes: (numCols) => (numCols / 32) * 72,
  tileBytes: (numCols) => (numCols / 32) * 288,
};

/** Codes of 8 bits in blocks of 256: `assembly/forward/activations-256.ts`. */
const bytes256Layout: ActivationLayout = {
  id: 4,
  vectorBytes: (numCols) => (numCols / 256) * 408,
  tileBytes: (numCols) => (numCols / 256) * 1632,
};

/** The formats that are computed with as they are. */
export const forwardFormats: Partial<Record<Dtype, ForwardFormat>> = {
  F32: { id: 0, recordCols: 1, recordBytes: 32, layout: float32Layout },
  F16: { id: 1, recordCols: 1, recordBytes: 16, layout: float16Layout },
  Q4_0: { id: 2, recordCols: 32, recordBytes: 144, layout: bytes32Layout },
  Q4_1: { id: 3, recordCols: 32, recordBytes: 160, layout: bytes32Layout },
  Q5_0: { id: 6, recordCols: 32, recordBytes: 176, layout: bytes32Layout },
  Q8_0: { id: 8, recordCols: 32, recordBytes: 272, layout: pairs32Layout },
  Q4_K: { id: 12, recordCols: 256, recordBytes: 1184, layout: bytes256Layout },
  Q5_K: { id: 13, recordCols: 256, recordBytes: 1440, layout: bytes256Layout },
  Q6_K: { id: 14, recordCols: 256, recordBytes: 1680, layout: bytes256Layout },
  TQ2_0: { id: 35, recordCols: 256, recordBytes: 528, layout: bytes256Layout },
};

/** Their names; weights in other formats are re-expressed in one of them. */
export const computedDtypes: readonly Dtype[] = Object.keys(forwardFormats) as Dtype[];
