/**
 * What `using` and `await using` do at run time: resources of one scope, disposed in reverse order
 * when it ends (ECMAScript's Explicit Resource Management).
 */

/** Node 20 knows the two symbols, its successors the syntax as well. */
type Disposer = () => unknown;

/** Two errors of one scope, as the standard tells them: the later one, and the one it hid. */
class SuppressedError extends Error {
  override readonly name: string = "SuppressedError";
  readonly error: unknown;
  readonly suppressed: unknown;

  constructor(error: unknown, suppressed: unknown) {
    super("An error was suppressed during disposal.");
    this.error = error;
    this.suppressed = suppressed;
  }
}

/** The resources of one scope. */
export class DisposalScope {
  readonly #disposers: Disposer[] = [];
  #failure: { readonly error: unknown } | undefined;

  /** A scope inside this one. */
  scope(): DisposalScope {
    return new DisposalScope();
  }

  /** Takes the resource of a `using`; null and undefined are allowed and nothing. */
  use<T>(value: T): T {
    return this.#add(value, "[Symbol.dispose]", [Symbol.dispose]);
  }

  /** Takes the resource of an `await using`. */
  useAsync<T>(value: T): T {
    return this.#add(value, "[Symbol.asyncDispose]", [Symbol.asyncDispose, Symbol.dispose]);
  }

  /** Remembers what the scope threw; ending it throws that, or what disposing adds to it. */
  fail(error: unknown): void {
    this.#failure = {
      error: this.#failure ? new SuppressedError(error, this.#failure.error) : error,
    };
  }

  /** Disposes everything, the last first. */
  end(): void {
    for (let dispose = this.#disposers.pop(); dispose; dispose = this.#disposers.pop()) {
      try {
        dispose();
      } catch (error) {
        this.fail(error);
      }
    }
    this.#rethrow();
  }

  /** As `end`, waiting for each. */
  async endAsync(): Promise<void> {
    for (let dispose = this.#disposers.pop(); dispose; dispose = this.#disposers.pop()) {
      try {
        await dispose();
      } catch (error) {
        this.fail(error);
      }
    }
    this.#rethrow();
  }

  #add<T>(value: T, needed: string, symbols: readonly symbol[]): T {
    if (value === null || value === undefined) return value;
    const methods = value as Record<symbol, unknown>;
    const symbol = symbols.find((candidate) => typeof methods[candidate] === "function");
    if (symbol === undefined) {
      throw new TypeError(`A value of \`using\` needs a method ${needed}.`);
    }
    const method = methods[symbol] as Disposer;
    this.#disposers.push(() => method.call(value));
    return value;
  }

  #rethrow(): void {
    if (!this.#failure) return;
    const { error } = this.#failure;
    this.#failure = undefined;
    throw error;
  }
}
