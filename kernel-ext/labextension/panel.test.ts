/**
 * The course panel in a real JupyterLab and a real browser, by keyboard alone, on a copy of what a
 * student writes to.
 */
import { expect } from "chai";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { parseRegions, replaceRegion } from "../../src/course/regions.ts";
import { copyCourse, root } from "../../src/testing.ts";
import { LabSession, execute, screenshots } from "./testing.ts";

const notebook = "notebooks/01-linear-quantizer.ipynb";
const exercises = "exercises/01-linear-quantizer.ts";
const solutions = parseRegions(
  readFileSync(join(root, "solutions", "01-linear-quantizer.ts"), "utf8"),
  "solutions",
);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** More presses of Tab than the panel has controls. */
const maxTabs = 60;

describe("the course panel", () => {
  let folder: string;
  let lab: LabSession | undefined;
  let page: Page;
  let panel: Locator;
  /** Of all projects that have begun, as the panel says it. */
  let maxPoints: string;

  before(async function () {
    folder = mkdtempSync(join(tmpdir(), "infinity-panel-"));
    copyCourse(folder);
    mkdirSync(screenshots, { recursive: true });
    lab = await LabSession.start(this, folder, { INFINITY_ROOT: folder });
    page = await lab.open(notebook, 1280);
    panel = page.getByRole("region", { name: "Course", exact: true });
  });

  after(async () => {
    await lab?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  it("opens by its key and shows the project in front", async () => {
    await page.keyboard.press("ControlOrMeta+Alt+g");
    const project = panel.getByRole("button", { name: /Linear quantizer/ });
    await project.waitFor();
    expect(await project.getAttribute("aria-expanded")).to.equal("true");
    expect(await panel.locator(".projects > li").count()).to.equal(15);
    expect(await panel.locator(".exercises > li.not-run").count()).to.equal(solutions.length);
    const overall = panel.getByText(/^0 of \d+ points, 0 of 15 projects done$/);
    maxPoints = /^0 of (\d+)/.exec(await overall.innerText())![1]!;
  });

  it("gives the points of a solution that was saved", async () => {
    write("roundHalfEven", (body) => body);
    await press("Check roundHalfEven");
    await announced("roundHalfEven: 4 of 4 points in this check.");
    await panel.getByText(`4 of ${maxPoints} points`).waitFor();
    expect(await panel.getByRole("progressbar").first().getAttribute("value")).to.equal("4");
    expect(await panel.locator(".exercises > li.passed").count()).to.equal(1);
    expect(await focused()).to.equal("Check roundHalfEven");
  });

  it("unfolds the hints of a failed test one at a time", async () => {
    write("affineParams", (body) => body.replace("Math.min(min, 0)", "min"));
    await press("Check affineParams");
    await announced(/^affineParams: [1-6] of 7 points/);
    await panel.locator(".next").getByText("affineParams fails").waitFor();
    const hints = panel.locator(".next summary");
    const shown = async (): Promise<boolean[]> =>
      Promise.all((await hints.all()).map((hint) => hint.isVisible()));
    expect(await shown()).to.deep.equal([true, false, false]);
    await press("Hint 1 of 3");
    expect(await shown()).to.deep.equal([true, true, false]);
    await page.screenshot({ path: join(screenshots, "panel-hint-1280.png") });
  });

  it("sees what was graded elsewhere, and keeps the focus", async () => {
    const path = join(folder, ".infinity", "progress.json");
    const progress = readFileSync(path, "utf8");
    writeFileSync(path, progress.replaceAll('"failed"', '"passed"'));
    await panel.getByText(`11 of ${maxPoints} points`).waitFor();
    writeFileSync(path, progress);
    await panel.locator(".next").getByText("affineParams fails").waitFor();
    // The hint that had the focus was gone for a moment: the panel kept it.
    expect(await focused()).to.equal("Course");
  });

  it("opens the exercises beside the notebook", async () => {
    await press("Open the exercises beside the notebook");
    const editor = page.locator(".jp-FileEditor");
    await editor.waitFor();
    const [left, right] = [page.locator(".jp-NotebookPanel"), editor];
    const [a, b] = [(await left.boundingBox())!, (await right.boundingBox())!];
    expect(a.x + a.width).to.be.at.most(b.x + 1);
    await page.locator(".jp-FileEditor .cm-content").getByText("affineParams").first().waitFor();
  });

  it("resets an exercise only after a second word, and says where the backup is", async () => {
    await execute(page, "infinity-course:show");
    const written = readFileSync(join(folder, exercises), "utf8");
    await press("Reset affineParams");
    expect(await focused()).to.equal("Keep affineParams");
    await page.keyboard.press("Enter");
    expect(await focused()).to.equal("Reset affineParams");
    expect(readFileSync(join(folder, exercises), "utf8")).to.equal(written);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Shift+Tab");
    expect(await focused()).to.equal("Reset affineParams now");
    await page.keyboard.press("Enter");
    const status = await announced(/^Restored the stub of affineParams/);
    const backup = /(\.infinity\/backups\/\S+\.ts)\.$/.exec(status)![1]!;
    expect(readFileSync(join(folder, backup), "utf8")).to.equal(written);
    const [, affineParams] = parseRegions(readFileSync(join(folder, exercises), "utf8"), exercises);
    expect(affineParams!.body).to.include("not written yet");
    const editor = page.locator(".jp-FileEditor .cm-content");
    await editor.filter({ hasText: /not written yet.*not written yet/s }).waitFor();
  });

  it("says what keeps the exercises from running", async () => {
    write("quantizeSym", () => "let = ;\n");
    await press("Check all exercises");
    await announced(/^Nothing was run: .*does not compile/);
  });

  for (const theme of ["Light", "Dark"]) {
    it(`has no serious accessibility violation in the ${theme.toLowerCase()} theme`, async () => {
      await execute(page, "apputils:change-theme", { theme: `JupyterLab ${theme}` });
      await page.locator("#jupyterlab-splash").waitFor({ state: "detached" });
      expect(await violations(page)).to.deep.equal([]);
      for (const width of [1280, 390]) {
        await page.setViewportSize({ width, height: 900 });
        await panel.getByRole("button", { name: "Check all exercises" }).waitFor();
        const name = `panel-${theme.toLowerCase()}-${width}.png`;
        await page.screenshot({ path: join(screenshots, name) });
        expect(await panel.evaluate((node) => node.scrollWidth <= node.clientWidth)).to.equal(true);
      }
      await page.setViewportSize({ width: 1280, height: 900 });
    });
  }

  it("is refused what is foreign, badly named or without the page's own token", async () => {
    const ask = (body: string, headers: Record<string, string> = {}): Promise<[number, string]> =>
      page.evaluate(
        async ([text, given]) => {
          const init = { method: "POST", body: text, headers: given };
          const response = await fetch("/infinity/check", init);
          const answer = (await response.json()) as { message: string };
          return [response.status, answer.message] as [number, string];
        },
        [body, headers] as const,
      );
    expect((await ask('{"slug":"01-linear-quantizer"}'))[0]).to.equal(403);
    const token = await page.evaluate(() => /_xsrf=([^;]+)/.exec(document.cookie)![1]!);
    for (const body of [
      ...["", "[]", "{}", '{"slug":"../../etc"}', '{"slug":"--from"}'],
      '{"slug":"01-linear-quantizer","exercise":"--seed"}',
      `{"slug":"01-linear-quantizer","exercise":"${"x".repeat(5000)}"}`,
    ]) {
      const [status, message] = await ask(body, { "X-XSRFToken": token });
      expect(status, body.slice(0, 80)).to.equal(400);
      expect(message).to.match(/^Give a JSON object with slug/);
    }
    const [status, message] = await ask('{"slug":"99-nothing"}', { "X-XSRFToken": token });
    expect([status, message]).to.satisfy(
      () => status === 500 && message.startsWith('There is no project "99-nothing"'),
    );
    const origin = new URL(page.url()).origin;
    expect((await fetch(`${origin}/infinity/course`)).status).to.equal(403);
  });

  it("needs no address but this machine's", () => {
    expect(lab!.foreignRequests).to.deep.equal([]);
  });

  /** Puts a changed solution into its region of the student's file, as an editor saves it. */
  function write(name: string, change: (body: string) => string): void {
    const path = join(folder, exercises);
    const text = readFileSync(path, "utf8");
    const region = parseRegions(text, exercises).find((candidate) => candidate.name === name)!;
    const solution = solutions.find((candidate) => candidate.name === name)!;
    writeFileSync(path, replaceRegion(text, region, change(solution.body)));
  }

  /** Walks to the control of this name with Tab, as often as it takes, and presses Enter. */
  async function press(name: string): Promise<void> {
    await panel.getByRole("button").first().focus();
    for (let i = 0; i < maxTabs; i++) {
      if ((await focused()) === name) {
        await page.keyboard.press("Enter");
        return;
      }
      await page.keyboard.press("Tab");
    }
    throw new Error(`Tab never came to "${name}".`);
  }

  function focused(): Promise<string> {
    return page.evaluate(() => {
      const active = document.activeElement;
      return active?.getAttribute("aria-label") ?? active?.textContent.trim() ?? "";
    });
  }

  async function announced(text: string | RegExp): Promise<string> {
    const status = panel.getByRole("status").filter({ hasText: text });
    await status.waitFor();
    return status.innerText();
  }
});

/** What axe finds in the panel that keeps people from using it. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe: engine } = window as unknown as { axe: typeof import("axe-core") };
    const { violations: found } = await engine.run(".infinity-course");
    return found
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}
