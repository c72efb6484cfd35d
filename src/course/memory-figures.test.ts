import { expect } from "chai";
import { seededRng } from "../core/rng.ts";
import { generateTrace } from "../planning/request-trace.ts";
import { FrameRecorder } from "../runtime/allocators/memory-map.ts";
import { openAllocators } from "../runtime/allocators/policies.ts";
import { simulate } from "../runtime/allocators/simulate.ts";
import { memoryFilmFigure, partsAtPeakFigure, partsOverTimeFigure } from "./memory-figures.ts";

const trace = generateTrace(
  { numRequests: 20, maxLength: 256, meanGap: 3, numSteps: 150 },
  seededRng(2),
);
const runs = openAllocators("all", { numSlots: 1000, maxLength: 256, blockSize: 8 }).map(
  (allocator) => {
    const recorder = new FrameRecorder(20, 50);
    const simulation = simulate(trace, allocator, {
      onStep: (census) => {
        recorder.record(census, allocator);
      },
    });
    return { simulation, frames: recorder.frames };
  },
);

interface Frame {
  readonly name: string;
  readonly data: readonly {
    readonly marker?: { readonly color: { readonly bdata: string } };
    readonly x?: number[];
  }[];
}

describe("figures of a memory", () => {
  it("stack the parts of each memory at its peak, and leave what is free", () => {
    const { data } = partsAtPeakFigure(
      "Peaks",
      runs.map(({ simulation }) => simulation),
    );
    expect(data.map(({ name }) => name)).to.have.length(4);
    for (const [i, { simulation }] of runs.entries()) {
      const { numSlots, peak } = simulation;
      const used = data.reduce((sum, trace) => sum + (trace["x"] as number[])[i]!, 0);
      expect(used).to.be.closeTo(100 * (1 - peak.free / numSlots), 0.03);
    }
  });

  it("follow the parts over time, and mark where a memory first ran out", () => {
    const { data, layout } = partsOverTimeFigure("Time", runs);
    expect(data).to.have.length(4 * runs.length);
    const { frames, simulation } = runs[1]!;
    const [live] = data.filter((trace) => trace["stackgroup"] === simulation.name);
    expect(live!["x"]).to.deep.equal(frames.map(({ census }) => census.step));
    expect((live!["y"] as number[])[5]).to.be.closeTo(frames[5]!.census.live / 10, 0.01);
    const failed = runs.flatMap(({ simulation: { firstFailure } }) => firstFailure?.step ?? []);
    expect(failed).to.not.have.length(0);
    expect((layout["shapes"] as { x0: number }[]).map(({ x0 }) => x0)).to.deep.equal(failed);
  });

  it("film every cell of every memory, a frame a step, and begin where they are told to", () => {
    const {
      data,
      frames = [],
      layout,
    } = memoryFilmFigure("Film", runs, {
      ...{ from: 35, numColumns: 20 },
    });
    const film = frames as readonly Frame[];
    const steps = runs[0]!.frames.map(({ census }) => census.step);
    expect(film.map(({ name }) => Number(name))).to.deep.equal(steps);
    expect(data).to.have.length(runs.length + 4);
    for (const [run, { frames: seen }] of runs.entries()) {
      for (const [i, { cells }] of seen.entries()) {
        const codes = Buffer.from(film[i]!.data[run]!.marker!.color.bdata, "base64");
        const isLive = [...codes].map((code) => (code === 0 ? null : code % 2 === 0));
        expect(isLive, `frame ${i}`).to.deep.equal(cells.map((cell) => cell && cell.isLive));
      }
    }
    const [{ active }] = layout["sliders"] as [{ active: number }];
    expect(steps[active]).to.be.at.most(35);
    expect(steps[active + 1]).to.be.above(35);
    for (const [i, trace] of film[active]!.data.entries()) {
      if (trace.x) expect(data[i]!["x"]).to.deep.equal(trace.x);
      else expect(data[i]!["marker"]).to.deep.include(trace.marker);
    }
  });
});
