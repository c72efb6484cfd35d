/**
 * A serving engine without the model: requests of a trace wait, start, grow by a token in each step
 * and end, while an allocator keeps their memory. First come, first served. Where a running request
 * cannot grow, the newest gives its memory back and is computed again later (preemption by
 * recomputation, as in vLLM). Time is counted in steps; how long a step takes is not modelled.
 */
import { InputError } from "../../core/errors.ts";
import type { Allocator, MemoryRequest } from "./allocator.ts";
import { checkTrace, maxSteps, type Trace, type TraceRequest } from "./trace.ts";

/** Where the slots of a memory are at one step; the last five sum to all of them. */
export interface MemoryCensus {
  readonly step: number;
  readonly numRunning: number;
  readonly numWaiting: number;
  /** Slots that hold a token. */
  readonly live: number;
  /** Allocated slots that their request will fill later. */
  readonly reserved: number;
  /** Allocated slots that their request will never fill. */
  readonly internal: number;
  /** Free slots outside the largest piece: one request could not have them all. */
  readonly external: number;
  /** The other free slots. */
  readonly free: number;
}

/** What happens to a request. */
export interface MemoryEvent {
  readonly step: number;
  readonly request: number;
  readonly type: "start" | "wait" | "preempt" | "finish" | "refuse";
}

/** The first time that a request did not get memory. Counts are slots. */
export interface MemoryFailure {
  readonly step: number;
  readonly request: number;
  /** It could not start, could not grow, or is longer than the memory. */
  readonly reason: "start" | "growth" | "length";
  readonly needed: number;
  readonly free: number;
  readonly largestFree: number;
}

/** How an allocator did on a trace. */
export interface Simulation {
  readonly name: string;
  readonly numSlots: number;
  /** Requests that ended within the trace's steps. */
  readonly requestsServed: number;
  /** Requests that can never fit. */
  readonly requestsRefused: number;
  /** Tokens of the served requests, prompts included. */
  readonly tokensServed: number;
  /** Tokens stored until a request did not get memory for the first time, or in all. */
  readonly tokensBeforeFirstFailure: number;
  readonly firstFailure: MemoryFailure | null;
  readonly numSteps: number;
  readonly maxRunning: number;
  readonly numPreemptions: number;
  /** Tokens copied to another slot. */
  readonly numMoved: number;
  /** The step with most slots allocated, and of those the one with most live tokens. */
  readonly peak: MemoryCensus;
  /** Live tokens over allocated slots at the peak; 0 where nothing was allocated. */
  readonly peakUtilisation: number;
  /** Live tokens over allocated slots, summed over all steps. */
  readonly meanUtilisation: number;
}

/** Who watches a simulation. */
export interface Observer {
  /** Called once a step, when every running request has grown and before any ends. */
  readonly onStep?: (census: MemoryCensus, allocator: Allocator) => void;
  readonly onEvent?: (event: MemoryEvent, allocator: Allocator) => void;
}

/** Runs `trace` on an allocator that holds nothing yet. Throws InputError for a wrong or endless trace. */
export function simulate(trace: Trace, allocator: Allocator, observer: Observer = {}): Simulation {
  checkTrace(trace);
  return new MemorySimulator(trace, allocator, observer).run();
}

interface Sequence {
  readonly request: TraceRequest;
  numTokens: number;
  hasStarted: boolean;
}

class MemorySimulator {
  readonly #trace: Trace;
  readonly #allocator: Allocator;
  readonly #observer: Observer;
  readonly #waiting: Sequence[] = [];
  /** In the order in which they started. */
  #running: Sequence[] = [];
  #step = 0;
  #nextArrival = 0;
  #firstFailure: MemoryFailure | null = null;
  #tokensStored = 0;
  #tokensBeforeFirstFailure = 0;
  #served: TraceRequest[] = [];
  #numRefused = 0;
  #maxRunning = 0;
  #numPreemptions = 0;
  #peak: MemoryCensus;
  #liveSum = 0;
  #allocatedSum = 0;

  constructor(trace: Trace, allocator: Allocator, observer: Observer) {
    this.#trace = trace;
    this.#allocator = allocator;
    this.#observer = observer;
    this.#peak = this.#census();
  }

  run(): Simulation {
    while (this.#hasWork() && this.#step < (this.#trace.numSteps ?? Infinity)) {
      if (this.#step >= maxSteps) {
        throw new InputError(
          `The trace is not over after ${maxSteps} steps; give it fewer or shorter requests, or a number of steps.`,
        );
      }
      this.#arrive();
      this.#start();
      this.#grow();
      this.#count();
      this.#finish();
      this.#step++;
    }
    return this.#result();
  }

