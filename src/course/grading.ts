/** What the graded tests of one run work with: the student's module, random inputs, refusals. */
import type { z } from "zod";
import { seededRng } from "../core/rng.ts";
import type { Rng } from "../core/rng.ts";
import { SandboxFailure, notWritten } from "../sandbox/failure.ts";
import { remoteObject } from "../sandbox/remote.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { callDeadlineMs } from "../sandbox/limits.ts";
import type { GradedTest, Grading } from "./graded-test.ts";

/** The grading of one submission in one sandbox. */
export class StudentGrading implements Grading {
  readonly #sandbox: Sandbox;
  readonly #unwritten: ReadonlySet<string>;
  readonly #seed: number;
  readonly #reasons = new Map<GradedTest, string>();

  constructor(sandbox: Sandbox, unwritten: ReadonlySet<string>, seed: number) {
    this.#sandbox = sandbox;
    this.#unwritten = unwritten;
    this.#seed = seed;
  }

  refusal({ exercise }: GradedTest): string | null {
    return this.#unwritten.has(exercise) ? `${exercise} is ${notWritten}.` : null;
  }

  student({ answers, deadlineMs = callDeadlineMs }: GradedTest): object {
    this.#sandbox.deadlineMs = deadlineMs;
    return remoteObject(async (name, args) => {
      const answer = await this.#sandbox.call(name, args);
      const schema = Object.hasOwn(answers, name) ? answers[name] : undefined;
      const found = schema?.safeParse(answer);
      if (!found || found.success) return answer;
      const problem = problemOf(found.error.issues[0]!, answer);
      throw new SandboxFailure("answer", `${name} must return ${shapeOf(schema)}: ${problem}.`);
    });
  }

  /** A stream of its own for each test, so that one test's draws never move another's. */
  random({ exercise, name }: GradedTest): Rng {
    return seededRng(hash(`${this.#seed}/${exercise}/${name}`));
  }

  notRun(test: GradedTest, reason: string): void {
    this.#reasons.set(test, reason);
  }

  reasonFor(test: GradedTest): string {
    return this.#reasons.get(test) ?? "It was skipped.";
  }
}

/** `{ scale, zero }` for an object with these members, else a word that always fits. */
function shapeOf(schema: unknown): string {
  const shape = (schema as { shape?: Readonly<Record<string, unknown>> } | undefined)?.shape;
  return shape ? `{ ${Object.keys(shape).join(", ")} }` : "what its type says";
}

/** What the first thing wrong with `answer` is. */
function problemOf({ path, message }: z.core.$ZodIssue, answer: unknown): string {
  const found = path.reduce<unknown>(
    (value, key) => (value as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key],
    answer,
  );
  if (path.length === 0) return found === undefined ? "it returned nothing" : plain(message);
  const name = path.join(".");
  return found === undefined ? `${name} is missing` : `${name}: ${plain(message)}`;
}

/** Zod's sentence without its "Invalid input:", as a part of ours. */
function plain(message: string): string {
  return message.replace(/^Invalid input: /, "");
}

/** FNV-1a, 32 bits (Fowler, Noll and Vo). */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    state = Math.imul(state ^ byte, 0x01000193) >>> 0;
  }
  return state;
}
