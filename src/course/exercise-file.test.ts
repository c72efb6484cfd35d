import { expect } from "chai";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError, UsageError } from "../core/errors.ts";
import { resetExercise, saveExercise } from "./exercise-file.ts";

const slug = "01-linear-quantizer";
const file = `exercises/${slug}.ts`;
const stub = `// #region half
/** Halves. */
export function half(x: number): number {
  throw new Error("not written yet");
}
// #endregion

// #region Box
export class Box {}

export async function fill(): Promise<void> {
  throw new Error("not written yet");
}
// #endregion
`;
const now = new Date("2026-01-02T03:04:05.006Z");

describe("exercise file", () => {
  let root = "";
  const read = (path = file): string => readFileSync(join(root, path), "utf8");

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "infinity-exercise-"));
    for (const path of [`exercises/.stubs/${slug}.ts`, file]) {
      cpSync(new URL("fixtures/exercises/.stubs/protocol.ts", import.meta.url), join(root, path));
      writeFileSync(join(root, path), stub);
    }
  });

  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it("takes a cell's code and exports what the stub exports", () => {
    const saved = saveExercise(
      root,
      "half",
      "function half(x: number): number {\n  return x / 2;\n}\n",
    );
    expect(saved).to.deep.equal({ slug, file, status: "saved", message: `Saved half in ${file}.` });
    expect(read()).to.equal(
      stub
        .replace("/** Halves. */\n", "")
        .replace('throw new Error("not written yet")', "return x / 2"),
    );
  });

  it("exports classes and asynchronous functions, and nothing else", () => {
    const code =
      "const hidden = 1;\nabstract class Box { half() { return hidden; } }\nexport async function fill() {}";
    saveExercise(root, "Box", code);
    expect(read()).to.contain("\nconst hidden = 1;\nexport abstract class Box {");
    expect(read()).to.contain("\nexport async function fill() {}\n// #endregion\n");
  });

  it("says when nothing changed", () => {
    const code = "export const half = (x: number): number => x / 2;";
    saveExercise(root, "half", code);
    expect(saveExercise(root, "half", `\n${code}\n\n`).status).to.equal("unchanged");
  });

  it("keeps work from a cell that still holds the stub", () => {
    saveExercise(root, "half", "const half = (x: number) => x / 2;");
    const before = read();
    const cell = stub
      .slice(stub.indexOf("/**"), stub.indexOf("// #endregion"))
      .replace("export ", "");
    const kept = saveExercise(root, "half", cell);
    expect(kept.status).to.equal("kept");
    expect(kept.message).to.contain("npx infinity reset 01 half");
    expect(read()).to.equal(before);
  });

  it("backs up what it overwrites, not the stub", () => {
    expect(saveExercise(root, "half", "const half = () => 1;", slug, now).backup).to.equal(
      undefined,
    );
    const before = read();
    const second = saveExercise(root, "half", "const half = () => 2;", slug, now);
    const third = saveExercise(root, "half", "const half = () => 3;", slug, now);
    expect(second.backup).to.equal(`.infinity/backups/${slug}.2026-01-02T03-04-05.006Z.ts`);
    expect(third.backup).to.equal(`.infinity/backups/${slug}.2026-01-02T03-04-05.006Z.2.ts`);
    expect(read(second.backup)).to.equal(before);
    expect(second.message).to.contain(second.backup!);
  });

  it("saves nothing that does not define the exercise or does not compile", () => {
    for (const [code, sentence] of [
      ["const other = 1;", /does not define half/],
      ["  function half() {}", /does not define half/],
      ["function half( {", /line \d+ of .* would not compile/],
      [
        "function half() {}\nfunction half2() {}\nconst half2 = 1;",
        /would not compile: The symbol "half2"/,
      ],
    ] as const) {
      expect(() => saveExercise(root, "half", code)).to.throw(InputError, sentence);
    }
    expect(read()).to.equal(stub);
    expect(readdirSync(join(root, "exercises"))).to.have.lengthOf(2);
  });

  it("names the nearest exercise where there is none of that name", () => {
    expect(() => saveExercise(root, "hal", "1")).to.throw(
      UsageError,
      /no exercise "hal"; the nearest are half/,
    );
  });

  it("asks for the project where two have an exercise of that name", () => {
    for (const path of ["exercises/.stubs/02-gptq.ts", "exercises/02-gptq.ts"])
      writeFileSync(join(root, path), stub);
    const code = "const half = () => 1;";
    expect(() => saveExercise(root, "half", code)).to.throw(
      UsageError,
      /01-linear-quantizer and 02-gptq each have/,
    );
    expect(saveExercise(root, "half", code, "02-gptq").file).to.equal("exercises/02-gptq.ts");
  });

  it("says how to mend a file that has lost its region", () => {
    writeFileSync(join(root, file), "export {};\n");
    expect(() => saveExercise(root, "half", "const half = 1;")).to.throw(
      InputError,
      /lost its region half.*reset 01/,
    );
  });

  it("restores one stub or the file, and keeps a copy", () => {
    saveExercise(root, "half", "const half = () => 1;");
    saveExercise(root, "Box", "class Box {}\nasync function fill() {}");
    const before = read();
    const one = resetExercise(root, "1", "half", now);
    expect(read(one.backup)).to.equal(before);
    expect(one.message).to.match(/^Restored the stub of half in exercises.*\.infinity\/backups/);
    expect(read()).to.contain("not written yet").and.to.contain("export async function fill() {}");
    resetExercise(root, slug, undefined, now);
    expect(read()).to.equal(stub);
    expect(resetExercise(root, slug).status).to.equal("unchanged");
  });

  it("restores a file that is gone or broken", () => {
    rmSync(join(root, file));
    expect(resetExercise(root, slug).status).to.equal("saved");
    expect(read()).to.equal(stub);
    writeFileSync(join(root, file), "// #region half");
    resetExercise(root, slug);
    expect(read()).to.equal(stub);
  });

  it("knows no stub of an unknown exercise", () => {
    expect(() => resetExercise(root, "01", "hafl")).to.throw(UsageError, /no exercise "hafl"/);
    expect(() => resetExercise(root, "nine")).to.throw(UsageError, /no project "nine"/);
  });
});
