/**
 * The extension in a real JupyterLab and a real browser, on a notebook whose figure is already in
 * it: no kernel is needed to look at a picture.
 */
import { expect } from "chai";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { LabSession, execute, screenshots } from "./testing.ts";

const figure = {
  data: [
    { type: "scatter", name: "weights", x: [1, 2, 3, 4], y: [0.1, 0.4, 0.2, 0.9] },
    { type: "scatter", name: "steps", x: [1, 2, 3, 4], y: [0, 0.5, 0, 1] },
  ],
  layout: { title: { text: "Weights <b>become</b> steps" }, height: 320 },
};

const notebook = {
  nbformat: 4,
  nbformat_minor: 5,
  metadata: {
    kernelspec: { name: "infinity", display_name: "TypeScript (Infinity)", language: "typescript" },
  },
  cells: [
    { cell_type: "markdown", id: "a", metadata: {}, source: "# A figure" },
    {
      ...{ cell_type: "code", id: "b", metadata: {}, source: "figure", execution_count: 1 },
      outputs: [displayOf(figure), displayOf({ data: "foreign" })],
    },
  ],
};

function displayOf(value: unknown): unknown {
  const data = { "application/vnd.plotly.v1+json": value, "text/plain": "no extension" };
  return { output_type: "display_data", metadata: {}, data };
}

describe("plotly figures in JupyterLab", () => {
  let folder: string;
  let lab: LabSession | undefined;

  before(async function () {
    folder = mkdtempSync(join(tmpdir(), "infinity-plotly-"));
    writeFileSync(join(folder, "figure.ipynb"), JSON.stringify(notebook));
    mkdirSync(screenshots, { recursive: true });
    lab = await LabSession.start(this, folder);
    console.log(`      the address was printed after ${(lab.startMs / 1000).toFixed(1)} s`);
  });

  after(async () => {
    await lab?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const width of [1280, 390]) {
    it(`are drawn, named and fitted to the cell at ${width} px`, async () => {
      const page = await lab!.open("figure.ipynb", width);
      // On a phone one puts the file list away first.
      if (width < 600) await execute(page, "application:toggle-left-area");
      const drawn = page.getByRole("figure", { name: "Weights become steps" });
      await drawn.locator(".scatterlayer .trace").nth(1).waitFor();
      await untilFitted(page);
      const svg = (await drawn.locator("svg.main-svg").first().boundingBox())!;
      expect(svg.width).to.be.within(width / 2, width);
      expect(svg.x + svg.width).to.be.at.most(width);
      expect(svg.height).to.equal(320);
      expect(await drawn.locator(".modebar-btn--logo").count()).to.equal(0);
      await page.screenshot({ path: join(screenshots, `figure-light-${width}.png`) });
      await page.close();
    });
  }

  it("follow the theme and the window", async () => {
    const page = await lab!.open("figure.ipynb", 1280);
    await page.locator(".scatterlayer .trace").nth(1).waitFor();
    const light = await appearance(page);
    await execute(page, "apputils:change-theme", { theme: "JupyterLab Dark" });
    await page.waitForFunction(
      (color) =>
        getComputedStyle(document.querySelector(".infinity-plotly .gtitle")!).fill !== color,
      light.text,
    );
    const dark = await appearance(page);
    expect(brightness(light.text)).to.be.below(100);
    expect(brightness(dark.text)).to.be.above(155);
    expect(dark.trace).not.to.equal(light.trace);
    await page.locator("#jupyterlab-splash").waitFor({ state: "detached" });
    await page.screenshot({ path: join(screenshots, "figure-dark-1280.png") });
    await execute(page, "application:toggle-left-area");
    await page.setViewportSize({ width: 390, height: 900 });
    await page.waitForFunction(
      () => document.querySelector(".infinity-plotly")!.getBoundingClientRect().width < 390,
    );
    await untilFitted(page);
    await page.screenshot({ path: join(screenshots, "figure-dark-390.png") });
    await page.close();
  });

  it("say what is wrong with an output that is none", async () => {
    const page = await lab!.open("figure.ipynb", 1280);
    await page.getByText("This output is no plotly figure").first().waitFor();
    await page.close();
  });

  it("need no address but this machine's", () => {
    expect(lab!.foreignRequests).to.deep.equal([]);
  });
});

/** Waits until the drawing is as wide as its place in the cell. */
async function untilFitted(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const [drawing, place] = [".infinity-plotly svg.main-svg", ".infinity-plotly"].map((selector) =>
      document.querySelector(selector)!.getBoundingClientRect(),
    );
    return Math.abs(drawing!.width - place!.width) < 1;
  });
}

/** The colours of the title and of the first trace, as the browser computes them. */
function appearance(page: Page): Promise<{ text: string; trace: string }> {
  return page.evaluate(() => ({
    text: getComputedStyle(document.querySelector(".infinity-plotly .gtitle")!).fill,
    trace: getComputedStyle(document.querySelector(".infinity-plotly .trace path.js-line")!).stroke,
  }));
}

/** The mean of red, green and blue in `rgb(…)` or `rgba(…)`, 0 to 255. */
function brightness(color: string): number {
  const [r, g, b] = color.match(/[\d.]+/g)!.map(Number);
  return (r! + g! + b!) / 3;
}
