/** The tokens of one text on their way to whoever asked for it. */
import { TokenStream } from "../model/tokenizer/token-stream.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import type { EndReason, GenerationRequest, RequestEvent } from "./request.ts";
import { StopMatcher } from "./stop-matcher.ts";
import { chosenLogprob } from "./token-logprobs.ts";

/** Ends once; what comes after that is left out. */
export class TextOutput {
  readonly #sample: number;
  readonly #emit: (event: RequestEvent) => void;
  readonly #stream: TokenStream;
  readonly #stops: StopMatcher;
  readonly #numLogprobs: number | undefined;
  #hasEnded = false;

  constructor(
    tokenizer: Tokenizer,
    { stop = [], logprobs }: Pick<GenerationRequest, "stop" | "logprobs">,
    sample: number,
    emit: (event: RequestEvent) => void,
  ) {
    this.#sample = sample;
    this.#emit = emit;
    this.#stream = new TokenStream(tokenizer, { continuation: true });
    this.#stops = new StopMatcher(stop);
    this.#numLogprobs = logprobs;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** A token, and the logits that it was taken from, where they are known. Ends the text at a stop string. */
  push(id: number, logits: Float32Array | undefined): void {
    if (this.#hasEnded) return;
    const { text, hasStopped } = this.#stops.push(this.#stream.push(id));
    const logprob =
      logits && this.#numLogprobs !== undefined
        ? chosenLogprob(logits, id, this.#numLogprobs)
        : undefined;
    this.#emit({ type: "token", sample: this.#sample, id, text, logprob });
    if (hasStopped) this.#end("stop", "");
  }

  end(reason: EndReason, score?: number, error?: Error): void {
    if (this.#hasEnded) return;
    const { text, hasStopped } = this.#stops.push(this.#stream.flush());
    this.#end(reason, hasStopped ? text : text + this.#stops.flush(), score, error);
  }

  #end(reason: EndReason, text: string, score?: number, error?: Error): void {
    this.#hasEnded = true;
    this.#emit({ type: "end", sample: this.#sample, reason, text, score, error });
  }
}
