/** The proof, for every project that has begun: what `mutants.ts` says, and that it can fail. */
import { expect } from "chai";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../testing.ts";
import { applyMutant, proveProject } from "./mutants.ts";
import { projects } from "./projects.ts";
import { testFile } from "./student-files.ts";

const fixtures = join(import.meta.dirname, "fixtures");

describe("proof of the graded tests", () => {
  for (const { slug } of projects.filter((project) =>
    existsSync(join(root, testFile(project.slug))),
  )) {
    it(`${slug}: solutions earn everything, stubs nothing, every mutant dies, every test kills`, async () => {
      expect(await proveProject(root, slug)).to.deep.equal([]);
    });
  }

  it("holds for the fixture project", async () => {
    expect(await proveProject(fixtures, "protocol", 3)).to.deep.equal([]);
  });

  it("fails where tests, stubs or mutants do not hold", async () => {
    const problems = await proveProject(fixtures, "broken");
    expect(problems).to.deep.equal([
      "No test grades region untested of the stubs.",
      "No test grades region untested of the solution.",
      "Two tests are called double/doubles.",
      'Test "doubles" has no points.',
      'The solution does not pass "is generous" of double: the answer is 4, expected 5.',
      'A stub is passed by "does not look" of double; it must not run.',
      'Mutant "triples" of double is not caught by "does not look": passed.',
      'Mutant "names no test" names a test that double does not have: "quadruples".',
      'Mutant "does not apply" does not apply: what it replaces must occur exactly once in region double.',
      'Mutant "does not compile" was not run: mutant "does not compile":5:13 does not compile: Unexpected ";".',
      'No mutant of double fails the test "does not look".',
    ]);
  });

  it("applies a mutant to its region only", () => {
    const solution = readFileSync(join(fixtures, "solutions", "protocol.ts"), "utf8");
    const mutant = { name: "", mistake: "", killedBy: "", exercise: "cheapest" };
    const changed = applyMutant(solution, { ...mutant, replace: ["best.count", "0"] });
    expect(changed).to.equal(solution.replace("return best.count", "return 0"));
    expect(applyMutant(solution, { ...mutant, replace: ["best", "0"] })).to.equal(null);
    expect(applyMutant(solution, { ...mutant, exercise: "other", code: "" })).to.equal(null);
  });
});
