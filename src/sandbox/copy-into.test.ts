import { expect } from "chai";
import { copyInto } from "./copy-into.ts";
import { CodecError } from "./value-format.ts";

describe("copyInto", () => {
  it("changes content and keeps identity, inside too", () => {
    const velocity = new Float32Array([1, 2]);
    const names = ["a"];
    const state = { rate: 1, velocity, names, gone: true };
    copyInto(state, { rate: 2, velocity: new Float32Array([3, 4]), names: ["b", "c"], added: 1 });
    expect(state).to.deep.equal({
      rate: 2,
      velocity: new Float32Array([3, 4]),
      names: ["b", "c"],
      added: 1,
    });
    expect(state.velocity).to.equal(velocity);
    expect(state.names).to.equal(names);
  });

  it("refills maps and sets", () => {
    const map = new Map([["a", [1]]]);
    const inner = map.get("a");
    copyInto(
      map,
      new Map([
        ["b", [2]],
        ["a", [3]],
      ]),
    );
    expect([...map]).to.deep.equal([
      ["b", [2]],
      ["a", [3]],
    ]);
    expect(map.get("a")).to.equal(inner);
    const set = new Set([1]);
    copyInto(set, new Set([2, 3]));
    expect([...set]).to.deep.equal([2, 3]);
  });

  it("refuses another kind or length, which our code does not expect", () => {
    expect(() => {
      copyInto(new Int8Array(2), new Uint8Array(2));
    }).to.throw(CodecError);
    expect(() => {
      copyInto(new Int8Array(2), new Int8Array(3));
    }).to.throw(CodecError);
    expect(() => {
      copyInto([1], { length: 1 });
    }).to.throw(CodecError);
  });

  it("cannot reach a prototype", () => {
    const original = { a: 1 };
    copyInto(original, JSON.parse('{"__proto__": {"polluted": true}}'));
    expect(Object.getPrototypeOf(original)).to.equal(Object.prototype);
    expect(({} as Record<string, unknown>)["polluted"]).to.equal(undefined);
  });
});
