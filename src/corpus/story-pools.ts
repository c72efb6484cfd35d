/** All pools by name, for plots and passages to draw from. */
import type { Entry } from "./story-grammar.ts";
import * as links from "./story-links.ts";
import * as words from "./story-words.ts";

/** The name of a pool. */
export type PoolName = keyof typeof words | keyof typeof links;

/** The pools. */
export const pools: Readonly<Record<PoolName, readonly Entry[]>> = { ...words, ...links };
