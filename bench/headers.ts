/** How fast a GGUF file's header is read, beside @huggingface/gguf. */
import { basename } from "node:path";
import { setImmediate } from "node:timers/promises";
import { InputError } from "../src/core/errors.ts";
import { openGgufFile } from "../src/corpus/files.ts";
import { median } from "./result.ts";

/** Until the engine has compiled both. */
const numWarmups = 20;
/** Turns of the event loop in which a closed file's stream is gone. */
const settlingTurns = 10;

interface HuggingFaceGguf {
  readonly gguf: (path: string, options: { allowLocalFile: true }) => Promise<object>;
}

/** Medians in ms. */
export interface HeaderFigures {
  readonly file: string;
  readonly oursMs: number;
  readonly theirsMs: number;
  readonly ratio: number;
}

/** Reads each file's header with both, in turn. Throws InputError where the package is not installed. */
export async function measureHeaders(
  files: readonly string[],
  numRounds: number,
): Promise<readonly HeaderFigures[]> {
  // Not a literal, so that type checking does not need the optional package.
  const packageName: string = "@huggingface/gguf";
  const { gguf } = (await import(packageName).catch((error: unknown) => {
    throw new InputError("@huggingface/gguf is not installed: `make bench-engine` installs it.", {
      cause: error,
    });
  })) as HuggingFaceGguf;
  const figures: HeaderFigures[] = [];
  for (const file of files) {
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let round = -numWarmups; round < numRounds; round++) {
      const [oursMs, theirsMs] = [
        await timed(() => ourHeader(file)),
        await timed(() => gguf(file, { allowLocalFile: true })),
      ];
      if (round < 0) continue;
      ours.push(oursMs);
      theirs.push(theirsMs);
    }
    const [oursMs, theirsMs] = [median(ours), median(theirs)];
    figures.push({ file: basename(file), oursMs, theirsMs, ratio: oursMs / theirsMs });
  }
  return figures;
}

async function ourHeader(file: string): Promise<void> {
  const opened = await openGgufFile(file);
  await opened.close();
}

/** What one leaves to be done after it has answered is not the other's time. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  for (let turn = 0; turn < settlingTurns; turn++) await setImmediate();
  const start = performance.now();
  await work();
  return performance.now() - start;
}
