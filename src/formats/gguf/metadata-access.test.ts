import { expect } from "chai";
import { InputError } from "../../core/errors.ts";
import {
  countAt,
  flagAt,
  numberAt,
  numbersAt,
  required,
  textAt,
  textsAt,
  type HasMetadata,
} from "./metadata-access.ts";

const file: HasMetadata = {
  name: "x.gguf",
  metadata: new Map([
    ["text", { type: "string", value: "llama" }],
    ["flag", { type: "bool", value: false }],
    ["u64", { type: "u64", value: 12n }],
    ["huge", { type: "u64", value: 2n ** 60n }],
    ["negative", { type: "i32", value: -1 }],
    ["half", { type: "f32", value: 0.5 }],
    ["texts", { type: "array", itemType: "string", items: ["a", "b"] }],
    ["scores", { type: "array", itemType: "f32", items: Float32Array.of(1, -2) }],
    ["wide", { type: "array", itemType: "i64", items: BigInt64Array.of(1n) }],
  ]),
};

describe("metadata access", () => {
  it("gives values by type, whatever their width", () => {
    expect(textAt(file, "text")).to.equal("llama");
    expect(flagAt(file, "flag")).to.equal(false);
    expect(numberAt(file, "half")).to.equal(0.5);
    expect(countAt(file, "u64")).to.equal(12);
    expect(textsAt(file, "texts")).to.deep.equal(["a", "b"]);
    expect(numbersAt(file, "scores")).to.deep.equal(Float32Array.of(1, -2));
  });

  it("gives undefined for an absent key, which may be required", () => {
    for (const at of [textAt, flagAt, numberAt, countAt, textsAt, numbersAt]) {
      expect(at(file, "absent")).to.equal(undefined);
    }
    expect(required(file, "text", textAt(file, "text"))).to.equal("llama");
    expect(() => required(file, "absent", textAt(file, "absent"))).to.throw(
      InputError,
      'x.gguf has no metadata "absent"',
    );
  });

  const refused: readonly (readonly [
    (file: HasMetadata, key: string) => unknown,
    string,
    RegExp,
  ])[] = [
    [textAt, "u64", /"u64" is u64 "12", and a text is needed/],
    [textAt, "texts", /an array of string, and a text/],
    [flagAt, "u64", /a truth value is needed/],
    [numberAt, "text", /string "llama", and a number/],
    [numberAt, "huge", /a double can hold/],
    [countAt, "negative", /at least 0/],
    [countAt, "half", /whole number/],
    [textsAt, "scores", /array of f32, and an array of texts/],
    [numbersAt, "texts", /array of numbers/],
    [numbersAt, "wide", /array of i64/],
  ];
  for (const [at, key, message] of refused) {
    it(`${at.name} refuses ${key}`, () => {
      expect(() => at(file, key)).to.throw(InputError, message);
    });
  }
});
