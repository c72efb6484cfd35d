import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { parseRegions, replaceRegion, sameCode } from "./regions.ts";

const text = `/** File. */
// #region one
export const one = 1;
// #endregion

  // #region two-b
  // #endregion two-b
const last = 0;
`;

describe("regions", () => {
  it("are found with their bodies, with any line ends", () => {
    for (const [ends, source] of [
      ["\n", text],
      ["\r\n", text.replaceAll("\n", "\r\n")],
    ] as const) {
      const regions = parseRegions(source, "f.ts");
      expect(regions.map(({ name }) => name)).to.deep.equal(["one", "two-b"]);
      expect(regions.map(({ body }) => body)).to.deep.equal([`export const one = 1;${ends}`, ""]);
    }
  });

  it("are replaced without touching a byte outside", () => {
    const [one] = parseRegions(text, "f.ts");
    const changed = replaceRegion(text, one!, "export const one = 2;\n\n");
    expect(changed).to.equal(text.replace("one = 1", "one = 2"));
  });

  it("refuse broken markers, with the line and the cure", () => {
    for (const [source, sentence] of [
      ["// #region a\n// #region b\n", /^f\.ts:2 opens region b inside a; .*reset/],
      ["// #endregion\n", /^f\.ts:1 closes a region that is not open/],
      ["// #region a\n", /^f\.ts never closes region a/],
      [
        "// #region a\n// #endregion\n// #region a\n// #endregion",
        /^f\.ts:3 opens region a a second time/,
      ],
    ] as const) {
      expect(() => parseRegions(source, "f.ts")).to.throw(InputError, sentence);
    }
  });

  it("are the same code with other line ends and outer blank lines", () => {
    expect(sameCode("\n a;  \r\n b;\n\n", " a;\n b;".trim())).to.equal(true);
    expect(sameCode("a;\nb;", "a;\n\nb;")).to.equal(false);
  });
});