  #hasWork(): boolean {
    return (
      this.#nextArrival < this.#trace.requests.length ||
      this.#waiting.length + this.#running.length > 0
    );
  }

  #arrive(): void {
    const { requests } = this.#trace;
    for (; requests[this.#nextArrival]?.arrival === this.#step; this.#nextArrival++) {
      const request = requests[this.#nextArrival]!;
      const sequence = { request, numTokens: request.promptTokens, hasStarted: false };
      if (this.#allocator.couldEverFit(memoryRequest(sequence))) this.#waiting.push(sequence);
      else {
        this.#numRefused++;
        this.#emit("refuse", sequence);
        this.#fail("length", sequence, request.promptTokens + request.maxTokens);
      }
    }
  }

  #start(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const request = memoryRequest(next);
      if (!this.#allocator.start(request)) {
        this.#emit("wait", next);
        this.#fail("start", next, this.#allocator.slotsToStart(request));
        return;
      }
      this.#waiting.shift();
      this.#running.push(next);
      if (!next.hasStarted) this.#tokensStored += next.numTokens;
      next.hasStarted = true;
      this.#emit("start", next);
    }
  }

  #grow(): void {
    for (let i = 0; i < this.#running.length; i++) {
      const sequence = this.#running[i]!;
      while (i < this.#running.length && !this.#allocator.append(sequence.request.id)) {
        this.#fail("growth", sequence, 1);
        this.#preempt(this.#running.at(-1)!);
      }
      if (i === this.#running.length) return;
      sequence.numTokens++;
      this.#tokensStored++;
    }
  }

  /** The newest waits again, before all others. */
  #preempt(sequence: Sequence): void {
    this.#running.pop();
    this.#allocator.release(sequence.request.id);
    this.#waiting.unshift(sequence);
    this.#numPreemptions++;
    this.#emit("preempt", sequence);
  }

  #count(): void {
    const census = this.#census();
    const allocated = allocatedIn(census);
    this.#maxRunning = Math.max(this.#maxRunning, census.numRunning);
    this.#liveSum += census.live;
    this.#allocatedSum += allocated;
    if (isFuller(census, this.#peak)) this.#peak = census;
    this.#observer.onStep?.(census, this.#allocator);
  }

  #census(): MemoryCensus {
    const { numFree, largestFree } = this.#allocator;
    const sums = { live: 0, reserved: 0, internal: 0 };
    for (const { request } of this.#running) {
      const { allocated, live } = this.#allocator.holding(request.id);
      const used = Math.min(allocated, finalLength(request));
      sums.live += live;
      sums.reserved += used - live;
      sums.internal += allocated - used;
    }
    return {
      step: this.#step,
      numRunning: this.#running.length,
      numWaiting: this.#waiting.length,
      ...sums,
      external: numFree - largestFree,
      free: largestFree,
    };
  }

  #finish(): void {
    const isOver = ({ request, numTokens }: Sequence): boolean =>
      numTokens === finalLength(request);
    const over = this.#running.filter(isOver);
    this.#running = this.#running.filter((sequence) => !isOver(sequence));
    for (const sequence of over) {
      this.#allocator.release(sequence.request.id);
      this.#served.push(sequence.request);
      this.#emit("finish", sequence);
    }
  }

  #fail(reason: MemoryFailure["reason"], { request }: Sequence, needed: number): void {
    if (this.#firstFailure) return;
    const { numFree: free, largestFree } = this.#allocator;
    this.#firstFailure = {
      step: this.#step,
      request: request.id,
      reason,
      needed,
      free,
      largestFree,
    };
    this.#tokensBeforeFirstFailure = this.#tokensStored;
  }

  #emit(type: MemoryEvent["type"], { request }: Sequence): void {
    this.#observer.onEvent?.({ step: this.#step, request: request.id, type }, this.#allocator);
  }

  #result(): Simulation {
    const allocated = allocatedIn(this.#peak);
    return {
      name: this.#allocator.name,
      numSlots: this.#allocator.numSlots,
      requestsServed: this.#served.length,
      requestsRefused: this.#numRefused,
      tokensServed: this.#served.reduce((sum, request) => sum + finalLength(request), 0),
      tokensBeforeFirstFailure: this.#firstFailure
        ? this.#tokensBeforeFirstFailure
        : this.#tokensStored,
      firstFailure: this.#firstFailure,
      numSteps: this.#step,
      maxRunning: this.#maxRunning,
      numPreemptions: this.#numPreemptions,
      numMoved: this.#allocator.numMoved,
      peak: this.#peak,
      peakUtilisation: allocated === 0 ? 0 : this.#peak.live / allocated,
      meanUtilisation: this.#allocatedSum === 0 ? 0 : this.#liveSum / this.#allocatedSum,
    };
  }
}

/** Whether more slots are allocated in `census` than in `other`, or as many with more tokens in them. */
export function isFuller(census: MemoryCensus, other: MemoryCensus): boolean {
  const more = allocatedIn(census) - allocatedIn(other);
  return more > 0 || (more === 0 && census.live > other.live);
}

/** Slots that belong to a request. */
function allocatedIn({ live, reserved, internal }: MemoryCensus): number {
  return live + reserved + internal;
}

function finalLength({ promptTokens, outputTokens }: TraceRequest): number {
  return promptTokens + outputTokens;
}

function memoryRequest({ request, numTokens }: Sequence): MemoryRequest {
  const { id, promptTokens, maxTokens } = request;
  return { id, numTokens, limit: promptTokens + maxTokens, finalLength: finalLength(request) };
}
