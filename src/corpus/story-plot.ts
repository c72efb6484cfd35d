/**
 * What a plot is: who and what a story draws before it is told, the text of its template, and what
 * can be asked about it afterwards. The plots themselves are in story-plots-….ts.
 */
import type { Role } from "./story-cast.ts";
import { type Template, template } from "./story-grammar.ts";
import type { PoolName } from "./story-pools.ts";

/** A question whose answer is what a slot stood for. */
export interface PlotQuestion {
  readonly ask: Template;
  /** The slot and the field of it that answer. */
  readonly slot: string;
  readonly field: string;
}

/** A story's skeleton. */
export interface Plot {
  readonly name: string;
  /** Characters by slot; a role is never drawn twice with the same name. */
  readonly cast: Readonly<Record<string, Role>>;
  /** Facts by slot: the pool each is drawn from, without repeating itself in one story. */
  readonly facts: Readonly<Record<string, PoolName>>;
  /**
   * The slots that, with the plot, make a story's template instance: what decides its split. Their
   * words must occur in every telling, or a story could not be told from another instance's.
   */
  readonly central: readonly string[];
  readonly text: Template;
  readonly questions: readonly PlotQuestion[];
}

/** A plot as it is written down. */
export interface PlotSource {
  readonly name: string;
  readonly cast: Readonly<Record<string, Role>>;
  readonly facts: Readonly<Record<string, PoolName>>;
  readonly central: readonly string[];
  readonly text: string;
  /** Question and "slot" or "slot.field". */
  readonly asks: readonly (readonly [string, string])[];
}

/** Compiles a plot. Throws Error for text that is not of the language. */
export function plot({ text, asks, ...rest }: PlotSource): Plot {
  const questions = asks.map(([ask, answer]) => {
    const [slot, field = "text"] = answer.split(".");
    return { ask: template(ask), slot: slot!, field };
  });
  return { ...rest, text: template(text), questions };
}
