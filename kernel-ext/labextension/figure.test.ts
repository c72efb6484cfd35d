import { expect } from "chai";
import { type Json, type Theme, heightOf, layoutFor, parseFigure, titleOf } from "./src/figure.ts";

const theme: Theme = {
  dark: true,
  text: "#eee",
  grid: "#444",
  surface: "#111",
  fontFamily: "sans-serif",
};

describe("a plotly figure", () => {
  it("is a list of traces with an optional layout and frames", () => {
    expect(parseFigure({ data: [] })).to.deep.equal({ data: [], layout: {}, frames: [] });
  });

  it("is refused where it is anything else", () => {
    const traces = "`data` must be a list of traces";
    for (const value of [null, "x", [], {}, { data: "x" }, { data: [1] }, { data: [[]] }]) {
      expect(() => parseFigure(value), JSON.stringify(value)).to.throw(traces);
    }
    const layout = "`layout` must be an object and `frames` a list";
    for (const rest of [{ layout: [] }, { layout: null }, { frames: {} }, { frames: [0] }]) {
      expect(() => parseFigure({ data: [], ...rest }), JSON.stringify(rest)).to.throw(layout);
    }
  });

  it("shares nothing with the notebook's own copy, which plotly would write into", () => {
    const given = { data: [{ x: [1] }], layout: { xaxis: {} } };
    const { data, layout } = parseFigure(given);
    expect(data[0]!["x"]).not.to.equal(given.data[0]!.x);
    expect(layout["xaxis"]).not.to.equal(given.layout.xaxis);
  });

  it("is as high as it says, within reason", () => {
    const height = (value: unknown): number =>
      heightOf(parseFigure({ data: [], layout: { height: value } }));
    expect([
      height(300),
      height(1e9),
      height(0),
      height(-5),
      height("300"),
      height(undefined),
    ]).to.deep.equal([300, 10_000, 450, 450, 450, 450]);
  });

  it("is named by its title without markup", () => {
    const title = (value: unknown): string =>
      titleOf(parseFigure({ data: [], layout: { title: value } }));
    expect(title("A <b>bold</b><br>claim")).to.equal("A bold claim");
    expect(title({ text: " Error  against bits " })).to.equal("Error against bits");
    expect([title(undefined), title("<i></i>"), title({ text: 3 })]).to.deep.equal(
      Array(3).fill("Figure without a title"),
    );
  });

  it("takes the cell's width and the theme's colours, but keeps colours of its own", () => {
    const figure = parseFigure({
      data: [],
      layout: { width: 2000, height: 200, font: { color: "red" }, xaxis: { title: "bits" } },
    });
    const layout = layoutFor(figure, theme, 320);
    expect(layout).to.deep.include({
      width: 320,
      height: 200,
      font: { color: "red" },
      xaxis: { title: "bits" },
    });
    expect(layout).to.have.nested.property("template.layout.font.color", "#eee");
    expect(layout).to.have.nested.property("template.layout.yaxis.gridcolor", "#444");
  });

  it("keeps what its own template says, but for the colours of the page", () => {
    const layout = { font: { size: 14, color: "#444" }, paper_bgcolor: "white", colorway: ["red"] };
    const template = { layout, data: { bar: [{}] } };
    const drawn = layoutFor(parseFigure({ data: [], layout: { template } }), theme, 900);
    expect(drawn).to.have.nested.property("template.layout.font.size", 14);
    expect(drawn).to.have.nested.property("template.layout.font.color", "#eee");
    expect(drawn).to.have.nested.property("template.layout.paper_bgcolor", "rgba(0,0,0,0)");
    expect(drawn).to.have.deep.nested.property("template.layout.colorway", ["red"]);
    expect(drawn).to.have.deep.nested.property("template.data", { bar: [{}] });
  });

  it("puts its legend below the axes on a narrow page", () => {
    const legend = (width: number): unknown =>
      (layoutFor(parseFigure({ data: [] }), theme, width)["template"] as { layout: Json }).layout[
        "legend"
      ];
    expect(legend(320)).to.have.property("orientation", "h");
    expect(legend(900)).to.equal(undefined);
  });

  it("has other colours on a dark page than on a light one", () => {
    const figure = parseFigure({ data: [] });
    const colorway = (dark: boolean): unknown =>
      (layoutFor(figure, { ...theme, dark }, 1)["template"] as { layout: Json }).layout["colorway"];
    expect(colorway(true)).not.to.deep.equal(colorway(false));
  });
});
