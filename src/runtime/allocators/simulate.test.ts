import { expect } from "chai";
import fc from "fast-check";
import { openAllocators } from "./policies.ts";
import { ContiguousAllocator } from "./contiguous.ts";
import { FrameRecorder, memoryMap } from "./memory-map.ts";
import { PagedAllocator } from "./paged.ts";
import { simulate, type MemoryCensus, type MemoryEvent } from "./simulate.ts";
import { checkTrace, type Trace, type TraceRequest } from "./trace.ts";

const maxLength = 40;

const trace: fc.Arbitrary<Trace> = fc
  .array(
    fc.record({
      gap: fc.nat({ max: 6 }),
      promptTokens: fc.integer({ min: 1, max: 20 }),
      outputTokens: fc.integer({ min: 1, max: 10 }),
      spare: fc.nat({ max: 10 }),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((items) => {
    let arrival = 0;
    const requests = items.map(({ gap, promptTokens, outputTokens, spare }, i): TraceRequest => {
      arrival += gap;
      return { id: i + 1, arrival, promptTokens, outputTokens, maxTokens: outputTokens + spare };
    });
    return { maxLength, requests };
  });

describe("simulate", () => {
  it("accounts for every slot at every step, on every allocator, and serves all that fits", () => {
    fc.assert(
      fc.property(trace, fc.integer({ min: 4, max: 120 }), (requests, numSlots) => {
        for (const allocator of openAllocators("all", { numSlots, maxLength, blockSize: 4 })) {
          const numRefused = requests.requests.filter(
            ({ id, promptTokens, outputTokens, maxTokens }) =>
              !allocator.couldEverFit({
                ...{ id, numTokens: promptTokens, limit: promptTokens + maxTokens },
                finalLength: promptTokens + outputTokens,
              }),
          ).length;
          const result = simulate(requests, allocator, {
            onStep: (census, { numSlots: total }) => {
              const { live, reserved, internal, external, free } = census;
              expect(live + reserved + internal + external + free).to.equal(total);
              expect(Math.min(live, reserved, internal, external, free)).to.be.at.least(0);
            },
          });
          expect(result.requestsRefused).to.equal(numRefused);
          expect(result.requestsServed + numRefused).to.equal(requests.requests.length);
          expect(allocator.numFree).to.equal(allocator.numSlots);
        }
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  it("gives the same figures for the same trace", () => {
    fc.assert(
      fc.property(trace, (requests) => {
        const run = () =>
          openAllocators("all", { numSlots: 60, maxLength, blockSize: 4 }).map((allocator) =>
            simulate(requests, allocator),
          );
        expect(run()).to.deep.equal(run());
      }),
      { seed: 5, numRuns: 20 },
    );
  });

  it("follows a trace worked by hand", () => {
    // Slots 0–3 and 4–7 are taken at once; the third request waits until the first has ended.
    const requests: TraceRequest[] = [
      { id: 1, arrival: 0, promptTokens: 1, outputTokens: 1, maxTokens: 3 },
      { id: 2, arrival: 0, promptTokens: 2, outputTokens: 2, maxTokens: 2 },
      { id: 3, arrival: 0, promptTokens: 4, outputTokens: 1, maxTokens: 1 },
    ];
    const events: MemoryEvent[] = [];
    const censuses: MemoryCensus[] = [];
    const allocator = new ContiguousAllocator("by limit", 9, {
      fit: "first",
      reserve: ({ limit }) => limit,
      compacts: false,
    });
    const result = simulate({ maxLength: 8, requests }, allocator, {
      onEvent: (event) => events.push(event),
      onStep: (census) => censuses.push(census),
    });
    expect(events.map(({ step, request, type }) => `${step} ${type} ${request}`)).to.deep.equal([
      ...["0 start 1", "0 start 2", "0 wait 3", "0 finish 1"],
      ...["1 wait 3", "1 finish 2", "2 start 3", "2 finish 3"],
    ]);
    expect(censuses[0]).to.deep.equal({
      ...{ step: 0, numRunning: 2, numWaiting: 1 },
      ...{ live: 5, reserved: 1, internal: 2, external: 0, free: 1 },
    });
    // The first request's four slots and the last of all: five free, and not in one piece.
    expect(censuses[1]).to.include({ live: 4, reserved: 0, internal: 0, external: 1, free: 4 });
    expect(result).to.deep.include({
      ...{ requestsServed: 3, tokensServed: 11, tokensBeforeFirstFailure: 3, maxRunning: 2 },
      ...{ numSteps: 3, peakUtilisation: 5 / 8, numPreemptions: 0 },
    });
    expect(result.firstFailure).to.deep.equal({
      ...{ step: 0, request: 3, reason: "start", needed: 5, free: 1, largestFree: 1 },
    });
  });

  it("preempts the newest where the oldest cannot grow, and counts its tokens once", () => {
    const requests = [1, 2].map((id): TraceRequest => ({
      ...{ id, arrival: 0, promptTokens: 4, outputTokens: 4, maxTokens: 4 },
    }));
    const events: string[] = [];
    const result = simulate({ maxLength: 8, requests }, new PagedAllocator(12, 4, 0), {
      onEvent: ({ step, type, request }) => events.push(`${step} ${type} ${request}`),
    });
    expect(events).to.deep.equal([
      ...["0 start 1", "0 start 2", "0 preempt 2", "1 start 2", "1 preempt 2"],
      ...["2 start 2", "2 preempt 2", "3 start 2", "3 preempt 2", "3 finish 1"],
      ...["4 start 2", "7 finish 2"],
    ]);
    expect(result).to.include({ tokensServed: 16, tokensBeforeFirstFailure: 9 });
    expect(result.firstFailure).to.include({ reason: "growth", request: 2, free: 0 });
  });

  it("refuses what can never fit, and stops at the trace's last step", () => {
    const requests: TraceRequest[] = [
      { id: 1, arrival: 0, promptTokens: 30, outputTokens: 1, maxTokens: 1 },
      { id: 2, arrival: 0, promptTokens: 1, outputTokens: 9, maxTokens: 9 },
    ];
    const result = simulate({ maxLength, numSteps: 3, requests }, new PagedAllocator(16, 4));
    expect(result).to.include({ requestsRefused: 1, requestsServed: 0, numSteps: 3 });
    expect(result.firstFailure).to.include({ reason: "length", needed: 31 });
  });

  it("refuses traces that cannot be", () => {
    const request: TraceRequest = {
      ...{ id: 1, arrival: 0, promptTokens: 3, outputTokens: 2, maxTokens: 4 },
    };
    const checking =
      (change: Partial<TraceRequest>, more: Partial<Trace> = {}) =>
      () => {
        checkTrace({ maxLength, requests: [{ ...request, ...change }], ...more });
      };
    expect(checking({})).not.to.throw();
    expect(checking({ outputTokens: 5 })).to.throw("output of request 1 is 5");
    expect(checking({ promptTokens: 0 })).to.throw("prompt of request 1 is 0");
    expect(checking({ maxTokens: 38 })).to.throw("limit of request 1 is 38");
    expect(checking({ arrival: -1 })).to.throw("arrival of request 1 is -1");
    expect(checking({ id: 2 })).to.throw("id of the trace's request 1");
    expect(checking({}, { requests: [] })).to.throw("number of requests");
    expect(checking({}, { numSteps: 0 })).to.throw("number of steps");
    expect(checking({}, { maxLength: Number.NaN })).to.throw("longest length");
  });
});

describe("memory map", () => {
  it("shows each slot where there are as many cells as slots", () => {
    const allocator = new ContiguousAllocator("map", 6, {
      ...{ fit: "first", compacts: false, reserve: ({ limit }) => limit },
    });
    allocator.start({ id: 7, numTokens: 1, limit: 2, finalLength: 2 });
    allocator.start({ id: 8, numTokens: 2, limit: 2, finalLength: 2 });
    allocator.release(7);
    allocator.start({ id: 9, numTokens: 1, limit: 1, finalLength: 1 });
    const live = (owner: number) => ({ owner, isLive: true });
    expect(memoryMap(allocator, 6)).to.deep.equal([live(9), null, live(8), live(8), null, null]);
    expect(memoryMap(allocator, 3)).to.deep.equal([live(9), live(8), null]);
  });

  it("keeps frames at equal distances, from the first step on", () => {
    const requests = [{ id: 1, arrival: 0, promptTokens: 1, outputTokens: 100, maxTokens: 100 }];
    const recorder = new FrameRecorder(5, 4);
    simulate({ maxLength: 101, requests }, new PagedAllocator(128, 16), {
      onStep: (census, allocator) => {
        recorder.record(census, allocator);
      },
    });
    const steps = recorder.frames.map(({ census }) => census.step);
    expect(steps).to.deep.equal([0, 16, 32, 48, 64, 80, 96]);
  });
});
