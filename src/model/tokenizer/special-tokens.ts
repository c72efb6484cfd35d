/**
 * Finds special tokens in text: those that are cut out before anything is merged. User-defined tokens
 * always are, control tokens only where the caller trusts the text to hold them. Longer tokens are
 * cut out first, wherever they stand, as llama.cpp does.
 */
import type { Vocabulary } from "./vocabulary.ts";

/** Text that is still to be encoded, or a token. */
export type Fragment = string | number;

/** A tree of the tokens' texts, by UTF-16 unit. */
interface Node {
  readonly next: Map<number, Node>;
  id?: number;
}

/** The special tokens of a vocabulary. */
export class SpecialTokens {
  readonly #vocabulary: Vocabulary;
  readonly #userDefined: Node;
  readonly #all: Node;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    const ids = vocabulary.types.flatMap((type, id) => (isSpecial(type) ? [id] : []));
    const userDefined = ids.filter((id) => vocabulary.types[id] === "userDefined");
    this.#all = treeOf(ids, vocabulary.texts);
    this.#userDefined = treeOf(userDefined, vocabulary.texts);
  }

  /** `text` cut at its special tokens; `parseSpecial` says whether control tokens are looked for. */
  partition(text: string, parseSpecial: boolean): Fragment[] {
    const found = idsIn(text, parseSpecial ? this.#all : this.#userDefined);
    const numBytes = (id: number): number => utf8.encode(this.#vocabulary.texts[id]).length;
    const longestFirst = [...found].sort((a, b) => numBytes(b) - numBytes(a) || a - b);
    let fragments: Fragment[] = [text];
    for (const id of longestFirst) {
      const token = this.#vocabulary.texts[id]!;
      fragments = fragments.flatMap((fragment) =>
        typeof fragment === "number" ? fragment : between(fragment.split(token), id),
      );
    }
    return fragments.filter((fragment) => fragment !== "");
  }
}

const utf8 = new TextEncoder();

function isSpecial(type: string): boolean {
  return type === "control" || type === "userDefined" || type === "unknown";
}

function between(pieces: readonly string[], id: number): Fragment[] {
  return pieces.flatMap((piece, i) => (i === 0 ? [piece] : [id, piece]));
}

function treeOf(ids: readonly number[], texts: readonly string[]): Node {
  const root: Node = { next: new Map() };
  for (const id of ids) {
    let node = root;
    for (let i = 0; i < texts[id]!.length; i++) {
      const unit = texts[id]!.charCodeAt(i);
      const child = node.next.get(unit) ?? { next: new Map() };
      node.next.set(unit, child);
      node = child;
    }
    node.id = id;
  }
  return root;
}

/** The tokens of the tree that occur anywhere in `text`, overlapping or not. */
function idsIn(text: string, root: Node): Set<number> {
  const found = new Set<number>();
  for (let start = 0; start < text.length; start++) {
    let node = root.next.get(text.charCodeAt(start));
    for (let at = start + 1; node; at++) {
      if (node.id !== undefined) found.add(node.id);
      node = node.next.get(text.charCodeAt(at));
    }
  }
  return found;
}
