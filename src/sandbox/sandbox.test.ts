import { expect } from "chai";
import { SandboxFailure } from "./failure.ts";
import type { FailureCategory } from "./failure.ts";
import { compileModule } from "./module-source.ts";
import { bundleRunner } from "./program.ts";
import { mutable, remoteObject } from "./remote.ts";
import type { Remote } from "./remote.ts";
import { Sandbox } from "./sandbox.ts";

const honest = `
export const limit = 7;
export function echo(value: unknown): unknown { return value; }
export function add(a: number, b: number): number { return a + b; }
export class Stack {
  #items: number[] = [];
  push(item: number): this { this.#items.push(item); return this; }
  get length(): number { return this.#items.length; }
  top(): number { return this.#items.at(-1)!; }
}
export function topOf(stack: Stack): number { return stack.top(); }
export function counter(): { next(): number } { let n = 0; return { next: () => ++n }; }
export function scaler(by: number): (x: number) => number { return (x) => x * by; }
export function sum(f: (i: number) => number, n: number): number { let s = 0; for (let i = 0; i < n; i++) s += f(i); return s; }
export async function both(f: (i: number) => Promise<number>): Promise<number[]> { return Promise.all([f(1), f(2)]); }
export function guarded(f: () => number): string { try { return String(f()); } catch (error) { return "caught " + (error as Error).message; } }
export function run(task: { steps: number; step(i: number): void }): void { for (let i = 0; i < task.steps; i++) task.step(i); }
export function double(values: Float64Array): void { for (let i = 0; i < values.length; i++) values[i]! *= 2; }
export function say(text: string): void { console.log(text); console.error({ text }); }
export function fail(): never {
  throw new TypeError("no such grid");
}
`;

interface Honest {
  limit: number;
  echo(value: unknown): unknown;
  add(a: number, b: number): number;
  Stack: new () => Stack;
  topOf(stack: Stack): number;
  counter(): { next(): number };
  scaler(by: number): (x: number) => number;
  sum(f: (i: number) => number, n: number): number;
  both(f: (i: number) => Promise<number>): Promise<number[]>;
  guarded(f: () => number): string;
  run(task: { steps: number; step(i: number): void }): void;
  double(values: Float64Array): void;
  say(text: string): void;
  fail(): never;
}

interface Stack {
  readonly length: number;
  push(item: number): Stack;
  top(): number;
}

/** Runs `body` with the exports of `source`, and ends their process. */
async function withModule<Module extends object>(
  source: string,
  body: (student: Remote<Module>, sandbox: Sandbox) => Promise<void>,
): Promise<void> {
  const program = await compileModule(source, "exercises/x.ts");
  const sandbox = new Sandbox({ runner: await bundleRunner(), program });
  try {
    await body(remoteObject((name, args) => sandbox.call(name, args)) as Remote<Module>, sandbox);
  } finally {
    sandbox.dispose();
  }
}

async function failureOf(call: Promise<unknown>): Promise<SandboxFailure> {
  try {
    await call;
  } catch (error) {
    if (error instanceof SandboxFailure) return error;
    throw error;
  }
  throw new Error("it was expected to fail");
}

