import { expect } from "chai";
import { listPicture } from "./list-picture.ts";
import { reportHtml, reportText, shown } from "./report.ts";
import type { GradeReport } from "./report.ts";

const hostile = `</pre><script>alert("1")</script>'&`;
const report: GradeReport = {
  slug: "01-linear-quantizer",
  tests: [
    {
      name: "one",
      exercise: "a",
      status: "passed",
      points: 2,
      maxPoints: 2,
      hint: null,
      hints: ["h1"],
      message: null,
    },
    {
      ...{ name: "two", exercise: "a", status: "failed", points: 0, maxPoints: 3, hint: "h2" },
      ...{ hints: ["h1", "h2", hostile], message: "element 0 is 1, expected 2." },
      ...{ expected: shown([2, 1]), got: shown([1, NaN]), output: hostile },
    },
    {
      name: "three",
      exercise: "b",
      status: "not run",
      points: 0,
      maxPoints: 1,
      hint: null,
      hints: ["h1"],
      message: "b is not written yet.",
    },
  ],
  points: 2,
  maxPoints: 6,
};

describe("report", () => {
  it("is complete as text", () => {
    expect(reportText(report)).to.equal(`01-linear-quantizer: 2 of 6 points

a
  ✓ one: passed, 2/2
  ✗ two: failed, 0/3
      element 0 is 1, expected 2.
      expected: [ 2, 1 ]
      got:      [ 1, NaN ]
      printed:
        ${hostile}
      hint: h2

b: b is not written yet.
  ○ three: not run, 0/1
`);
  });

  it("lets nothing of a student's process become markup", () => {
    const html = reportHtml({ ...report, slug: hostile, problem: hostile });
    expect(html).not.to.contain("<script>");
    expect(html).not.to.contain('alert("1")');
    expect(html.match(/&lt;script&gt;/g)).to.have.length.greaterThan(3);
  });

  it("has each status as a word, hints inside hints, and a picture of lists", () => {
    const html = reportHtml(report);
    for (const status of ["passed", "failed", "not run"]) {
      expect(html).to.contain(`<span class="status">${status}</span>`);
    }
    expect(html).to.match(
      /Hint 1 of 3.*h1.*<details.*Hint 2 of 3.*h2.*<details.*Hint 3 of 3.*<\/details><\/details><\/details>/s,
    );
    expect(html).to.match(
      /<svg [^>]*role="img" aria-label="Expected and got, drawn: 2 of 2 elements differ\."/,
    );
    expect(html).to.contain('aria-label="2 of 6 points"');
  });

  it("balances its elements", () => {
    const html = reportHtml({ ...report, problem: "x" }).replace(/<style>.*?<\/style>/s, "");
    const open: string[] = [];
    for (const [, close, name, empty] of html.matchAll(/<(\/?)([a-z0-9]+)[^>]*?(\/?)>/g)) {
      if (close) expect(open.pop()).to.equal(name);
      else if (!empty) open.push(name!);
    }
    expect(open).to.deep.equal([]);
  });

  it("shows values of any size and kind in bounded space", () => {
    for (const value of ["x".repeat(1e6), new Float32Array(1e6), [[["deep"]]], new Map(), 2n, -0]) {
      expect(JSON.stringify(shown(value)).length).to.be.lessThan(6000);
    }
    expect(shown(new Float32Array([1, NaN, -2])).values).to.deep.equal([1, null, -2]);
    expect(shown(["a", 1])).not.to.have.property("values");
    expect(JSON.parse(JSON.stringify(report))).to.deep.equal(report);
  });
});

describe("list picture", () => {
  it("stays inside its frame, without NaN, for any finite lists", () => {
    for (const [a, b] of [
      [
        [0, 0],
        [0, 0],
      ],
      [
        [1e308, -1e308],
        [5, null],
      ],
      [[1], [2, 3, 4]],
    ] as const) {
      const svg = listPicture(a, b);
      expect(svg).not.to.match(/NaN|Infinity|undefined/);
      for (const [, y] of svg.matchAll(/cy="(-?[\d.]+)"/g)) expect(Number(y)).to.be.within(0, 114);
    }
    expect(listPicture([null, null], [null])).to.equal("");
  });
});
