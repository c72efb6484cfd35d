/**
 * Tells one story: draws what a plot asks for, puts it into the plot's words, and asks about it. What
 * is drawn stands for the whole story, so that what is said early holds late. Knows no splits.
 */
import { type Rng, randomInt, shuffle } from "../core/rng.ts";
import { type Role, drawCharacter } from "./story-cast.ts";
import { fragments } from "./story-fragments.ts";
import {
  type Entry,
  type Template,
  type Words,
  expand,
  plainText,
  polish,
  slotsOf,
} from "./story-grammar.ts";
import type { Plot, PlotQuestion } from "./story-plot.ts";
import { type PoolName, pools } from "./story-pools.ts";

/** A question about a story, with four answers of which one is right. */
export interface StoryQuestion {
  readonly question: string;
  readonly options: readonly string[];
  /** The place of the right answer in `options`. */
  readonly answer: number;
}

/** What every story draws besides what its plot asks for. */
const common: Readonly<Record<string, PoolName>> = {
  ...{ trait: "traits", time: "times", weather: "weathers", color: "colors" },
};

const numOptions = 4;

/** Somebody or something drawn, and where from. */
interface Drawn {
  readonly entry: Entry;
  readonly source: { readonly pool: PoolName } | { readonly role: Role };
}

/** The teller of one story of one plot. */
export class StoryTeller implements Words {
  readonly rng: Rng;
  readonly #plot: Plot;
  readonly #drawn = new Map<string, Drawn>();
  /** Texts of all that was drawn, so that nothing stands for two slots. */
  readonly #taken = new Set<string>();

  constructor(plot: Plot, rng: Rng) {
    this.rng = rng;
    this.#plot = plot;
    this.#drawFacts(plot.facts);
  }

  /** The plot's name and central facts: the story's template instance. */
  get instance(): string {
    const words = this.#plot.central.map((slot) => plainText(this.entry(slot), "text"));
    return [this.#plot.name, ...words].join(" | ");
  }

  /** The story's text. */
  tell(): string {
    this.#drawFacts(common);
    this.#drawCast(this.#plot.cast);
    return polish(expand(this.#plot.text, this));
  }

  /**
   * The questions that `text`, this story as it was told, answers, as far as it also names something
   * else of the same sort: without that, one would only have to look which option occurs.
   */
  ask(text: string): StoryQuestion[] {
    const told = text.toLowerCase();
    const isTold = (words: string): boolean => told.includes(words.toLowerCase());
    return this.#plot.questions.flatMap((question) => {
      const right = plainText(this.entry(question.slot), question.field);
      const rivals = this.#rivals(question, right).filter(isTold);
      return isTold(right) && rivals.length > 0 ? [this.#pose(question, right, rivals)] : [];
    });
  }

  entry(name: string): Entry {
    const drawn = this.#drawn.get(name);
    if (!drawn) throw new Error(`The plot "${this.#plot.name}" has no slot ${name}.`);
    return drawn.entry;
  }

  fragment(name: string): Template {
    const candidates = fragments[name];
    if (!candidates) throw new Error(`There is no fragment ${name}.`);
    const { cast, facts, text } = candidates[randomInt(this.rng, candidates.length)]!;
    this.#drawFacts(facts);
    this.#drawCast(cast);
    return text;
  }

  /** What the plot has drawn already, a passage does not draw again. */
  #drawFacts(facts: Readonly<Record<string, PoolName>>): void {
    for (const [slot, pool] of Object.entries(facts)) {
      if (this.#drawn.has(slot)) continue;
      const entry = this.#drawFrom(pool);
      this.#taken.add(plainText(entry, "text"));
      this.#drawn.set(slot, { entry, source: { pool } });
    }
  }

  #drawCast(cast: Readonly<Record<string, Role>>): void {
    for (const [slot, role] of Object.entries(cast)) {
      if (this.#drawn.has(slot)) continue;
      const entry = drawCharacter(role, this.rng, this.#taken);
      this.#taken.add(plainText(entry, "text"));
      this.#drawn.set(slot, { entry, source: { role } });
    }
  }

  #drawFrom(pool: PoolName): Entry {
    const entries = pools[pool];
    for (;;) {
      const entry = entries[randomInt(this.rng, entries.length)]!;
      if (!this.#taken.has(plainText(entry, "text"))) return entry;
    }
  }

  #pose(question: PlotQuestion, right: string, rivals: readonly string[]): StoryQuestion {
    const others = this.#unnamed(question.slot).map((entry) => plainText(entry, question.field));
    const wrong = new Set([...rivals, ...others.filter((words) => words !== right)]);
    const options = shuffle([right, ...[...wrong].slice(0, numOptions - 1)], this.rng);
    return {
      question: polish(expand(question.ask, this)),
      options,
      answer: options.indexOf(right),
    };
  }

  /** What else of the same sort the story has drawn, but for what the question itself mentions. */
  #rivals({ ask, slot, field }: PlotQuestion, right: string): string[] {
    const { source } = this.#drawn.get(slot)!;
    const asked = slotsOf(ask);
    const rivals = [...this.#drawn]
      .filter(([other, drawn]) => !asked.includes(other) && isSameSort(drawn.source, source))
      .map(([, { entry }]) => plainText(entry, field))
      .filter((words) => words !== right && words !== "");
    return shuffle([...new Set(rivals)], this.rng);
  }

  /** What the slot might have stood for and the story has not drawn, in random order. */
  #unnamed(slot: string): Entry[] {
    const { source } = this.#drawn.get(slot)!;
    const taken = new Set(this.#taken);
    if ("pool" in source) {
      const free = pools[source.pool].filter((entry) => !taken.has(plainText(entry, "text")));
      return shuffle([...free], this.rng);
    }
    return Array.from({ length: numOptions }, () => {
      const entry = drawCharacter(source.role, this.rng, taken);
      taken.add(plainText(entry, "text"));
      return entry;
    });
  }
}

function isSameSort(a: Drawn["source"], b: Drawn["source"]): boolean {
  return "pool" in a ? "pool" in b && a.pool === b.pool : "role" in b;
}
