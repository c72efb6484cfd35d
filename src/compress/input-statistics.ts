/**
 * What the methods of quantising want to know about the inputs of a matrix, gathered in one pass over
 * them and in memory that does not depend on how many there are.
 */
import { InputError } from "../core/errors.ts";
import { randomInt, seededRng, type Rng } from "../core/rng.ts";
import { addGram, type AddGram } from "../quant/dense.ts";
import { accumulateHessian } from "../quant/hessian.ts";

/** What to gather besides the figures of each channel. */
export interface StatisticsOptions {
  /** Whether to gather the Hessian; none unless given. */
  readonly hessian?: boolean;
  /** Inputs that are kept as they are; none unless given. */
  readonly sampleRows?: number;
  readonly addGram?: AddGram;
}

/** Which inputs are kept is chosen with this. */
const sampleSeed = 7;

/** Running figures of inputs [numTokens, cols]. */
export class InputStatistics {
  readonly cols: number;
  readonly #hessian: Float64Array | undefined;
  readonly #addGram: AddGram;
  readonly #magnitudes: Float64Array;
  readonly #squares: Float64Array;
  readonly #peaks: Float32Array;
  readonly #sample: Float32Array;
  readonly #sampleRows: number;
  readonly #rng: Rng = seededRng(sampleSeed);
  #numTokens = 0;

  constructor(cols: number, options: StatisticsOptions = {}) {
    const { hessian = false, sampleRows = 0 } = options;
    this.cols = cols;
    this.#hessian = hessian ? new Float64Array(cols * cols) : undefined;
    this.#addGram = options.addGram ?? addGram;
    this.#magnitudes = new Float64Array(cols);
    this.#squares = new Float64Array(cols);
    this.#peaks = new Float32Array(cols);
    this.#sample = new Float32Array(sampleRows * cols);
    this.#sampleRows = sampleRows;
  }

  get numTokens(): number {
    return this.#numTokens;
  }

  /** Adds inputs [tokens, cols]. Throws InputError where they are no whole rows or not finite. */
  add(X: Float32Array): void {
    const { cols } = this;
    if (X.length % cols !== 0) {
      throw new InputError(`${X.length} values are no whole inputs of ${cols}.`);
    }
    this.#addChannels(X);
    this.#addSample(X);
    if (this.#hessian) accumulateHessian(this.#hessian, this.#numTokens, X, cols, this.#addGram);
    this.#numTokens += X.length / cols;
  }

  /** H [cols, cols], the mean of 2 x xᵀ. Throws Error where it was not to be gathered. */
  get hessian(): Float64Array {
    if (this.#hessian) return this.#hessian;
    throw new Error("These statistics were gathered without the Hessian.");
  }

  /** mean|x| [cols] */
  get meanMagnitudes(): Float32Array<ArrayBuffer> {
    return Float32Array.from(this.#magnitudes, (sum) => sum / this.#numTokens);
  }

  /** The mean of x² [cols]: what an importance matrix holds. */
  get meanSquares(): Float32Array<ArrayBuffer> {
    return Float32Array.from(this.#squares, (sum) => sum / this.#numTokens);
  }

  /** max|x| [cols] */
  get peaks(): Float32Array {
    return this.#peaks;
  }

  /** Inputs [rows, cols], each as likely to be here as any other; all of them while there are few. */
  get sample(): Float32Array {
    return this.#sample.subarray(0, Math.min(this.#sampleRows, this.#numTokens) * this.cols);
  }

  #addChannels(X: Float32Array): void {
    const { cols } = this;
    for (let at = 0; at < X.length; at += cols) {
      for (let j = 0; j < cols; j++) {
        const magnitude = Math.abs(X[at + j]!);
        // Not finite, it spoils the sums, and the check below finds it.
        this.#magnitudes[j]! += magnitude;
        this.#squares[j]! += magnitude * magnitude;
        if (magnitude > this.#peaks[j]!) this.#peaks[j] = magnitude;
      }
    }
    const wrong = this.#magnitudes.findIndex((sum) => !Number.isFinite(sum));
    if (wrong < 0) return;
    throw new InputError(
      `Input ${wrong} of a matrix is not finite in the calibration data; check the model and the text.`,
    );
  }

  /** Reservoir sampling (Vitter, 1985, Algorithm R). */
  #addSample(X: Float32Array): void {
    if (this.#sampleRows === 0) return;
    const { cols } = this;
    for (let at = 0, seen = this.#numTokens; at < X.length; at += cols, seen++) {
      const row = seen < this.#sampleRows ? seen : randomInt(this.#rng, seen + 1);
      if (row < this.#sampleRows) this.#sample.set(X.subarray(at, at + cols), row * cols);
    }
  }
}
