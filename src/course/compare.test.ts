import { expect } from "chai";
import { close, difference, equal, same } from "./compare.ts";

describe("difference", () => {
  const exact = (got: unknown, want: unknown): string | null =>
    difference(got, want, "q", equal, true);

  it("finds none between equal values of every kind", () => {
    const make = (): unknown => [
      ...[1, "a", null, undefined, NaN, 2n, new Float32Array([1, NaN])],
      ...[new Map([["k", [1]]]), new Set([1]), { a: { b: [true] } }],
    ];
    expect(exact(make(), make())).to.equal(null);
  });

  it("names the first place that differs, in a sentence", () => {
    const cases: [unknown, unknown, string][] = [
      [3, 4, "q is 3, expected 4"],
      ["4", 4, "q is '4', expected 4"],
      [undefined, [1], "q is undefined, expected [ 1 ]"],
      [[1, 2, 9], [1, 2, 3], "q: element 2 is 9, expected 3"],
      [[1, 2], [1, 2, 3], "q has 2 elements, expected 3"],
      [[1, 2], new Int8Array([1, 2]), "q is an Array, expected an Int8Array"],
      [new Uint8Array(1), new Int8Array(1), "q is a Uint8Array, expected an Int8Array"],
      [{ a: [{ b: 1 }] }, { a: [{ b: 2 }] }, "q: a[0].b is 1, expected 2"],
      [{ a: 1 }, { a: 1, b: 2 }, "q has no b"],
      [{ a: 1, b: 2 }, { a: 1 }, "q has a member b, which was not expected"],
      [new Map([["x", 1]]), new Map([["x", 2]]), "q: get('x') is 1, expected 2"],
      [new Map(), new Map([["x", 2]]), "q has no key 'x'"],
      [new Set([1]), new Set([2]), "q lacks 2"],
      [new Set([undefined]), new Set([2]), "q lacks 2"],
      [new Set([1, 2]), new Set([2]), "q holds 1, which was not expected"],
      [[1], { 0: 1 }, "q is [ 1 ], expected { '0': 1 }"],
      [JSON.parse('{"__proto__": 1}'), {}, "q has a member __proto__, which was not expected"],
    ];
    for (const [got, want, sentence] of cases) expect(exact(got, want)).to.equal(sentence);
  });

  it("tells −0 from 0 where asked to", () => {
    expect(difference([-0], [0], "q", equal, true)).to.equal(null);
    expect(difference([-0], [0], "q", same, true)).to.equal("q: element 0 is -0, expected 0");
  });

  it("is close within the tolerance, relative above 1 and absolute below", () => {
    const near = (got: unknown, want: unknown): string | null =>
      difference(got, want, "x", close(1e-3), false);
    expect(near(1000.9, 1000)).to.equal(null);
    expect(near(1001.1, 1000)).to.be.a("string");
    expect(near(0.0009, 0)).to.equal(null);
    expect(near(0.0011, 0)).to.be.a("string");
    expect(near([0.1], new Float32Array([0.1]))).to.equal(null);
    expect(near(Infinity, 1e300)).to.be.a("string");
    expect(near(NaN, 0)).to.be.a("string");
    expect(near(5n, 5)).to.be.a("string");
  });
});
