/**
 * The course as a student meets it: notebook 01 in JupyterLab, run from top to bottom, its figures
 * seen, a solution typed into an exercise cell and graded. On a copy of what a student writes to.
 */
import { expect } from "chai";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { parseRegions } from "../../src/course/regions.ts";
import { copyCourse, root } from "../../src/testing.ts";
import { LabSession, execute, screenshots } from "./testing.ts";

const notebook = "notebooks/01-linear-quantizer.ipynb";
const exercise = "exercises/01-linear-quantizer.ts";
const solution = "solutions/01-linear-quantizer.ts";

describe("notebook 01 in JupyterLab", function () {
  this.timeout(400_000);
  let folder: string;
  let lab: LabSession | undefined;
  let page: Page;

  before(async function () {
    folder = mkdtempSync(join(tmpdir(), "infinity-course-"));
    copyCourse(folder);
    mkdirSync(screenshots, { recursive: true });
    lab = await LabSession.start(this, folder, { INFINITY_ROOT: folder });
    page = await lab.open(notebook, 1280);
    // Before it is, JupyterLab asks which kernel to run a cell with.
    await page.getByText("TypeScript (Infinity) | Idle").waitFor({ timeout: 120_000 });
  });

  after(async () => {
    await lab?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  it("runs from top to bottom", async () => {
    await execute(page, "notebook:clear-all-cell-outputs");
    const before = performance.now();
    await execute(page, "notebook:run-all-cells");
    await page.waitForFunction(
      () => {
        const prompts = [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")];
        return (
          prompts.length > 10 && prompts.every(({ textContent }) => /\[\d+\]/.test(textContent))
        );
      },
      undefined,
      { timeout: 180_000 },
    );
    console.log(`      all cells ran in ${((performance.now() - before) / 1000).toFixed(1)} s`);
    expect(await page.locator(".jp-OutputArea-output[data-mime-type$='error']").count()).to.equal(
      0,
    );
  });

  it("draws its figures", async () => {
    const figures = await page.getByRole("figure").all();
    expect(figures.length).to.be.at.least(4);
    for (const [i, figure] of figures.entries()) {
      await figure.scrollIntoViewIfNeeded();
      await figure.locator("svg.main-svg").first().waitFor();
      expect(await figure.locator(".trace").count(), `traces of figure ${i + 1}`).to.be.above(0);
      await page.screenshot({ path: join(screenshots, `notebook-01-figure-${i + 1}.png`) });
    }
  });

  it("draws them on a dark page too", async () => {
    await execute(page, "apputils:change-theme", { theme: "JupyterLab Dark" });
    await page.locator("#jupyterlab-splash").waitFor({ state: "detached" });
    const figure = page.getByRole("figure").nth(1);
    await figure.scrollIntoViewIfNeeded();
    const title = await figure.locator(".gtitle").elementHandle();
    await page.waitForFunction((text) => /^rgba?\(2\d\d,/.test(getComputedStyle(text).fill), title);
    await figure.scrollIntoViewIfNeeded();
    await title.waitForElementState("stable");
    await page.screenshot({ path: join(screenshots, "notebook-01-dark.png") });
    await execute(page, "apputils:change-theme", { theme: "JupyterLab Light" });
    await page.locator("#jupyterlab-splash").waitFor({ state: "detached" });
  });

  it("saves and grades a solution that is typed into its cell", async () => {
    const regions = parseRegions(readFileSync(join(root, solution), "utf8"), solution);
    const { name, body } = regions[0]!;
    const cell = cellWith(page, `%%exercise ${name}`);
    const check = cellWith(page, `await check("01", "${name}")`);
    await check.scrollIntoViewIfNeeded();
    await check.locator("li.failed, li.not-run").first().waitFor();
    await page.screenshot({ path: join(screenshots, "notebook-01-before.png") });

    await cell.locator(".cm-content").click();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.insertText(`%%exercise ${name}\n${body.trimEnd()}`);
    await page.keyboard.press("Shift+Enter");
    await check.locator(".cm-content").click();
    await page.keyboard.press("Shift+Enter");
    await check.locator("li.failed, li.not-run").first().waitFor({ state: "detached" });
    await check.locator("li.passed").first().waitFor();
    await check.scrollIntoViewIfNeeded();
    await page.screenshot({ path: join(screenshots, "notebook-01-after.png") });
    expect(await check.locator("li:not(.passed)").count()).to.equal(0);
    expect(readFileSync(join(folder, exercise), "utf8")).to.include(body.trimEnd());
  });

  it("needs no address but this machine's", () => {
    expect(lab!.foreignRequests).to.deep.equal([]);
  });
});

/** The code cell whose text begins like this. */
function cellWith(page: Page, text: string): Locator {
  return page
    .locator(".jp-CodeCell")
    .filter({ has: page.locator(".cm-content", { hasText: text }) });
}
