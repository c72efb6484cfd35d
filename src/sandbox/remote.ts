/**
 * What a module looks like from outside its process: every function answers with a promise, and an
 * object with methods stays where it is and is reached through a handle. Types and the proxies
 * behind them; the calls themselves are the session's.
 */

/** The exports of `Module`, callable from another process. */
export type Remote<Module> = { readonly [Name in keyof Module]: RemoteMember<Module[Name]> };

/** A class is called without `new` and answers with a handle; a constant is a call without arguments. */
export type RemoteMember<Member> = Member extends abstract new (
  ...args: infer Args
) => infer Instance
  ? (...args: RemoteArguments<Args>) => Promise<RemoteValue<Instance>>
  : Member extends (...args: infer Args) => infer Result
    ? (...args: RemoteArguments<Args>) => Promise<RemoteValue<Awaited<Result>>>
    : () => Promise<RemoteValue<Member>>;

/** Data arrives as itself; an object with a method arrives as a handle with the same members. */
export type RemoteValue<Value> = Value extends Data
  ? Value
  : Value extends (...args: never[]) => unknown
    ? RemoteMember<Value>
    : Value extends readonly unknown[]
      ? { [Index in keyof Value]: RemoteValue<Value[Index]> }
      : HasMethod<Value> extends true
        ? Remote<Value>
        : Value;

type RemoteArguments<Args extends unknown[]> = {
  [Index in keyof Args]: RemoteArgument<Args[Index]>;
};

/** A function of ours is passed as it is, an object of the other process as its handle. */
type RemoteArgument<Arg> = Arg extends (...args: never[]) => unknown
  ? Arg
  : Arg extends object
    ? Arg | RemoteValue<Arg> | Mutable<Arg>
    : Arg;

/**
 * An argument that the function may change: afterwards the original holds what the function made
 * of it. Without it an argument travels as a copy, so an answer cannot rewrite the question.
 */
export class Mutable<Value> {
  readonly value: Value;

  constructor(value: Value) {
    this.value = value;
  }
}

/** Marks an argument as one that the function may change, as in `sgdStep(mutable(w), gradient)`. */
export function mutable<Value extends object>(value: Value): Mutable<Value> {
  return new Mutable(value);
}

type Data =
  | (string | number | bigint | boolean | null | undefined)
  | (ArrayBufferView | ArrayBuffer | Error)
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>;

type HasMethod<Value> = true extends {
  [Key in keyof Value]: Value[Key] extends (...args: never[]) => unknown ? true : never;
}[keyof Value]
  ? true
  : false;

/** Makes one call: of an export, or of a member of a handle, by name. */
export type Caller = (name: string, args: readonly unknown[]) => Promise<unknown>;

/** Names that JavaScript itself asks any object for; they are never members of a remote one. */
const languageNames = new Set(["then", "toJSON", "constructor", "inspect"]);

/** An object whose every member is a call through `caller`; not thenable, so it can be awaited. */
export function remoteObject(caller: Caller): object {
  return new Proxy(Object.freeze({}), {
    get: (_, name) =>
      typeof name === "string" && !languageNames.has(name)
        ? (...args: unknown[]) => caller(name, args)
        : undefined,
  });
}
