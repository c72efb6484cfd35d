import { expect } from "chai";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "../../core/errors.ts";
import { rejection, runInfinity } from "../../testing.ts";
import { arrange } from "./arrangement.ts";
import type { Slide } from "./arrangement.ts";
import { deckHtml } from "./deck-html.ts";
import { parseNotebook } from "./notebook.ts";
import type { Cell, Output } from "./notebook.ts";
import { markdownHtml, safeHtml } from "./safe-html.ts";
import { writeDeck } from "./write-deck.ts";

function cell(source: string, slideType: string, tags: string[] = []): Cell {
  const metadata = { tags, slideshow: { slide_type: slideType } };
  return { cell_type: "markdown", source, metadata, outputs: [] };
}

const sources = ({ cells }: Slide): string[] => cells.map(({ source }) => source);
const noImages = (): string => "";

describe("slides of a notebook", () => {
  it("put the demo first, each slide once, the rest behind it", () => {
    const { main, appendix } = arrange([
      cell("# A", "slide", ["demo"]),
      cell("a2", "-"),
      cell("never", "skip", ["demo"]),
      cell("# B", "slide"),
      cell("# C", "subslide", ["demo"]),
      cell("c2", "fragment", ["demo"]),
    ]);
    expect(main.map(sources)).to.deep.equal([["# A"], ["# C", "c2"]]);
    expect(appendix.map(sources)).to.deep.equal([["a2"], ["# B"]]);
    expect(main.map(({ isNewColumn }) => isNewColumn)).to.deep.equal([true, false]);
    expect(appendix.map(({ title, isContinued }) => [title, isContinued])).to.deep.equal([
      ["A", true],
      ["B", false],
    ]);
  });

  it("keep a note with the cell before it", () => {
    const { main, appendix } = arrange([
      cell("# A", "slide", ["demo"]),
      cell("say this", "notes"),
      cell("a2", "-"),
      cell("and that", "notes"),
    ]);
    expect(main[0]!.notes.map(({ source }) => source)).to.deep.equal(["say this"]);
    expect(appendix[0]!.notes.map(({ source }) => source)).to.deep.equal(["and that"]);
  });

  it("are one part where nothing is marked as the demo", () => {
    const { main, appendix } = arrange([cell("a", "-"), cell("b", "subslide")]);
    expect([main.map(sources), appendix]).to.deep.equal([[["a"], ["b"]], []]);
    expect(main[0]!.isNewColumn).to.equal(true);
  });
});

