/**
 * Traces of requests: a seeded one with the lengths that people's conversations have, and ones from a
 * file.
 */
import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { InputError } from "../core/errors.ts";
import { normal, randomInt, type Rng } from "../core/rng.ts";
import { checkTrace, type Trace, type TraceRequest } from "../runtime/allocators/trace.ts";

/** What a generated trace is like. */
export interface TraceOptions {
  readonly numRequests: number;
  /** The longest sequence that is served. Tokens. */
  readonly maxLength: number;
  /** Mean number of steps between arrivals. */
  readonly meanGap: number;
  readonly numSteps?: number | undefined;
}

/**
 * Mean lengths of the ShareGPT conversations in Kwon et al. (2023), §6.1, as parts of the 2,048 tokens
 * of the model they were run with: the same shares of memory at any maximal length.
 */
const meanPromptShare = 161 / 2048;
const meanOutputShare = 338 / 2048;
/** The spread of the logarithm of a length: many short ones, a few very long. */
const spread = 1;
/** Clients set a round limit, well above what they expect. */
const limitFactors = [1, 2, 4] as const;

/** Requests with log-normal lengths that arrive at random (Poisson). The same seed gives the same trace. */
export function generateTrace(
  { numRequests, maxLength, meanGap, numSteps }: TraceOptions,
  rng: Rng,
): Trace {
  let time = 0;
  const requests = Array.from({ length: numRequests }, (_, i): TraceRequest => {
    const arrival = Math.floor(time);
    time += -Math.log(1 - rng()) * meanGap;
    const promptTokens = bounded(logNormal(meanPromptShare * maxLength, rng), maxLength - 1);
    const room = maxLength - promptTokens;
    const outputTokens = bounded(logNormal(meanOutputShare * maxLength, rng), room);
    const factor = limitFactors[randomInt(rng, limitFactors.length)]!;
    const maxTokens = Math.min(room, factor * 2 ** Math.ceil(Math.log2(outputTokens)));
    return { id: i + 1, arrival, promptTokens, outputTokens, maxTokens };
  });
  const trace = { maxLength, numSteps, requests };
  checkTrace(trace);
  return trace;
}

/** Files of more bytes than this hold more requests than a trace may have. */
const maxFileBytes = 2 ** 21;

const traceFile: z.ZodType<Trace> = z.strictObject({
  maxLength: z.number(),
  numSteps: z.number().optional(),
  requests: z.array(
    z.strictObject({
      id: z.number(),
      arrival: z.number(),
      promptTokens: z.number(),
      outputTokens: z.number(),
      maxTokens: z.number(),
    }),
  ),
});

/** Reads a trace from a JSON file. Throws InputError where it is none. */
export async function readTrace(path: string): Promise<Trace> {
  const wrong = (reason: string, cause?: unknown): InputError =>
    new InputError(
      `${path} is no trace: ${reason}. Needed is JSON {maxLength, numSteps?, requests: [{id, arrival, promptTokens, outputTokens, maxTokens}]}.`,
      { cause },
    );
  const text = await readText(path, wrong);
  let trace: Trace;
  try {
    trace = traceFile.parse(JSON.parse(text));
  } catch (error) {
    throw wrong(
      error instanceof z.ZodError
        ? z.prettifyError(error).split("\n", 2).join(" ")
        : (error as Error).message,
      error,
    );
  }
  checkTrace(trace);
  return trace;
}

async function readText(
  path: string,
  wrong: (reason: string, cause?: unknown) => InputError,
): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > maxFileBytes) throw wrong(`it has ${size} bytes, more than ${maxFileBytes}`);
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw wrong((error as Error).message, error);
  }
}

function logNormal(mean: number, rng: Rng): number {
  return mean * Math.exp(spread * normal(rng) - spread ** 2 / 2);
}

function bounded(length: number, most: number): number {
  return Math.max(1, Math.min(most, Math.round(length)));
}
