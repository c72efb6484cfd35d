/** What the program on Node asks of the page, and what it gets. */

export interface PageRequest {
  readonly engine: "ours" | "wllama";
  /** Addresses on the page's own server. */
  readonly modelUrl: string;
  readonly kernelsUrl: string;
  readonly threads: number;
  readonly promptTokens: number;
  readonly genTokens: number;
  readonly repeat: number;
  readonly seed: number;
  readonly vocabSize: number;
}

/** Rates in tokens a second, one for each repetition. */
export interface PageAnswer {
  readonly loadMs: number;
  readonly prefill: readonly number[];
  readonly decode: readonly number[];
}