describe("sandbox, with an honest module", () => {
  const both = (body: Parameters<typeof withModule<Honest>>[1]): Promise<void> =>
    withModule<Honest>(honest, body);

  it("calls functions, reads constants and brings values through unharmed", () =>
    both(async (student) => {
      expect(await student.add(2, 3)).to.equal(5);
      expect(await student.limit()).to.equal(7);
      const values = [-0, NaN, 2n ** 70n, new Map([["a", new Set([1])]]), new Int8Array([-1])];
      expect(await student.echo(values)).to.deep.equal(values);
      expect(Object.is(await student.echo(-0), -0)).to.equal(true);
    }));

  it("keeps an object with methods where it is, and takes it back as an argument", () =>
    both(async (student) => {
      const [stack, other] = [await student.Stack(), await student.Stack()];
      const same = await stack.push(4);
      await same.push(9);
      expect(await stack.length()).to.equal(2);
      expect(await other.length()).to.equal(0);
      expect(await student.topOf(stack)).to.equal(9);
      const counter = await student.counter();
      await counter.next();
      expect(await counter.next()).to.equal(2);
      expect(await (await student.scaler(3))(5)).to.equal(15);
    }));

  it("calls functions of ours while its own code waits", () =>
    both(async (student) => {
      const seen: number[] = [];
      const square = (i: number): number => {
        seen.push(i);
        return i * i;
      };
      expect(await student.sum(square, 4)).to.equal(14);
      expect(seen).to.deep.equal([0, 1, 2, 3]);
    }));

  it("calls asynchronous functions of ours, which may call it again", () =>
    both(async (student) => {
      expect(await student.both((i) => student.add(i, 10))).to.deep.equal([11, 12]);
    }));

  it("hears what a function of ours throws", () =>
    both(async (student) => {
      const refuse = (): number => {
        throw new RangeError("not today");
      };
      expect(await student.guarded(refuse)).to.equal("caught not today");
      expect(await student.guarded(() => new Date() as unknown as number)).to.match(
        /caught a Date/,
      );
    }));

  it("calls a method of ours on its object", () =>
    both(async (student) => {
      const task = {
        steps: 3,
        done: 0,
        step(i: number): void {
          this.done += i;
        },
      };
      await student.run(task);
      expect(task.done).to.equal(3);
    }));

  it("gives back what was changed in a mutable argument, and only there", () =>
    both(async (student) => {
      const values = new Float64Array([1, 2]);
      await student.double(values);
      expect([...values]).to.deep.equal([1, 2]);
      await student.double(mutable(values));
      expect([...values]).to.deep.equal([2, 4]);
    }));

  it("survives answers of ours that are too large to hand over", () =>
    both(async (student) => {
      // Within the limit of a value, beyond that of the message around it.
      const huge = (): number => new Uint8Array(2 ** 26 - 16) as unknown as number;
      expect(await student.guarded(huge)).to.match(/^caught more than 64 MB/);
      const failure = await failureOf(student.both(() => Promise.resolve(huge())));
      expect(failure.thrown).to.match(/^more than 64 MB/);
      const error: unknown = await student.echo(huge()).catch((thrown: unknown) => thrown);
      expect(error)
        .to.have.property("message")
        .match(/cannot be handed over: more than 64 MB/);
      expect(await student.add(1, 1)).to.equal(2);
    }));

  it("keeps what is printed, once", () =>
    both(async (student, sandbox) => {
      await student.say("hello");
      expect(sandbox.takeOutput()).to.equal("hello\n{ text: 'hello' }\n");
      expect(sandbox.takeOutput()).to.equal("");
    }));

  it("says what was thrown, and on which line of the file", () =>
    both(async (student) => {
      const failure = await failureOf(student.fail());
      expect([failure.category, failure.thrown]).to.deep.equal(["threw", "no such grid"]);
      const line = honest.slice(0, honest.indexOf("throw new TypeError")).split("\n").length;
      expect(failure.message).to.equal(`fail threw TypeError: no such grid (line ${line}).`);
      expect(await student.add(1, 1)).to.equal(2);
    }));

  it("answers many calls at once in their order", () =>
    both(async (student) => {
      const sums = await Promise.all(Array.from({ length: 500 }, (_, i) => student.add(i, 1)));
      expect(sums).to.deep.equal(Array.from({ length: 500 }, (_, i) => i + 1));
    }));

  it("tells the caller that an argument of theirs cannot be handed over", () =>
    both(async (student) => {
      const error: unknown = await student.echo(new Date()).catch((thrown: unknown) => thrown);
      expect(error).to.have.property(
        "message",
        "An argument of echo cannot be handed over: a Date.",
      );
      expect(error).not.to.be.instanceOf(SandboxFailure);
    }));
});

/** `fs` and raw frames for attacks: what a student reaches who looks for it. */
const tools = `
const fs = process.getBuiltinModule("fs");
const raw = (bytes) => { const head = Buffer.alloc(4); head.writeUInt32LE(bytes.length); fs.writeSync(3, Buffer.concat([head, Buffer.from(bytes)])); };
`;

interface Attack {
  readonly name: string;
  readonly body: string;
  readonly category: FailureCategory;
  readonly message?: RegExp;
}

