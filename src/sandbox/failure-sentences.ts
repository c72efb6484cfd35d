/** The sentences of failed calls. Everything in them that comes from a guest is cut to length. */
import { SourceMap } from "node:module";
import { SandboxFailure, notWritten } from "./failure.ts";
import type { FailureCategory } from "./failure.ts";
import type { Ending } from "./isolated-process.ts";
import { dataMegabytes, heapMegabytes } from "./limits.ts";
import type { GuestMessage } from "./messages.ts";
import type { Program } from "./program.ts";

/** Characters of a guest's own message: a sentence or two, or a small table. */
const shownMessage = 500;

type Reason = Extract<GuestMessage, { kind: "failed" }>["reason"];

/** What ended a process, as it continues a sentence: `f` + `ran out of memory …`. */
export interface ProcessEnd {
  readonly category: FailureCategory;
  readonly predicate: string;
}

/** The failure of `label`, which the guest reports itself; its process lives on. */
export function describeFailure(
  label: string,
  reason: Reason,
  error: Error,
  program: Program,
): SandboxFailure {
  const message = shorten(error.message);
  switch (reason) {
    case "threw":
      if (message.startsWith(notWritten))
        return new SandboxFailure("unwritten", `${label} is ${notWritten}.`);
      return new SandboxFailure(
        "threw",
        `${label} threw ${describeError(error, program)}.`,
        message,
      );
    case "missing":
      return new SandboxFailure(
        "missing",
        `there is no ${label}: is it written, spelled so and exported?`,
      );
    case "answer":
      return new SandboxFailure(
        "answer",
        `${label} answered with ${message}, which cannot be handed over: answer with numbers, strings, arrays, typed arrays, plain objects, maps or sets.`,
      );
  }
}

/** `TypeError: x is not a function (line 12)`. */
export function describeError(error: Error, program: Program): string {
  return `${shorten(error.name)}: ${shorten(error.message)}${place(error, program)}`;
}

/** Why a process is gone that nobody ended. */
export function describeEnding({ code, signal, diagnostic }: Ending): ProcessEnd {
  if (/out of memory|Allocation failed/i.test(diagnostic)) {
    return {
      category: "memory",
      predicate: `ran out of memory: it may take ${heapMegabytes} MB for objects and ${dataMegabytes} MB for everything`,
    };
  }
  if (signal === "SIGXCPU")
    return { category: "deadline", predicate: "used too much processor time" };
  if (signal !== null || code === null) {
    return { category: "crash", predicate: `ended with ${signal ?? shorten(diagnostic)}` };
  }
  return {
    category: "exit",
    predicate: `ended its own process (exit status ${code}); a function returns`,
  };
}

/** ` (line 12)`: the first line of the guest's own file on the error's stack. */
function place(error: Error, program: Program): string {
  const at = (error.stack ?? "").indexOf(`${program.file}:`);
  if (at < 0) return "";
  const found = /^(\d{1,7}):(\d{1,7})/.exec(
    (error.stack ?? "").slice(at + program.file.length + 1),
  );
  if (!found) return "";
  const entry = new SourceMap(program.map).findEntry(Number(found[1]) - 1, Number(found[2]) - 1);
  return "originalLine" in entry ? ` (line ${entry.originalLine + 1})` : "";
}

function shorten(text: string): string {
  return text.length > shownMessage ? `${text.slice(0, shownMessage)}…` : text;
}
