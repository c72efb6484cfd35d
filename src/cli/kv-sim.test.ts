import { expect } from "chai";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Page } from "playwright-core";
import { chromiumFlags } from "../../kernel-ext/labextension/chromium.ts";
import { requireChromium, screenshots } from "../../kernel-ext/labextension/testing.ts";
import { outsideData, runInfinity } from "../testing.ts";

interface Report {
  readonly numSlots: number;
  readonly bytesPerToken: number;
  readonly trace: { readonly requests: readonly object[] };
  readonly allocators: readonly Readonly<Record<string, unknown>>[];
}

function reportOf(...args: readonly string[]): Report {
  const { status, stdout, stderr } = runInfinity("kv-sim", ...args, "--json");
  expect(status, stderr).to.equal(0);
  return JSON.parse(stdout) as Report;
}

describe("infinity kv-sim", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-kv-sim-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("prints a figure for everything, the same each time", () => {
    const args = ["--vram", "16GB", "--model", "llama-3-8b-q4", "--requests", "50"];
    const report = reportOf(...args);
    expect(report).to.deep.equal(reportOf(...args));
    expect(report).to.include({ numSlots: 76_958, bytesPerToken: 131_072 });
    expect(report.trace.requests).to.have.length(50);
    const figures = new Map(report.allocators.map((figure) => [figure["name"], figure]));
    expect([...figures.keys()]).to.deep.equal([
      ...["contiguous-max", "contiguous-first-fit", "contiguous-best-fit"],
      ...["contiguous-compacting", "buddy", "oracle", "paged"],
    ]);
    for (const figure of report.allocators) {
      expect(figure).to.include.keys(
        ...["requestsServed", "tokensBeforeFirstFailure", "tokensServed", "firstFailure"],
        ...["peakUtilisation", "internalWaste", "externalWaste", "reservedWaste"],
      );
    }
    // The classic: more is free than is needed, and not in one piece.
    expect(figures.get("contiguous-first-fit")!["firstFailure"]).to.deep.equal({
      ...{ step: 209, request: 19, reason: "start" },
      ...{ needed: 1221, free: 1929, largestFree: 1191 },
    });
    expect(figures.get("paged")!["firstFailure"]).to.equal(null);
    const served = (name: string): number => figures.get(name)!["tokensServed"] as number;
    expect(served("paged") / served("contiguous-max")).to.be.greaterThan(2);
  });

  it("prints the arithmetic, the trace, a table and the memory", () => {
    const { status, stdout } = runInfinity("kv-sim", "--requests", "12", "--steps", "400");
    expect(status).to.equal(0);
    expect(stdout).to.include("2 × 32 layers × 8 heads × 128 values in F16 = 131072 bytes");
    expect(stdout).to.match(/request +arrives +prompt +output +limit/);
    expect(stdout).to.match(/ 12( +\d+){4}\n/);
    expect(stdout).to.match(/paged +\d+ +\d+ +\d+ +\d+ +99\.\d %/);
    expect(stdout).to.match(/request 1: logical blocks 0 to \d+ are physical \d+–\d+, \d+/);
    expect(stdout).to.match(/paged, step \d+, \d+ requests\n( {2}[█░·]{80}\n){3}/);
  });

  it("takes one family of allocators, another block and smaller keys and values", () => {
    const few = ["--requests", "5", "--steps", "50"];
    const contiguous = reportOf(...few, "--allocator", "contiguous");
    expect(contiguous.allocators).to.have.length(4);
    const paged = reportOf(...few, "--allocator", "paged", "--block", "1", "--kv", "Q8_0");
    expect(paged.allocators).to.have.length(1);
    expect(paged.allocators[0]).to.include({ peakUtilisation: 1, internalWaste: 0 });
    expect(paged.bytesPerToken).to.equal((131_072 * 34) / 64);
  });

  it("reads a trace from a file, and the sizes of a model too", function () {
    const model = outsideData(this, "models/stories260K-q4_k_m.gguf");
    const trace = join(folder, "trace.json");
    const requests = [{ id: 1, arrival: 0, promptTokens: 3, outputTokens: 2, maxTokens: 2 }];
    writeFileSync(trace, JSON.stringify({ maxLength: 512, requests }));
    const sizes = ["--model", model, "--vram", "2MB", "--overhead", "1MB"];
    const report = reportOf("--trace", trace, ...sizes, "--allocator", "paged");
    // Keys and values of 5 layers with 4 heads of 8 values.
    expect(report.bytesPerToken).to.equal(2 * 5 * 4 * 8 * 2);
    expect(report.allocators[0]).to.include({ requestsServed: 1, tokensServed: 5 });
  });

  it("says what is wrong with sizes and names", () => {
    const failing = (...args: readonly string[]): string => {
      const { status, stderr } = runInfinity("kv-sim", ...args);
      return `${status} ${stderr}`;
    };
    expect(failing("--model", "llama-3-8b")).to.match(/^1 .*leaves no memory.*one token needs/);
    expect(failing("--model", "gpt-2")).to.match(/^2 .*no model whose sizes are known/);
    expect(failing("--vram", "16")).to.match(/^2 .*16GB or 24GiB/);
    expect(failing("--vram", "9000TB")).to.match(/^2 .*cannot be simulated/);
    expect(failing("--trace", join(folder, "none.json"))).to.match(/^1 .*is no trace/);
    expect(failing("--html", join(folder, "no", "page.html"))).to.match(/^1 /);
  });

  it("writes one page that plays the memory over time, without a network", async function () {
    const executablePath = requireChromium(this);
    const file = join(folder, "memory.html");
    expect(runInfinity("kv-sim", "--html", file).status).to.equal(0);
    expect(readFileSync(file, "utf8")).not.to.match(/(src|href)=/);
    mkdirSync(screenshots, { recursive: true });
    const browser = await chromium.launch({ executablePath, args: [...chromiumFlags] });
    try {
      for (const [width, colorScheme] of [
        [390, "dark"],
        [1280, "light"],
      ] as const) {
        const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
        await judgePage(page, pathToFileURL(file).href);
        await page.screenshot({ path: join(screenshots, `kv-sim-${width}-${colorScheme}.png`) });
        await page.close();
      }
    } finally {
      await browser.close();
    }
  });
});

async function judgePage(page: Page, address: string): Promise<void> {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(address);
  const figures = page.locator(".figures");
  expect(await figures.count()).to.equal(7);
  const before = await figures.first().textContent();
  const picture = () => page.evaluate("document.querySelector('canvas').toDataURL()");
  const empty = await picture();
  await page.locator("#step").fill("900");
  expect(await figures.first().textContent()).not.to.equal(before);
  expect(await picture()).not.to.equal(empty);
  await page.locator("#play").click();
  await page.locator("#now", { hasNotText: /^step 900$/ }).waitFor();
  await page.locator("#play[aria-label=Pause]").click();
  const isTooWide = "document.documentElement.scrollWidth > innerWidth";
  expect(await page.evaluate(isTooWide)).to.equal(false);
  expect(complaints).to.deep.equal([]);
}
