import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { compileModule, maxModuleBytes } from "./module-source.ts";

/** The sentence with which a module is refused, or null. */
async function refusal(source: string): Promise<string | null> {
  try {
    await compileModule(source, "exercises/x.ts");
    return null;
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

describe("compileModule", () => {
  it("takes types from anywhere", async () => {
    const source = `
      import type { Rng } from "infinity-inference/core/rng";
      import { type Grid } from "infinity-inference/quant/grid";
      export type { Rng };
      export const f = (random: Rng): number => random();`;
    expect(await refusal(source.replace("{ type Grid }", "type { Grid }"))).to.equal(null);
  });

  it("refuses every way to another module's values, with the line", async () => {
    const ways: [string, RegExp][] = [
      [
        'import fs from "node:fs";',
        /^exercises\/x\.ts:2 imports "node:fs"; an exercise imports types only/,
      ],
      ['import { type Grid, grid } from "a";', /x\.ts:2 imports "a"/],
      ['import "a";', /x\.ts:2 imports "a"/],
      ['import fs = require("fs");', /x\.ts:2/],
      ['export * from "a";', /x\.ts:2 (im|ex)ports/],
      ['export { a } from "a";', /x\.ts:2 (im|ex)ports/],
      ['export const f = () => import("a");', /x\.ts:2 imports a module while it runs/],
      [
        "export const f = (name: string) => import(name);",
        /x\.ts:2 imports a module while it runs/,
      ],
      ['const fs = require("fs");', /x\.ts:2 calls require/],
      ["export const here = import.meta.url;", /x\.ts:2 uses import\.meta/],
    ];
    for (const [source, sentence] of ways) {
      expect(await refusal(`type Line1 = 1;\n${source}\n`), source).to.match(sentence);
    }
  });

  it("says where a module does not compile", async () => {
    expect(await refusal("let a = 1;\nlet b = ;")).to.match(
      /^exercises\/x\.ts:2:9 does not compile: /,
    );
  });

  it("refuses a module that is far too long", async () => {
    expect(await refusal(" ".repeat(maxModuleBytes + 1))).to.match(/characters; at most/);
  });
});
