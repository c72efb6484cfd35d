/** Widgets, questions and animations where they are met: in JupyterLab's page. */
import { expect } from "chai";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { LabSession, screenshots } from "./testing.ts";

const counter = [
  "const counter = widget({",
  "  esm: `export default { render({ model, el }) {",
  '    const button = document.createElement("button");',
  '    const draw = () => { button.textContent = "count is " + model.get("count"); };',
  '    button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };',
  '    model.on("change:count", draw); draw(); el.append(button);',
  "  } };`,",
  "  state: { count: 0 },",
  "});",
  "counter",
].join("\n");

const cells = [
  counter,
  "counter.set({ count: counter.state.count + 10 }); counter.state.count",
  'await input("How many bits? ")',
  'await animate([1, 2, 3].map((n) => ({ "text/html": `<b>frame ${n}</b>` })));',
];

describe("the kernel in JupyterLab", function () {
  this.timeout(400_000);
  let folder: string;
  let lab: LabSession | undefined;
  let page: Page;

  before(async function () {
    folder = mkdtempSync(join(tmpdir(), "infinity-widget-"));
    writeFileSync(join(folder, "page.ipynb"), JSON.stringify(notebookOf(cells)));
    mkdirSync(screenshots, { recursive: true });
    lab = await LabSession.start(this, folder, {
      INFINITY_HISTORY: join(folder, "history.jsonl"),
    });
    page = await lab.open("page.ipynb", 1000);
    page.setDefaultTimeout(20_000);
    await page.getByText("TypeScript (Infinity) | Idle").waitFor({ timeout: 120_000 });
  });
  after(async () => {
    await lab?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const cell = (i: number): Locator => page.locator(".jp-CodeCell").nth(i);
  const run = async (i: number): Promise<void> => {
    await cell(i).locator(".cm-content").click();
    await page.keyboard.press("ControlOrMeta+Enter");
  };

  it("shows a counter that both sides count", async () => {
    await run(0);
    const button = cell(0).getByRole("button", { name: /count is/ });
    await button.waitFor();
    expect(await button.textContent()).to.equal("count is 0");
    await button.click();
    await button.click();
    await cell(0).getByText("count is 2").waitFor();
    await run(1);
    await cell(1).locator(".jp-OutputArea-output", { hasText: "12" }).waitFor();
    await cell(0).getByText("count is 12").waitFor();
    await page.screenshot({ path: join(screenshots, "widget-counter.png") });
  });

  it("asks a question and takes the answer", async () => {
    await run(2);
    const field = cell(2).locator("input.jp-Stdin-input");
    await field.fill("four");
    await field.press("Enter");
    await cell(2).locator(".jp-OutputArea-executeResult", { hasText: "'four'" }).waitFor();
  });

  it("moves an animation by its slider", async () => {
    await run(3);
    const slider = cell(3).getByRole("slider", { name: "Frame" });
    await slider.waitFor();
    expect(await cell(3).getByText("frame 2").isVisible()).to.equal(false);
    await slider.focus();
    await page.keyboard.press("ArrowRight");
    await cell(3).getByText("frame 2").waitFor();
    expect(await cell(3).getByText("frame 1").isVisible()).to.equal(false);
    expect(await cell(3).locator("output").textContent()).to.equal("2 of 3");
    await page.screenshot({ path: join(screenshots, "animation.png") });
    await cell(3).getByRole("button", { name: "Play" }).click();
    await cell(3).getByText("frame 1").waitFor();
  });
});

function notebookOf(sources: readonly string[]): object {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {
      kernelspec: {
        name: "infinity",
        display_name: "TypeScript (Infinity)",
        language: "typescript",
      },
    },
    cells: sources.map((source, i) => ({
      cell_type: "code",
      id: `cell-${i}`,
      metadata: {},
      source,
      outputs: [],
      execution_count: null,
    })),
  };
}
