/** The deck of notebook 01 in Chromium, from its file and without any network: walked to its end. */
import { expect } from "chai";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, type Page, chromium } from "playwright-core";
import { animation } from "../../../../kernel-ext/kernel/animation.ts";
import { chromiumFlags } from "../../../../kernel-ext/labextension/chromium.ts";
import { requireChromium, screenshots } from "../../../../kernel-ext/labextension/testing.ts";
import { root } from "../../../testing.ts";
import { writeDeck } from "../write-deck.ts";

/** More slides than any notebook makes. */
const maxSlides = 200;

interface SlideOnScreen {
  readonly text: string;
  readonly height: number;
  readonly width: number;
  readonly numFigures: number;
  readonly numDrawn: number;
}

describe("the deck of notebook 01", () => {
  let folder: string;
  let address: string;
  let browser: Browser | undefined;
  let page: Page;
  const asked: string[] = [];
  const complaints: string[] = [];
  const dialogs: string[] = [];

  before(async function () {
    const executablePath = requireChromium(this);
    folder = mkdtempSync(join(tmpdir(), "infinity-slides-"));
    mkdirSync(screenshots, { recursive: true });
    const written = await writeDeck(root, "01-linear-quantizer", folder);
    address = pathToFileURL(written.page).href;
    browser = await chromium.launch({ executablePath, args: [...chromiumFlags] });
    const context = await browser.newContext({
      viewport: { width: 1600, height: 900 },
      offline: true,
    });
    page = await context.newPage();
    page.on("request", (request) => asked.push(request.url()));
    page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(address);
    await page.locator(".reveal.ready").waitFor();
  });

  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("is walked to its end by the right arrow, each slide on the screen, each figure drawn", async () => {
    const slides: SlideOnScreen[] = [];
    for (let last = -1; slides.length < maxSlides;) {
      const index = await indexOnScreen(page);
      if (index === last) break;
      last = index;
      slides.push(await slideOnScreen(page));
      await page.screenshot({
        path: join(screenshots, `slide-${String(slides.length).padStart(2, "0")}.png`),
      });
      await page.keyboard.press("ArrowRight");
    }
    const total = await page.locator(".slides > section > section").count();
    expect(slides).to.have.length(total);
    expect(slides.filter(({ text, numDrawn }) => text === "" && numDrawn === 0)).to.deep.equal([]);
    expect(slides.filter(({ height }) => height > 901)).to.deep.equal([]);
    expect(slides.filter(({ width }) => width > 1601)).to.deep.equal([]);
    expect(slides.filter(({ numFigures, numDrawn }) => numFigures !== numDrawn)).to.deep.equal([]);
    expect(slides.reduce((sum, { numDrawn }) => sum + numDrawn, 0)).to.be.at.least(4);
  });

  it("counts its slides right", async () => {
    const total = await page.locator(".slides > section > section").count();
    expect(await page.locator(".slide-number").innerText()).to.match(
      new RegExp(`^${total} */ *${total}$`),
    );
  });

  it("begins with the demo and keeps the rest for the appendix", async () => {
    const titles = await page.locator(".slides > section > section :is(h1, h2)").allTextContents();
    const appendix = titles.indexOf("Appendix");
    expect(titles[0]).to.include("Linear quantizer");
    expect(titles.indexOf("Predict first")).to.be.within(1, appendix);
    expect(titles.indexOf("Interview questions")).to.be.above(appendix);
  });

  it("draws formulas and colours code", async () => {
    expect(await page.locator(".katex-display").count()).to.be.at.least(1);
    expect(await page.locator(".katex-error").count()).to.equal(0);
    expect(await page.locator(".hljs-keyword").count()).to.be.above(10);
  });

  it("unfolds an answer by keyboard", async () => {
    const answer = page.locator("details").first();
    await answer.evaluate((details) => {
      const slide = details.closest("section")!;
      const column = slide.parentElement!;
      const [h, v] = [column, slide].map((one) => [...one.parentElement!.children].indexOf(one));
      location.hash = `#/${h!}/${v!}`;
    });
    await answer.locator("summary").waitFor();
    await answer.locator("summary").focus();
    await page.keyboard.press("Enter");
    expect(await answer.getAttribute("open")).to.equal("");
  });

  it("prints one page a slide", async () => {
    const printed = await page.context().newPage();
    await printed.goto(`${address}?print-pdf`);
    await printed.locator(".reveal.ready .pdf-page").first().waitFor();
    const total = await page.locator(".slides > section > section").count();
    expect(await printed.locator(".pdf-page").count()).to.equal(total);
    await printed.close();
  });

  it("lets a slider move through an animation, shut off from the deck", async () => {
    const frames = ["first", "second"].map((name) => ({ "text/html": `<b>${name} frame</b>` }));
    const live = await openDeckOf("# Animation", animation(frames, { labels: ["one", "two"] }));
    await live.keyboard.press("ArrowDown");
    const frame = live.frameLocator("iframe.live");
    await frame.getByText("first frame").waitFor();
    await frame.getByRole("slider").fill("1");
    await frame.getByText("second frame").waitFor();
    expect(await frame.getByRole("status").innerText()).to.equal("two");
    const reach = await live.frames()[1]!.evaluate(() => {
      try {
        return parent.document.title;
      } catch {
        return "nothing";
      }
    });
    expect(reach).to.equal("nothing");
    await live.screenshot({ path: join(screenshots, "slide-animation.png") });
    await live.close();
  });

  it("runs nothing of a hostile notebook that reaches anyone", async () => {
    const source = "<img src=data:image/png,x onerror=alert(1)><script>alert(1)</script>";
    const hostile = await openDeckOf(`# Hostile ${source}`, {
      "text/html": `<svg onload=alert(1)></svg>${source}`,
    });
    await hostile.getByRole("heading", { name: "Hostile" }).waitFor();
    expect(dialogs).to.deep.equal([]);
    await hostile.close();
  });

  /** The deck of a notebook of one text and one output. */
  async function openDeckOf(text: string, data: Readonly<Record<string, unknown>>): Promise<Page> {
    const output = { output_type: "display_data", data, metadata: {} };
    const code = { cell_type: "code", metadata: {}, source: "", outputs: [output] };
    const cells = [{ cell_type: "markdown", metadata: {}, source: text }, code];
    const course = join(folder, "course");
    mkdirSync(join(course, "notebooks"), { recursive: true });
    const notebook = JSON.stringify({ nbformat: 4, cells });
    writeFileSync(join(course, "notebooks", "02-gptq.ipynb"), notebook);
    const written = await writeDeck(course, "02-gptq", join(course, "deck"));
    const opened = await page.context().newPage();
    opened.on("dialog", (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    await opened.goto(pathToFileURL(written.page).href);
    await opened.locator(".reveal.ready").waitFor();
    return opened;
  }

  it("asked for nothing but its own files, and complained of nothing", () => {
    expect(complaints).to.deep.equal([]);
    const own = address.slice(0, address.lastIndexOf("/") + 1);
    expect(asked.filter((url) => !url.startsWith(own) && !url.startsWith("data:"))).to.deep.equal(
      [],
    );
  });
});

/** Which of all slides is shown. */
function indexOnScreen(page: Page): Promise<number> {
  return page.evaluate(() => {
    const all = [...document.querySelectorAll(".slides > section > section")];
    return all.findIndex((slide) => slide.matches("section.present > .present"));
  });
}

/** What the audience sees, in the slide's own pixels. */
function slideOnScreen(page: Page): Promise<SlideOnScreen> {
  return page.evaluate(() => {
    const slide = document.querySelector("section.present section.present")!;
    const [numFigures, numTraces] = [".figure", ".figure .main-svg .trace"].map(
      (selector) => slide.querySelectorAll(selector).length,
    );
    return {
      // What is not displayed has no text here.
      text: (slide as HTMLElement).innerText.trim().slice(0, 60),
      height: slide.scrollHeight,
      width: slide.scrollWidth,
      numFigures: numFigures!,
      numDrawn: numTraces === 0 ? 0 : numFigures!,
    };
  });
}
