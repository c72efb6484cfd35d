import { expect } from "chai";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InputError, UsageError } from "../core/errors.ts";
import { root as repository } from "../testing.ts";
import { gradeProject, gradeSource } from "./grader.ts";
import type { GradeReport } from "./report.ts";

const root = join(import.meta.dirname, "fixtures");
const slug = "protocol";
const solution = readFileSync(join(root, "solutions", `${slug}.ts`), "utf8");
const stub = readFileSync(join(root, "exercises", ".stubs", `${slug}.ts`), "utf8");

function grade(
  source: string,
  options: { only?: string; seed?: number } = {},
): Promise<GradeReport> {
  return gradeSource({
    root,
    slug,
    source,
    file: "exercises/protocol.ts",
    stub,
    seed: 1,
    ...options,
  });
}

const statuses = ({ tests }: GradeReport): string[] => [
  ...new Set(tests.map(({ status }) => status)),
];

describe("grader", () => {
  it("gives the solution full marks: state, callbacks and mutation", async () => {
    const report = await gradeProject({ root, slug, from: "solutions", seed: 5 });
    expect(report.tests.map(({ message }) => message)).to.deep.equal([
      null,
      null,
      null,
      null,
      null,
    ]);
    expect([report.points, report.maxPoints]).to.deep.equal([8, 8]);
  });

  it("runs no stub, and says so", async () => {
    const report = await gradeProject({ root, slug, from: "exercises", seed: 5 });
    expect(statuses(report)).to.deep.equal(["not run"]);
    expect(report.points).to.equal(0);
    expect(report.tests[0]?.message).to.equal("MovingAverage is not written yet.");
  });

  it("grades what is written beside what is not", async () => {
    const begin = stub.indexOf("// #region momentumStep");
    const report = await grade(
      solution.slice(0, solution.indexOf("// #region momentumStep")) + stub.slice(begin),
    );
    expect(report.tests.map(({ status }) => status)).to.deep.equal([
      ...["passed", "passed", "passed", "passed", "not run"],
    ]);
    expect(report.points).to.equal(6);
  });

  it("does not run a stub that was only reformatted, or that another function reaches", async () => {
    const reformatted = stub.replaceAll("throw new Error", "  /* soon */ throw new Error");
    expect(statuses(await grade(reformatted))).to.deep.equal(["not run"]);
    const reaching = solution
      .replace("return best.count;", "return half();")
      .concat('function half(): number { throw new Error("not written yet"); }');
    const { tests } = await grade(reaching, { only: "cheapest" });
    expect(tests.map(({ status, message }) => [status, message])).to.deep.equal([
      ["not run", "cheapest is not written yet."],
    ]);
  });

  it("shows expected beside got, what was printed, and the first hint", async () => {
    const wrong = solution.replace(
      "state.velocity[i] = state",
      'console.log("step", i); state.velocity[i] = 0 * state',
    );
    const { tests } = await grade(wrong, { only: "momentumStep" });
    expect(tests[0]).to.deep.include({
      ...{ status: "failed", points: 0, maxPoints: 2, hint: "What changes?" },
      message: "weights: element 0 is 0.5, expected 0.",
      output: "step 0\nstep 1\n",
    });
    expect(tests[0]?.expected?.values).to.deep.equal([0, 3]);
    expect(tests[0]?.got?.values).to.deep.equal([0.5, 3]);
  });

  it("draws the same inputs for the same seed and others for another", async () => {
    const wrong = solution.replace("return best.count;", "return 0;");
    const want = async (seed: number): Promise<string | null | undefined> =>
      (await grade(wrong, { only: "cheapest", seed })).tests[0]?.message;
    const seen = [await want(1), await want(2), await want(3), await want(1)];
    expect(seen[3]).to.equal(seen[0]);
    expect(new Set(seen).size).to.be.greaterThan(1);
  });

  it("says what an answer should have been", async () => {
    for (const [answer, sentence] of [
      ["undefined", "cheapest must return what its type says: it returned nothing."],
      ["1.5", "cheapest must return what its type says: expected int, received number."],
    ]) {
      const { tests } = await grade(solution.replace("best.count;", `${answer} as number;`), {
        only: "cheapest",
      });
      expect(tests[0]?.message).to.equal(sentence);
    }
  });

  it("refuses value imports before anything runs", async () => {
    const begun = performance.now();
    const report = await grade(`import { readFileSync } from "node:fs";\nfor (;;);\n${solution}`);
    expect(report.problem).to.match(/^exercises\/protocol\.ts:1 imports "node:fs"/);
    expect(statuses(report)).to.deep.equal(["not run"]);
    expect(report.tests[0]?.message).to.equal(report.problem);
    // The loop would have taken a call's whole deadline of four seconds.
    expect(performance.now() - begun).to.be.lessThan(3000);
  });

  it("says what is wrong with a file that cannot be run", async () => {
    expect((await grade(`${solution}\nlet = ;`)).problem).to.match(
      /^exercises\/protocol\.ts:\d+:\d+ does not compile/,
    );
    expect((await grade(solution.replace("// #endregion", ""))).problem).to.match(
      /opens region cheapest inside MovingAverage/,
    );
  });

  it("knows only the exercises that there are, and the files", async () => {
    await rejects(
      grade(solution, { only: "cheap" }),
      UsageError,
      /no exercise "cheap"; it has cheapest/,
    );
    await rejects(
      gradeProject({ root, slug, from: "nowhere", seed: 1 }),
      InputError,
      /no file .*nowhere/,
    );
  });

  it("tells who runs the tests with mocha alone how to run them", () => {
    const mocha = join(repository, "node_modules", "mocha", "bin", "mocha.js");
    const file = join(root, "exercises", `${slug}.test.ts`);
    const args = ["--import", "tsx", mocha, "--no-config", "--bail", file];
    expect(() => execFileSync(process.execPath, args, { cwd: repository, stdio: "pipe" }))
      .to.throw()
      .with.property("stdout")
      .satisfies((text: Buffer) => text.toString().includes("run them with `npx infinity grade`"));
  });
});

