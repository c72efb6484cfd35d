import { expect } from "chai";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRng } from "../core/rng.ts";
import { openAllocators } from "../runtime/allocators/policies.ts";
import { simulate } from "../runtime/allocators/simulate.ts";
import { rejection } from "../testing.ts";
import { generateTrace, readTrace } from "./request-trace.ts";

const options = { numRequests: 50, maxLength: 8192, meanGap: 10, numSteps: 3000 };

describe("a generated trace", () => {
  it("is the same for the same seed, and another for another", () => {
    const of = (seed: number) => generateTrace(options, seededRng(seed));
    expect(of(3)).to.deep.equal(of(3));
    expect(of(3)).not.to.deep.equal(of(4));
  });

  it("has the mean lengths and arrivals it was asked for", () => {
    const { requests } = generateTrace(
      { numRequests: 10_000, maxLength: 100_000, meanGap: 10 },
      seededRng(1),
    );
    const mean = (of: (request: (typeof requests)[number]) => number): number =>
      requests.reduce((sum, request) => sum + of(request), 0) / requests.length;
    // Log-normal lengths have a deviation of 1.3 means; cutting the longest takes a little away.
    expect(mean(({ promptTokens }) => promptTokens) / 100_000).to.be.closeTo(161 / 2048, 0.005);
    expect(mean(({ outputTokens }) => outputTokens) / 100_000).to.be.closeTo(338 / 2048, 0.015);
    expect(requests.at(-1)!.arrival / requests.length).to.be.closeTo(10, 0.5);
  });

  it("lets reservation use 20 to 40 % of what it takes, on average, and pages at least 96 %", () => {
    const sizes = { numSlots: 76_958, maxLength: 8192, blockSize: 16 };
    const numSeeds = 5;
    let reserved = 0;
    for (let seed = 0; seed < numSeeds; seed++) {
      const trace = generateTrace(options, seededRng(seed));
      const used = new Map(
        openAllocators("all", sizes).map((allocator) => {
          const { name, peakUtilisation } = simulate(trace, allocator);
          return [name, peakUtilisation];
        }),
      );
      reserved += used.get("contiguous-max")! / numSeeds;
      expect(used.get("paged"), `seed ${seed}`).to.be.at.least(0.96);
    }
    expect(reserved).to.be.within(0.2, 0.4);
  });
});

describe("a trace in a file", () => {
  let folder: string;
  const written = (content: string): string => {
    const file = join(folder, "trace.json");
    writeFileSync(file, content);
    return file;
  };
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-trace-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("is read as it was generated", async () => {
    const trace = generateTrace(options, seededRng(0));
    expect(await readTrace(written(JSON.stringify(trace)))).to.deep.equal(trace);
  });

  it("is refused where it is none, with what is needed", async () => {
    for (const [content, reason] of [
      ["{", "JSON"],
      ["[]", "object"],
      [`{"maxLength": 10, "requests": [{"id": 1}]}`, "arrival"],
      [`{"maxLength": 10, "requests": [], "more": 1}`, "more"],
      [" ".repeat(2 ** 21 + 1), "more than"],
    ] as const) {
      const { name, message } = await rejection(readTrace(written(content)));
      expect(name).to.equal("InputError");
      expect(message).to.include(reason).and.include("Needed is JSON");
    }
    const impossible = { maxLength: 10, requests: [] };
    expect((await rejection(readTrace(written(JSON.stringify(impossible))))).message).to.include(
      "number of requests",
    );
    expect((await rejection(readTrace(join(folder, "none.json")))).message).to.include("ENOENT");
  });
});
