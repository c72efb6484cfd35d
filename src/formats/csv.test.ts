import { expect } from "chai";
import fc from "fast-check";
import { InputError } from "../core/errors.ts";
import { rejection } from "../testing.ts";
import { bytesSource, type ByteSource } from "./byte-source.ts";
import { openCsv } from "./csv.ts";

const csv = (text: string): ByteSource => bytesSource("folder/w.csv", Buffer.from(text));

async function table(text: string): Promise<{ shape: readonly number[]; values: number[] }> {
  const file = await openCsv(csv(text));
  return { shape: file.tensors[0]!.shape, values: [...(await file.readFloat32("w"))] };
}

describe("csv", () => {
  const read: readonly (readonly [string, string, number[], number[]])[] = [
    ["numbers alone", "1,2\n3,4\n", [2, 2], [1, 2, 3, 4]],
    ["column names", "height,width\n1,2\n", [1, 2], [1, 2]],
    ["names in quotes that hold the separator", '"a, b","c"\n1,2\n', [1, 2], [1, 2]],
    ["semicolons", "1.5;2\n3;4", [2, 2], [1.5, 2, 3, 4]],
    ["tabs", "1\t2\n", [1, 2], [1, 2]],
    ["one column", "x\n1\n2\n3\n", [3, 1], [1, 2, 3]],
    [
      "Windows' line ends, a byte order mark and blank lines",
      "\ufeff1,2\r\n\r\n3,4\r\n",
      [2, 2],
      [1, 2, 3, 4],
    ],
    [
      "every spelling of a number",
      "-1e3, +.5 ,2.,1E-2",
      [1, 4],
      [-1000, 0.5, 2, Math.fround(0.01)],
    ],
    ["what NumPy writes for NaN and infinity", "nan,inf,-inf", [1, 3], [NaN, Infinity, -Infinity]],
  ];
  for (const [what, text, shape, values] of read) {
    it(`reads ${what}`, async () => {
      expect(await table(text)).to.deep.equal({ shape, values });
    });
  }

  it("reads every float32 that JavaScript prints", async () => {
    await fc.assert(
      fc.asyncProperty(fc.float32Array({ minLength: 1, noNaN: true }), async (values) => {
        const { values: found } = await table([...values].join("\n"));
        // JSON has no −0, and neither has String(-0).
        expect(found).to.deep.equal([...values].map((value) => value + 0));
      }),
    );
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ["a word among numbers", "a,b\n1,2\n3,four\n", /line 3, column 2 is "four"/],
    ["a second line of names", "a,b\nc,d\n1,2", /line 2, column 1 is "c"/],
    ["an empty cell", "1,2\n3,\n", /line 2, column 2 is empty/],
    ["a missing value", "1,2,3\n4,5\n", /line 2 has 2 values.*have 3/],
    ["decimal commas", "0,5;0,7\n1,5;2,5", /line 2, column 1 is "1,5"/],
    ["hexadecimal", "1\n0x10", /line 2, column 1 is "0x10"/],
    ["names without numbers", "a,b\n", /no line of numbers/],
    ["nothing", "", /no line of numbers/],
  ];
  for (const [what, text, message] of refused) {
    it(`refuses ${what}`, async () => {
      const error = await rejection(openCsv(csv(text)));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message);
    });
  }

  it("refuses what is not text", async () => {
    const error = await rejection(
      openCsv(bytesSource("w.csv", Uint8Array.of(0xff, 0xfe, 0x31, 0))),
    );
    expect(error.message).to.match(/not UTF-8/);
  });
});
