/** The host's side of references: functions it lends to a guest, and handles on a guest's objects. */
import { remoteObject } from "./remote.ts";
import { CodecError } from "./value-format.ts";
import type { Reference, References } from "./value-format.ts";

type Callable = (...args: unknown[]) => unknown;

/** Calls member `name` of the guest's object `holder`, or the object itself where `name` is null. */
export type MemberCaller = (
  holder: number,
  name: string | null,
  args: readonly unknown[],
) => Promise<unknown>;

/** Lives as long as the guest's process: what it lent and what it was handed dies with it. */
export class HostReferences implements References {
  readonly #callMember: MemberCaller;
  readonly #references = new WeakMap<object, Reference>();
  readonly #lent: Callable[] = [];

  constructor(callMember: MemberCaller) {
    this.#callMember = callMember;
  }

  known(value: object): Reference | undefined {
    return this.#references.get(value);
  }

  /** Lends a function; a method is called on the object that it was found in. */
  adopt(value: object, owner?: object): Reference | undefined {
    if (typeof value !== "function") return undefined;
    const lent: Callable = (...args) => Reflect.apply(value, owner, args) as unknown;
    const reference: Reference = { owner: "host", id: this.#lent.push(lent) - 1, callable: true };
    if (!owner) this.#references.set(value, reference);
    return reference;
  }

  resolve(reference: Reference): unknown {
    if (reference.owner === "host") return this.lent(reference.id);
    const { id, callable } = reference;
    const handle = callable
      ? (...args: unknown[]) => this.#callMember(id, null, args)
      : remoteObject((name, args) => this.#callMember(id, name, args));
    this.#references.set(handle, reference);
    return handle;
  }

  /** The function that was lent as `id`. Throws CodecError where none was. */
  lent(id: number): Callable {
    const callback = this.#lent[id];
    if (!callback) throw new CodecError("a call of a function that was not handed over");
    return callback;
  }
}
