/** How a call into a sandbox fails: the only thing that untrusted code can make a caller catch. */
import { InputError } from "../core/errors.ts";

/**
 * - `threw`: the function threw; the process lives on.
 * - `unwritten`: it is still a stub, which throws `notWritten`.
 * - `answer`: it answered with something that cannot be handed over, or is not what was agreed.
 * - `missing`: the module has no such export or member.
 * - `deadline`, `exit`, `crash`, `memory`, `flood`, `protocol`: the process is gone; the next call
 *   gets a fresh one.
 */
export type FailureCategory =
  | ("threw" | "unwritten" | "answer" | "missing")
  | ("deadline" | "exit" | "crash" | "memory" | "flood" | "protocol");

/** A call that got no answer, with the reason in one sentence. */
export class SandboxFailure extends InputError {
  override readonly name: string = "SandboxFailure";
  readonly category: FailureCategory;
  /** The message of what was thrown, where something was. */
  readonly thrown: string | undefined;

  constructor(category: FailureCategory, message: string, thrown?: string) {
    super(message);
    this.category = category;
    this.thrown = thrown;
  }
}

/** The message of the error that a stub throws: `throw new Error("not written yet")`. */
export const notWritten = "not written yet";
