import { expect } from "chai";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Page } from "playwright-core";
import { chromiumFlags } from "../../kernel-ext/labextension/chromium.ts";
import { requireChromium, screenshots } from "../../kernel-ext/labextension/testing.ts";
import { bytesOfModel, ggufValue } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import type { BlockFrame } from "../runtime/block-film.ts";
import { runInfinity } from "../testing.ts";
import type { PagedBudget, ServedRequest } from "./paged-report.ts";

interface Report extends PagedBudget {
  readonly requests: readonly ServedRequest[];
  readonly frames: readonly BlockFrame[];
}

describe("infinity paged", () => {
  let folder: string;
  let model: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "infinity-paged-"));
    model = join(folder, "small.gguf");
    const draft = draftStoryModel();
    draft.metadata.set("llama.context_length", ggufValue(256));
    writeFileSync(model, await bytesOfModel(draft));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const args = (...more: string[]): string[] => {
    const sizes = ["--blocks", "80", "--max-tokens", "12", "--temperature", "0", "--block", "7"];
    return ["paged", "--model", model, "--device", "wasm", "--threads", "1", ...sizes, ...more];
  };
  const reportOf = (...more: string[]): Report => {
    const { status, stdout, stderr } = runInfinity(...args(...more, "--json"));
    expect(status, stderr).to.equal(0);
    return JSON.parse(stdout) as Report;
  };

  it("serves requests that share their beginning, and films every block", () => {
    const { frames, requests, blockSize, numBlocks, numBytes } = reportOf("--sim-requests", "3");
    // Keys and values of 16 numbers in 2 layers.
    expect(numBytes).to.equal(2 * 2 * 16 * 4 * blockSize * numBlocks);
    expect(requests.map(({ texts }) => texts.length)).to.deep.equal([1, 1, 2]);
    const events = frames.flatMap((frame) => frame.events);
    const count = (type: string): number => events.filter((event) => event.type === type).length;
    expect(count("ended")).to.equal(4);
    expect(count("copied")).to.be.at.least(1);
    // What is taken or shared is given back, once for each table that names it.
    expect(count("assigned") + count("shared")).to.equal(count("returned"));
    const starts = events.flatMap((event) => (event.type === "started" ? [event.numCached] : []));
    expect(starts[0]).to.equal(0);
    expect(Math.min(...starts.slice(1))).to.be.at.least(blockSize);
    expect(frames.at(-1)!.report.numFreeBlocks).to.equal(numBlocks);
  });

  it("writes the same texts where memory is short, and says what had to wait", () => {
    const texts = ({ requests }: Report): string[] =>
      requests.flatMap((request) => request.texts.map(({ text }) => text));
    const wanted = texts(reportOf());
    for (const preemption of ["recompute", "swap"]) {
      const short = reportOf("--blocks", "17", "--preemption", preemption);
      expect(texts(short)).to.deep.equal(wanted);
      const events = short.frames.flatMap((frame) => frame.events);
      expect(events.some(({ type }) => type === "preempted")).to.equal(true);
    }
  });

  it("prints a log, a map and the texts", () => {
    const { status, stdout, stderr } = runInfinity(...args());
    expect(status, stderr).to.equal(0);
    expect(stdout).to.match(/1: logical block 0 → block 0\n/);
    expect(stdout).to.match(/2: logical block 0 → block 0, shared by 2\n/);
    expect(stdout).to.match(/is copied from block \d+ to \d+ before it is written/);
    expect(stdout).to.match(/gives block 0 back: still used by/);
    expect(stdout).to.match(/ 0:1\+2\+3a\+3b /);
    expect(stdout).to.match(/Request 3:\n {2}Once upon a time/);
  });

  it("says what can never fit, and what was asked wrongly", () => {
    const failing = (...more: string[]): string => {
      const { status, stdout, stderr } = runInfinity(...args(...more));
      expect(stdout).to.equal("");
      return `${status} ${stderr}`;
    };
    expect(failing("--blocks", "2")).to.match(/^1 .*never fit.*whole cache has 2;/);
    expect(failing("--kv", "Q8_0")).to.match(/^1 .*16 columns cannot be stored in Q8_0/);
    expect(failing("--kv", "F64")).to.match(/^2 /);
    expect(failing("--html", join(folder, "no", "page.html"))).to.match(/^1 /);
  });

  it("writes one page that plays the blocks over time, without a network", async function () {
    const executablePath = requireChromium(this);
    const file = join(folder, "blocks.html");
    expect(runInfinity(...args("--html", file)).status).to.equal(0);
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
        await page.screenshot({ path: join(screenshots, `paged-${width}-${colorScheme}.png`) });
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
  expect(await page.locator("#blocks li").count()).to.equal(80);
  expect(await page.locator("#blocks li.new").count()).to.be.at.least(1);
  expect(await page.locator("#blocks li.shared").count()).to.equal(0);
  await page.locator("#step").fill("4");
  expect(await page.locator("#now").textContent()).to.equal("step 5");
  expect(await page.locator("#blocks li.shared").count()).to.be.at.least(1);
  expect(await page.locator("#tables li").count()).to.equal(2);
  await page.locator("#play").click();
  await page.locator("#now", { hasNotText: /^step 5$/ }).waitFor();
  await page.locator("#play[aria-label=Pause]").click();
  const isTooWide = "document.documentElement.scrollWidth > innerWidth";
  expect(await page.evaluate(isTooWide)).to.equal(false);
  expect(complaints).to.deep.equal([]);
}
