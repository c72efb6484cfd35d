/**
 * Tokens to text, one at a time: what a server or a terminal shows while a model writes. A character
 * whose bytes are spread over several tokens appears when its last byte has come.
 */
import type { TokenType } from "./vocabulary.ts";

/** How tokens are read. */
export interface DecodeOptions {
  /** Leave out control tokens and the unknown token; true if not given. */
  readonly skipSpecial?: boolean;
  /**
   * The tokens follow others, as a model's answer follows its prompt, so that a space at their
   * beginning is text; false if not given, and the space that `encode` puts there is taken off.
   */
  readonly continuation?: boolean;
}

/** What a stream needs of a tokenizer. */
interface PieceSource {
  readonly vocabulary: { readonly types: readonly TokenType[] };
  readonly addsSpacePrefix: boolean;
  pieceOf(id: number): Uint8Array;
}

const spaceByte = 0x20;

/** The text of a sequence of tokens, as far as it is certain. */
export class TokenStream {
  readonly #tokenizer: PieceSource;
  readonly #skipSpecial: boolean;
  /** A byte order mark is a character of the text like any other. */
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  /** Whether the next text begins where `encode` puts a space: at the start and after a special token. */
  #followsPrefix: boolean;

  constructor(tokenizer: PieceSource, options: DecodeOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#skipSpecial = options.skipSpecial ?? true;
    this.#followsPrefix = tokenizer.addsSpacePrefix && !options.continuation;
  }

  /** The text that is complete with this token, "" where a character is not. Throws InputError for an unknown id. */
  push(id: number): string {
    const piece = this.#tokenizer.pieceOf(id);
    const type = this.#tokenizer.vocabulary.types[id]!;
    const isControl = type === "control" || type === "unknown";
    const isPrefixed = this.#followsPrefix;
    this.#followsPrefix = this.#tokenizer.addsSpacePrefix && (isControl || type === "userDefined");
    if (isControl && this.#skipSpecial) return "";
    const isOwn = !isPrefixed || piece[0] !== spaceByte || type === "userDefined";
    return this.#utf8.decode(isOwn ? piece : piece.subarray(1), { stream: true });
  }

  /** What is left at the end: U+FFFD for a character that was never completed. */
  flush(): string {
    return this.#utf8.decode();
  }
}
