import { expect } from "chai";
import { SandboxFailure } from "../sandbox/failure.ts";
import { Mismatch, expectClose, expectEqual, expectThat, expectThrows } from "./graded-test.ts";

/** What `check` throws, or null. */
async function thrownBy(check: () => unknown): Promise<unknown> {
  try {
    await check();
    return null;
  } catch (error) {
    return error;
  }
}

describe("assertions of graded tests", () => {
  it("pass what holds", () => {
    expectEqual(-0, 0);
    expectEqual(new Int8Array([1]), new Int8Array([1]), "codes");
    expectClose(Math.fround(0.1), 0.1);
    expectClose(90, 100, { tolerance: 0.1 });
    expectThat(true, "never");
  });

  it("keep what was expected and what was got", async () => {
    for (const [check, message] of [
      [
        (): void => {
          expectEqual([1], [2], "codes");
        },
        "codes: element 0 is 1, expected 2.",
      ],
      [
        (): void => {
          expectEqual(-0, 0, { label: "zero", signedZero: true });
        },
        "zero is -0, expected 0.",
      ],
      [
        (): void => {
          expectClose(89, 100, { tolerance: 0.1 });
        },
        "the answer is 89, expected 100.",
      ],
      [
        (): void => {
          expectThat(false, "it must be odd", { got: 2, expected: 1 });
        },
        "it must be odd.",
      ],
    ] as const) {
      const error = await thrownBy(check);
      expect(error).to.be.instanceOf(Mismatch).and.have.property("message", message);
      expect(error).to.have.property("got").not.equal(undefined);
    }
  });

  it("take a throw for a throw, and neither an answer, a hang nor a stub", async () => {
    const threw = new SandboxFailure("threw", "f threw Error: not finite.", "not finite");
    expect(await thrownBy(() => expectThrows(Promise.reject(threw)))).to.equal(null);
    expect(await thrownBy(() => expectThrows(Promise.reject(threw), /finite/))).to.equal(null);
    expect(await thrownBy(() => expectThrows(Promise.reject(threw), /scale/))).to.be.instanceOf(
      Mismatch,
    );
    expect(await thrownBy(() => expectThrows(Promise.resolve(3)))).to.be.instanceOf(Mismatch);
    for (const category of ["deadline", "exit", "unwritten", "missing"] as const) {
      const failure = new SandboxFailure(category, "it failed.");
      expect(await thrownBy(() => expectThrows(Promise.reject(failure)))).to.equal(failure);
    }
  });
});
