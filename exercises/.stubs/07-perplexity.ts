/**
 * Project 7: measure what compression costs. Write each function below, here or in the notebook's
 * `%%exercise` cells (a cell saves itself into its region), then run `npx infinity grade 07`.
 * Exercises may import types, nothing else.
 */

// #region logSoftmaxNll
/**
 * −ln p of the token `target`, in nats, for p = softmax(logits). Logits may be so large that e^logit
 * overflows; the answer is good to ten digits.
 */
export function logSoftmaxNll(logits: Float32Array, target: number): number {
  throw new Error("not written yet");
}
// #endregion

// #region slidingWindows
/** The model reads the tokens from `begin` to `end`; those from `scoreFrom` on are scored. */
interface TextWindow {
  readonly begin: number;
  readonly end: number;
  readonly scoreFrom: number;
}

/**
 * Windows of `context` tokens over a text of `n` ≥ 2 tokens, `stride` tokens apart, for 1 ≤ stride <
 * context. Each scores what no window before it has reached. Nothing comes before the text's first
 * token, so it is not scored. The last window ends where the text ends, and may be shorter.
 */
export function slidingWindows(n: number, context: number, stride: number): TextWindow[] {
  throw new Error("not written yet");
}
// #endregion

// #region pplChunked
/**
 * A model: given n tokens, it answers n rows of logits one behind the other [n · vocabulary]. Row i is
 * about the token *after* token i.
 */
type Model = (tokens: Int32Array) => Float32Array;

/**
 * Perplexity as llama.cpp measures it. The text is cut into chunks of `context` tokens, a rest is left
 * out. In the place of each chunk's first token the model reads `bos`, unless that is null. Of a chunk,
 * the tokens from context / 2 + 1 on are scored (`context` is even). `ppl` is e^(mean loss over all
 * scored tokens), `count` their number, and `stderr` is ppl · √(variance / (count − 1)), where the
 * variance is the mean of the squared losses less the square of their mean. Throws where the text has
 * fewer than 2 · context tokens. Leaves `ids` as it is.
 */
export function pplChunked(
  model: Model,
  ids: Int32Array,
  context: number,
  bos: number | null,
): { ppl: number; stderr: number; count: number } {
  throw new Error("not written yet");
}
// #endregion

// #region bitsPerByte
/** Bits that each byte of `text` costs in UTF-8, where all its tokens together lose `nats` nats. */
export function bitsPerByte(nats: number, text: string): number {
  throw new Error("not written yet");
}
// #endregion

// #region klStats
/**
 * What a compressed model's expectations lost. `base` and `quant` are the logits of both at the same
 * positions [positions · vocabulary], `targets` the token that came at each. Means over the positions:
 * `kl` is Σ p · ln(p / q) in nats, p the original's probabilities and q the compressed model's; `top1`
 * is the share of positions at which both think the same token likeliest; `rmsDp` is the root of the
 * mean of (q − p)², of the token that came. A token with p = 0 adds nothing to kl.
 */
export function klStats(
  base: Float32Array,
  quant: Float32Array,
  targets: Int32Array,
): { kl: number; top1: number; rmsDp: number } {
  throw new Error("not written yet");
}
// #endregion

// #region mcqScore
/**
 * Which of `choices` a model thinks likeliest after `context`. `encode` cuts a text into tokens. Cut
 * context and choice *together*, as they would stand in a text; the choice's tokens are those behind
 * as many tokens as the context alone has. `logp` is ln p of each choice, the sum over its tokens, and
 * `best` the place of the greatest.
 */
export function mcqScore(
  model: Model,
  encode: (text: string) => Int32Array,
  context: string,
  choices: string[],
): { best: number; logp: number[] } {
  throw new Error("not written yet");
}
// #endregion
