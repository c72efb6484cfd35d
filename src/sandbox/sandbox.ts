/**
 * Runs a module that nobody trusts and calls its functions. It keeps one process for all calls and
 * starts a fresh one after a call that cost the process its life.
 */
import { SandboxFailure } from "./failure.ts";
import type { Launcher } from "./isolated-process.ts";
import { callDeadlineMs, maxShownOutput } from "./limits.ts";
import type { Program } from "./program.ts";
import { Session } from "./session.ts";

/** `runner` is `bundleRunner()`'s; `launch` replaces the resource limits of the platform. */
export interface SandboxOptions {
  readonly runner: string;
  readonly program: Program;
  readonly launch?: Launcher;
}

/** A module in a process of its own. Dispose of it, or its process lives until its deadline. */
export class Sandbox {
  readonly #options: SandboxOptions;
  #session: Session | undefined;
  #output = "";
  #loadFailure: SandboxFailure | undefined;

  /** Milliseconds for each call that begins now. */
  deadlineMs: number = callDeadlineMs;

  constructor(options: SandboxOptions) {
    this.#options = options;
  }

  /**
   * Calls export `name`; a class is constructed. Rejects with SandboxFailure for whatever the module
   * does, and with InputError for an argument that cannot be handed over.
   */
  async call(name: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#loadFailure) throw this.#loadFailure;
    const session = (this.#session = this.#liveSession());
    try {
      await session.loaded();
    } catch (error) {
      // The same top level would fail again, perhaps after the same wait.
      if (error instanceof SandboxFailure) this.#loadFailure = error;
      throw error;
    }
    return session.call(name, args);
  }

  /** What was printed since the last call of this, cut to a screenful. */
  takeOutput(): string {
    const output = this.#output;
    this.#output = "";
    this.#session?.forgetOutput();
    return output.length > maxShownOutput ? `${output.slice(0, maxShownOutput)}…` : output;
  }

  dispose(): void {
    this.#session?.dispose();
  }

  #liveSession(): Session {
    if (this.#session && !this.#session.failure) return this.#session;
    return new Session({
      ...this.#options,
      deadlineMs: () => this.deadlineMs,
      output: (text) => (this.#output = (this.#output + text).slice(0, maxShownOutput + 1)),
    });
  }
}