/** Code that wants the points of `cheapest` without finding anything; none may get them. */
const attacks: Readonly<Record<string, string>> = {
  "ends the process at import": "process.exit(0);",
  "ends the process in the call": "export function cheapest() { process.exit(0); }",
  "ends it when asked for its exit code":
    'process.on("exit", () => { process.exitCode = 0; }); process.reallyExit(0);',
  "replaces the test functions":
    "globalThis.describe = globalThis.it = () => 0; export function cheapest() { return 1; }",
  "patches assertions":
    "Object.is = () => true; Math.abs = () => 0; export function cheapest() { return 0; }",
  "patches Array.prototype":
    "Array.prototype.every = Array.prototype.includes = () => true; export function cheapest() { return 0; }",
  "makes randomness constant":
    "Math.random = () => 0.5; Date.now = () => 0; export function cheapest() { return 1; }",
  "answers with a proxy that is everything":
    "const all: object = new Proxy(() => all, { get: (_, key) => (key === Symbol.toPrimitive ? () => 1 : all), apply: () => all }); export function cheapest() { return all; }",
  "answers with an object that is equal to everything":
    "export function cheapest() { return { valueOf: () => 1, toString: () => '1', equals: () => true }; }",
  "throws at import": 'throw new Error("no");',
  "never answers": "export function cheapest() { return new Promise(() => {}); }",
  "leaves a rejection":
    'export function cheapest() { void Promise.reject(new Error("x")); return 1; }',
  recurses: "export function cheapest(): number { return cheapest(); }",
  "pollutes prototypes": `export function cheapest() { return JSON.parse('{"__proto__": {"status": "passed", "points": 9}}'); }`,
  "writes a verdict": `console.log("5 passing"); process.stdout.write('{"points": 8}'); export function cheapest() { return 1; }`,
  "asks the test's function for more":
    "export function cheapest(cost: (n: number) => number) { for (let i = 0; i < 12; i++) cost(i + 1); (cost as any).constructor = 1; return cost.length; }",
  "exports something else": "export const cheapest = 3;",
  "exports nothing": "export {};",
};

describe("grader, attacked", () => {
  for (const [name, code] of Object.entries(attacks)) {
    it(`gives nothing to code that ${name}`, async () => {
      const source = `// #region cheapest\n${code}\n// #endregion\n`;
      const report = await grade(source, { only: "cheapest" });
      expect(report.tests.map(({ points }) => points)).to.deep.equal([0]);
      expect(report.tests[0]?.message).to.be.a("string").and.not.equal("");
      expect(({} as Record<string, unknown>)["points"]).to.equal(undefined);
    });
  }
});

async function rejects(
  promise: Promise<unknown>,
  kind: new (message: string) => Error,
  message: RegExp,
): Promise<void> {
  const error: unknown = await promise.catch((thrown: unknown) => thrown);
  expect(error).to.be.instanceOf(kind).and.have.property("message").match(message);
}