describe("the HTML of a slide", () => {
  it("draws formulas and leaves prices, code and what Markdown would change", () => {
    const drawn = (source: string): number =>
      markdownHtml(source, noImages).split('class="katex"').length - 1;
    expect(drawn("the scale $S_i$ and $Z_i$")).to.equal(2);
    expect(drawn("$$Q = W\\,S$$")).to.equal(1);
    expect(drawn("text\n\n$$\na\n- b\n$$\n\nmore")).to.equal(1);
    for (const none of ["from $5 to $6", "`$a$`", "$ a $", "a lone $"])
      expect(drawn(none), none).to.equal(0);
    expect(markdownHtml("$a_1*b*c_2$", noImages)).to.include("a_1*b*c_2").and.not.include("<em>");
  });

  it("shows a formula's mistake and loads nothing for one", () => {
    expect(markdownHtml("$\\frac{$", noImages)).to.include("katex-error");
    const html = markdownHtml("$\\href{javascript:x()}{a}\\includegraphics{http://x/y}$", noImages);
    expect(html).not.to.match(/href=|<img/);
  });

  it("holds nothing that runs or loads", () => {
    for (const hostile of [
      "<script>alert(1)</script>",
      "<img src=x onerror=alert(1)>",
      '<img src="https://example.org/pixel.png">',
      '<img src="//example.org/pixel.png">',
      "<svg onload=alert(1)><script>alert(1)</script><use href='//x'/></svg>",
      "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
      "<object data=x></object><embed src=x><base href=//x><meta http-equiv=refresh content=0>",
      "<style>@import '//x'</style><link rel=stylesheet href=//x>",
      "<form action=//x><input autofocus onfocus=alert(1)></form>",
      '<a href="javascript:alert(1)">a</a><a href="data:text/html,x">b</a>',
      '<p style="position:fixed;background:url(//x);color:red">p</p>',
      "<details ontoggle=alert(1) open>d</details>",
      "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    ]) {
      const clean = safeHtml(hostile, noImages);
      expect(clean, hostile).not.to.match(
        /<(script|iframe|object|embed|base|meta|link|style|form|input|use)|\son\w+=|javascript:|url\(|\/\/|position|data:text/i,
      );
    }
  });

  it("keeps what our own outputs are made of", () => {
    const table = '<table><tbody><tr><td style="text-align:right">1</td></tr></tbody></table>';
    expect(safeHtml(table, noImages)).to.equal(table);
    const folded = "<details><summary>Why?</summary>Because.</details>";
    expect(safeHtml(folded, noImages)).to.equal(folded);
    expect(safeHtml('<svg viewBox="0 0 1 1"><path d="M0 0"></path></svg>', noImages)).to.match(
      /viewbox="0 0 1 1".*d="M0 0"/,
    );
    // To reveal.js a section is a slide.
    expect(safeHtml("<section>report</section>", noImages)).to.equal("<div>report</div>");
  });

  it("shows the richest output that works offline, and text as text", () => {
    const page = (...outputs: Output[]): string =>
      deckHtml("t", arrange([{ ...cell("x", "slide"), cell_type: "code", outputs }]), noImages);
    const display = (data: Record<string, unknown>): Output => ({
      output_type: "display_data",
      data,
    });
    const figure = { data: [{ name: "</script><script>alert(1)</script>" }] };
    const drawn = page(display({ "application/vnd.plotly.v1+json": figure, "text/plain": "f" }));
    expect(drawn).to.include('class="figure"').and.not.include("<script>alert");
    expect(drawn).to.include('<pre class="printed">f</pre>');
    expect(page(display({ "text/html": "<b>h</b>", "text/plain": "p" }))).to.include("<b>h</b>");
    expect(page({ output_type: "stream", text: "\u001b[31m<red>\u001b[0m" })).to.include(
      ">&#60;red&#62;</pre>",
    );
    expect(page({ output_type: "error", ename: "E", evalue: "<x>" })).to.include("E: &#60;x&#62;");
    const svg = page(display({ "image/svg+xml": "<svg onload='alert(1)'/>" }));
    expect(svg).to.include("data:image/svg+xml;base64,").and.not.include("onload");
  });
});

describe("a deck on disk", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "infinity-deck-"));
    mkdirSync(join(root, "notebooks"));
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  const write = (cells: unknown[]): void => {
    writeFileSync(join(root, "notebooks", "02-gptq.ipynb"), JSON.stringify({ nbformat: 4, cells }));
  };
  const outputs = [{ output_type: "stream", name: "stdout", text: ["a", "b"] }];

  it("is refused in a sentence where there is nothing to show", async () => {
    const refusal = async (): Promise<string> => {
      const error = await rejection(writeDeck(root, "02-gptq", join(root, "out")));
      expect(error).to.be.instanceOf(InputError);
      return error.message;
    };
    expect(await refusal()).to.match(/^There is no notebooks\/02-gptq.ipynb yet/);
    write([{ cell_type: "code", metadata: {}, source: "x", outputs: [] }]);
    expect(await refusal()).to.match(/holds no outputs: run `make notebooks` first/);
    write([{ cell_type: "code", metadata: {}, source: 1, outputs }]);
    expect(await refusal()).to.match(/is no notebook of format 4: cells\.0\.source/);
    write([
      { cell_type: "code", metadata: {}, source: "x", outputs },
      { cell_type: "markdown", metadata: {}, source: "![secret](../../etc/passwd.png)" },
    ]);
    expect(await refusal()).to.match(/shows the image "..\/..\/etc\/passwd.png"/);
    expect(() => parseNotebook("{", "x.ipynb")).to.throw(InputError, "it is not JSON");
  });

  it("carries the images of the notebooks' folder", async () => {
    writeFileSync(join(root, "notebooks", "dot.png"), "png");
    write([
      { cell_type: "code", metadata: {}, source: "x", outputs },
      { cell_type: "markdown", metadata: {}, source: "![a dot](dot.png)" },
    ]);
    const { page } = await writeDeck(root, "02-gptq", join(root, "out"));
    expect(readFileSync(page, "utf8")).to.include('src="data:image/png;base64,cG5n"');
  });

  it("is made by one command", () => {
    const { status, stdout, stderr } = runInfinity("slides", "01", "--out", root);
    expect([status, stderr]).to.deep.equal([0, ""]);
    expect(stdout).to.match(
      /01-linear-quantizer.index\.html: \d+ slides, and \d+ in the appendix\n$/,
    );
    expect(runInfinity("slides", "99").status).to.equal(2);
  });
});
