/** The requests of a simulation: when they come and how long they become. */
import { InputError } from "../../core/errors.ts";

/** One request. Counts are tokens. */
export interface TraceRequest {
  readonly id: number;
  /** The step at which it arrives; in each step every running request generates one token. */
  readonly arrival: number;
  readonly promptTokens: number;
  /** Tokens it really generates. */
  readonly outputTokens: number;
  /** The most tokens its client allows to be generated. */
  readonly maxTokens: number;
}

/** Requests in order of arrival. */
export interface Trace {
  /** The longest sequence that is served, prompt and output together. */
  readonly maxLength: number;
  /** Steps after which counting ends; undefined to go on until every request has ended. */
  readonly numSteps?: number | undefined;
  readonly requests: readonly TraceRequest[];
}

/** More than a picture shows; a simulation of so many takes seconds. */
export const maxRequests = 10_000;
/** Beyond a million steps a simulation takes minutes. */
export const maxSteps = 1_000_000;

/** Throws InputError for a trace that no engine could be asked to serve. */
export function checkTrace({ maxLength, numSteps, requests }: Trace): void {
  const check = (value: number, least: number, most: number, what: string): void => {
    if (Number.isInteger(value) && value >= least && value <= most) return;
    throw new InputError(
      `${what} is ${value}, and has to be a whole number of ${least} to ${most}.`,
    );
  };
  check(requests.length, 1, maxRequests, "The number of requests of the trace");
  check(maxLength, 2, maxSteps, "The longest length of the trace");
  if (numSteps !== undefined) check(numSteps, 1, maxSteps, "The number of steps of the trace");
  requests.forEach((request, i) => {
    const what = (name: string): string => `${name} of request ${request.id}`;
    check(request.id, i + 1, i + 1, `The id of the trace's request ${i + 1}`);
    check(request.arrival, requests[i - 1]?.arrival ?? 0, maxSteps, what("The arrival"));
    check(request.promptTokens, 1, maxLength - 1, what("The prompt"));
    check(request.maxTokens, 1, maxLength - request.promptTokens, what("The limit"));
    check(request.outputTokens, 1, request.maxTokens, what("The output"));
  });
}
