import { expect } from "chai";
import { BlockFilm } from "../runtime/block-film.ts";
import { BlockManager } from "../runtime/block-manager.ts";
import { blocksFilmFigure, tablesFigure } from "./paging-figures.ts";

/** Two requests with a common first block; the first one's text forks and is copied before a write. */
function filmed(): BlockFilm {
  const film = new BlockFilm();
  const blocks = new BlockManager({ numBlocks: 14, blockSize: 2, observe: film.observe });
  film.blocks = blocks;
  let step = 0;
  const end = (): void => {
    const report = { step: ++step, numTokens: 1, numParts: 1, numRunning: 1, numWaiting: 0 };
    film.observe({ type: "step", report: { ...report, numFreeBlocks: blocks.numFree } });
  };
  film.observe({ type: "added", sequence: 1, request: 1, numTokens: 3 });
  blocks.start(1, [5, 6, 7]);
  blocks.commit(1);
  end();
  film.observe({ type: "added", sequence: 2, request: 2, numTokens: 3 });
  blocks.start(2, [5, 6, 8]);
  blocks.fork(2, 3);
  film.observe({ type: "added", sequence: 3, request: 2, numTokens: 3 });
  end();
  blocks.release(1);
  blocks.release(2);
  blocks.release(3);
  end();
  return film;
}

interface Squares {
  readonly text: readonly string[];
  readonly hovertext: readonly string[];
  readonly marker: { readonly color: readonly string[]; readonly line: { width: number[] } };
}

describe("figures of paging", () => {
  it("mark a block in the row of each sequence that has it", () => {
    const tables = [
      { name: "A", blocks: [3, 0] },
      { name: "B", blocks: [3, 5, 1] },
    ];
    const { data } = tablesFigure("Tables", tables, 6);
    expect(data.map(({ x, text }) => [x, text])).to.deep.equal([
      [
        [3, 0],
        ["0", "1"],
      ],
      [
        [3, 5, 1],
        ["0", "1", "2"],
      ],
    ]);
    const widths = data.map(({ marker }) => (marker as { line: { width: number[] } }).line.width);
    expect(widths).to.deep.equal([
      [3, 0],
      [3, 0, 0],
    ]);
  });

  it("film who uses each block, what is shared, and what is kept", () => {
    const { data, frames = [], layout } = blocksFilmFigure("Film", 14, filmed(), 1);
    const [one, two, three] = (frames as readonly { data: [Squares] }[]).map(({ data: [d] }) => d);
    expect(frames).to.have.length(3);
    expect(one!.text.slice(0, 4)).to.deep.equal(["1", "1", "", ""]);
    expect(two!.text.slice(0, 4)).to.deep.equal(["×3", "1", "2a+2b", ""]);
    expect(two!.hovertext.slice(0, 4)).to.deep.equal(["1+2a+2b", "1", "2a+2b", ""]);
    expect(two!.marker.line.width.slice(0, 4)).to.deep.equal([3, 0, 3, 0]);
    expect(two!.marker.color[1]).to.not.equal(two!.marker.color[2]);
    expect(three!.text.slice(0, 3)).to.deep.equal(["(kept)", "", ""]);
    expect(data[0]).to.deep.include({ text: two!.text });
    expect((layout["title"] as { text: string }).text).to.match(/^Film<br>.*step 2: /);
    expect(data[0]!["y"]).to.include(1);
  });

  it("draw an empty film as free blocks", () => {
    const { data, frames } = blocksFilmFigure("Film", 2, new BlockFilm());
    expect(frames).to.deep.equal([]);
    expect(data[0]).to.deep.include({ x: [0, 1] });
  });
});
