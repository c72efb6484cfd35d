/** Plotly figures on slides: drawn large, for the back row. Where one fails, its picture or text stays. */

interface Figure {
  readonly data?: unknown;
  readonly frames?: unknown;
  readonly layout?: Readonly<Record<string, unknown>>;
}

interface Plotly {
  newPlot(target: HTMLElement, figure: object): Promise<unknown>;
}

declare global {
  interface Window {
    Plotly?: Plotly;
  }
}

/** What a figure was laid out for in the notebook, and what it becomes. Pixels of the slide. */
const enlarged = 1.5;
const heights = { least: 600, most: 760 } as const;

/** Draws every figure below `slides`, which must be visible: plotly measures its texts. */
export async function drawFigures(slides: Element, width: number): Promise<void> {
  const { Plotly } = window;
  if (!Plotly) return;
  for (const place of slides.querySelectorAll<HTMLElement>(".figure")) {
    const figure = JSON.parse(place.querySelector("script")?.textContent ?? "{}") as Figure;
    const drawing = document.createElement("div");
    const fallback = [...place.children];
    place.append(drawing);
    try {
      const config = { displayModeBar: false, displaylogo: false };
      const { data, frames = [] } = figure;
      await Plotly.newPlot(drawing, { data, layout: layoutOf(figure, width), frames, config });
      for (const element of fallback) element.remove();
    } catch {
      drawing.remove();
    }
  }
}

function layoutOf({ layout = {} }: Figure, width: number): object {
  const height = typeof layout["height"] === "number" ? layout["height"] * enlarged : heights.least;
  return {
    ...layout,
    width,
    height: Math.min(heights.most, Math.max(heights.least, height)),
    autosize: false,
    font: { size: 24, color: "#111111" },
    // Below the title of the axis, which has grown.
    ...("legend" in layout && { legend: { orientation: "h", y: -0.3 } }),
    margin: { l: 110, r: 40, t: 80, b: "legend" in layout ? 160 : 100 },
  };
}
