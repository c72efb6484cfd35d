import { expect } from "chai";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { notRun } from "../testing.ts";
import { faultsInEachState, touchMapped } from "./page-faults.ts";

describe("page faults of a mapped file", () => {
  const folder = mkdtempSync(join(tmpdir(), "infinity-mapped-"));
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("counts pages, and faults at the first touch only", function () {
    if (process.platform === "win32") notRun(this, "Windows does not count page faults");
    const path = join(folder, "pages");
    writeFileSync(path, new Uint8Array(10 ** 6).fill(7));
    const { pageBytes, touches } = touchMapped(path, [
      [100, 200],
      [500_000, 900_000],
      [500_000, 900_000],
    ]);
    const pages = Math.floor(899_999 / pageBytes) - Math.floor(500_000 / pageBytes) + 1;
    expect(touches.map((touch) => touch.pages)).to.deep.equal([1, pages, pages]);
    expect(touches[0]!.first).to.equal(1);
    expect(touches[1]!.first).to.be.at.most(pages);
    expect(touches.map(({ second }) => second)).to.deep.equal([0, 0, 0]);
    expect(touches[2]!.first).to.equal(0);
  });

  it("takes a fault for each page where nothing is held and nothing read ahead", function () {
    if (process.platform !== "linux") notRun(this, "only Linux can be told to forget a file");
    const path = join(folder, "cold");
    const size = 400_000;
    writeFileSync(path, new Uint8Array(size).fill(7));
    const range = [[0, size]] as const;
    const [touch] = touchMapped(path, range, { cold: true, readAhead: false }).touches;
    const states = faultsInEachState(path, range[0]);
    if (touch!.first === states["in the page cache"]) {
      notRun(this, "this file system forgets nothing");
    }
    expect(touch).to.deep.equal({ pages: touch!.pages, first: touch!.pages, second: 0 });
    expect(states).to.include({ pages: touch!.pages, "touched again": 0 });
    expect(states["forgotten, page by page"]).to.equal(touch!.pages);
    expect(states["forgotten"]).to.be.below(touch!.pages);
  });

  it("says what Python could not do", () => {
    expect(() => touchMapped(join(folder, "missing"), [[0, 1]])).to.throw(InputError, /missing/);
  });
});