const attacks: readonly Attack[] = [
  {
    name: "a loop without end",
    body: "for (;;);",
    category: "deadline",
    message: /did not answer within 1\.5 s/,
  },
  {
    name: "a promise that nothing resolves",
    body: "return new Promise(() => {});",
    category: "deadline",
  },
  { name: "process.exit", body: "process.exit(0);", category: "exit", message: /exit status 0/ },
  { name: "process.reallyExit", body: "process.reallyExit(0);", category: "exit" },
  {
    name: "a killed process",
    body: 'process.kill(process.pid, "SIGKILL"); for (;;);',
    category: "crash",
  },
  { name: "an abort", body: "process.abort();", category: "crash" },
  {
    name: "an unhandled rejection",
    body: 'Promise.reject(new Error("lost")); return 1;',
    category: "crash",
    message: /nothing caught: Error: lost \(line/,
  },
  {
    name: "a late exception",
    body: 'setTimeout(() => { throw new Error("late"); }, 1); return new Promise(() => {});',
    category: "crash",
  },
  {
    name: "a flood of console output",
    body: 'for (;;) console.log("x".repeat(4096));',
    category: "flood",
  },
  {
    name: "a flood on stdout",
    body: 'for (;;) process.stdout.write("x".repeat(4096));',
    category: "flood",
  },
  {
    name: "a heap bomb",
    body: "const all = []; for (;;) all.push(new Array(1e6).fill({}));",
    category: "memory",
  },
  {
    name: "endless recursion",
    body: "return attack();",
    category: "threw",
    message: /Maximum call stack/,
  },
  { name: "a thrown string", body: 'throw "no error";', category: "threw", message: /no error/ },
  {
    name: "a thrown object that cannot be printed",
    body: "throw { toString() { throw 1; } };",
    category: "crash",
  },
  { name: "a cyclic answer", body: "const a = []; a.push(a); return a;", category: "answer" },
  {
    name: "an endless answer",
    body: "return new Proxy([], { get: (t, k) => (k === 'length' ? 2 ** 31 : 0) });",
    category: "answer",
  },
  {
    name: "an answer with a getter that throws",
    body: 'return { get scale() { throw new Error("gotcha"); } };',
    category: "answer",
  },
  {
    name: "an answer of a hundred megabytes",
    body: "return new Uint8Array(1e8);",
    category: "answer",
  },
  {
    name: "reading a file",
    body: 'return fs.readFileSync("/etc/hosts", "utf8");',
    category: "threw",
    message: /Access to this API has been restricted/,
  },
  {
    name: "starting a process",
    body: 'return process.getBuiltinModule("child_process").execSync("id");',
    category: "threw",
    message: /restricted/,
  },
  {
    name: "starting a thread",
    body: 'new (process.getBuiltinModule("worker_threads").Worker)("1", { eval: true });',
    category: "threw",
    message: /restricted/,
  },
  { name: "process.binding", body: 'return process.binding("spawn_sync");', category: "threw" },
  { name: "bytes that are no message", body: "raw([255, 1, 2]); for (;;);", category: "protocol" },
  {
    name: "a message that is none of ours",
    body: "raw([9, 0, 0, 0, 0]); for (;;);",
    category: "protocol",
  },
  {
    name: "a frame of four gigabytes",
    body: "fs.writeSync(3, Buffer.alloc(4, 255)); for (;;);",
    category: "protocol",
  },
  {
    name: "half a frame",
    body: "fs.writeSync(3, Buffer.from([200, 0, 0, 0, 1])); process.exit(0);",
    category: "exit",
  },
  { name: "a closed answer descriptor", body: "fs.closeSync(3); for (;;);", category: "deadline" },
];

describe("sandbox, attacked", () => {
  for (const { name, body, category, message } of attacks) {
    it(`${name} fails the call as "${category}", and the next call is answered`, async () => {
      const source = `${tools}\nexport function attack() { ${body} }\nexport function fine() { return "fine"; }`;
      await withModule<{ attack(): unknown; fine(): string }>(source, async (student, sandbox) => {
        sandbox.deadlineMs = category === "deadline" ? 1500 : 10_000;
        const failure = await failureOf(student.attack());
        expect(failure.category, failure.message).to.equal(category);
        if (message) expect(failure.message).to.match(message);
        expect(await student.fine()).to.equal("fine");
      });
    });
  }

  it("patched globals spoil the student's own answers, and nothing else", async () => {
    const source = `Array.prototype.map = Object.entries = Map.prototype.set = () => 7;
      Array.isArray = () => true;
      Promise.prototype.then = () => 1;
      export function f() { return { scale: 1 }; }`;
    await withModule<{ f(): unknown }>(source, async (student) => {
      expect(await failureOf(student.f())).to.be.instanceOf(SandboxFailure);
      expect([1].map((x) => x + 1)).to.deep.equal([2]);
    });
  });

  it("forged answers are answers at best", async () => {
    const source = `${tools}
      // {kind: "answer", id: "0…0", value, mutated: []} for ids that were never asked.
      const text = (t) => { const b = Buffer.alloc(4 + t.length * 2); b.writeUInt32LE(t.length); b.write(t, 4, "utf16le"); return b; };
      export function attack() {
        const count = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); return b; };
        raw(Buffer.concat([Buffer.of(10), count(4), text("kind"), Buffer.of(5), text("answer"), text("id"), Buffer.of(5), text("0".repeat(24)),
          text("value"), Buffer.of(7, 1), count(1), Buffer.of(3), text("mutated"), Buffer.of(9), count(0)]));
        return 5;
      }`;
    await withModule<{ attack(): number }>(source, async (student) => {
      const failure = await failureOf(student.attack());
      expect(failure.category).to.equal("protocol");
      expect(failure.message).to.match(/a question that was not asked/);
    });
  });

  it("an answer cannot rewrite the question", async () => {
    const source = "export function attack(x: number[]) { x.fill(0); return x; }";
    await withModule<{ attack(x: number[]): number[] }>(source, async (student) => {
      const question = [1, 2];
      expect(await student.attack(question)).to.deep.equal([0, 0]);
      expect(question).to.deep.equal([1, 2]);
    });
  });

  it("a mutable argument of another length fails the call, and stays as it was", async () => {
    const source = `export function attack(a: { w: Float32Array }) { Object.assign(a, { __proto__: { polluted: 1 } }); return 1; }
      export function swap(a: unknown[]) { a.length = 0; a.push(function lent() { return 3; }); }`;
    await withModule<{ attack(a: { w: Float32Array }): number; swap(a: unknown[]): void }>(
      source,
      async (student) => {
        const argument = { w: new Float32Array(2) };
        await student.attack(mutable(argument));
        expect(Object.getPrototypeOf(argument)).to.equal(Object.prototype);
        expect(({} as Record<string, unknown>)["polluted"]).to.equal(undefined);
        const list: unknown[] = [1, 2];
        await student.swap(mutable(list));
        expect(await (list[0] as () => Promise<number>)()).to.equal(3);
      },
    );
  });

  it("a top level that throws, exits or hangs fails every call at once", async () => {
    for (const [source, category] of [
      ['throw new Error("at import");', "threw"],
      ["process.exit(0);", "exit"],
      ["for (;;);", "deadline"],
    ] as const) {
      await withModule<{ f(): number }>(
        `${source}\nexport function f() { return 1; }`,
        async (student) => {
          const first = await failureOf(student.f());
          expect(first.category).to.equal(category);
          expect(first.message).to.match(/^the file's top level /);
          const begun = performance.now();
          expect((await failureOf(student.f())).message).to.equal(first.message);
          expect(performance.now() - begun).to.be.lessThan(100);
        },
      );
    }
  });

  it("a handle of a process that is gone says so", async () => {
    const source = `export class Box { get() { return 1; } hang() { for (;;); } }`;
    await withModule<{ Box: new () => { get(): number; hang(): void } }>(
      source,
      async (student, sandbox) => {
        sandbox.deadlineMs = 500;
        const box = await student.Box();
        await failureOf(box.hang());
        expect((await failureOf(box.get())).message).to.match(
          /^get cannot be called any more: the process did not answer/,
        );
      },
    );
  });

  it("sees no environment, no arguments of ours and no open standard input", async () => {
    const source =
      "export function look() { return [Object.keys(process.env), process.argv.slice(1), process.execArgv.length > 0]; }";
    await withModule<{ look(): unknown }>(source, async (student) => {
      const [env, argv] = (await student.look()) as [string[], string[]];
      expect(
        env.filter((name) => !["SystemRoot", "PWD", "SHLVL", "_", "OLDPWD"].includes(name)),
      ).to.deep.equal([]);
      expect(argv).to.deep.equal([]);
    });
  });

  it("a function of ours that never answers is given up, and the guest's clock stood still", async () => {
    const source = "export async function wait(f: () => Promise<number>) { return await f(); }";
    await withModule<{ wait(f: () => Promise<number>): Promise<number> }>(
      source,
      async (student, sandbox) => {
        sandbox.deadlineMs = 400;
        const slow = (): Promise<number> => new Promise((resolve) => setTimeout(resolve, 300, 4));
        expect(await student.wait(slow)).to.equal(4);
        const failure = await failureOf(student.wait(() => new Promise<number>(() => undefined)));
        expect([failure.category, failure.thrown]).to.deep.equal([
          "threw",
          "the test's function took more than 0.4 s",
        ]);
      },
    );
  });
});
