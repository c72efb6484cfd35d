/** Where a file's bytes go to, one piece after the other: memory, a descriptor, a browser's stream. */

/** Takes bytes in the order of the file; a piece may be reused once its promise is fulfilled. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

/** Collects pieces in memory, for files known to be small. */
export class MemorySink implements ByteSink {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  write(bytes: Uint8Array): Promise<void> {
    this.#pieces.push(new Uint8Array(bytes));
    this.#length += bytes.length;
    return Promise.resolve();
  }

  /** Everything that was written. */
  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#length);
    let offset = 0;
    for (const piece of this.#pieces) {
      all.set(piece, offset);
      offset += piece.length;
    }
    return all;
  }
}
