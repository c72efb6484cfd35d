import { expect } from "chai";
import { JupyterClient, builtOnce, contentsOf } from "./jupyter-client.testing.ts";

describe("training in a notebook", () => {
  let client: JupyterClient;

  before(async () => {
    await builtOnce();
    client = await JupyterClient.start();
  });
  after(() => client.stop());

  it("shows its loss while it falls, in one figure", async () => {
    const exchange = await client.execute(`
      import { lossFigure } from "infinity-inference/course/training-figures";
      import { baselinesOfSession, openTraining } from "infinity-inference/training/session";
      const training = await openTraining({ preset: "smoke", device: "wasm", numThreads: 1, numSteps: 6 });
      const baselines = baselinesOfSession(training);
      await training.trainer.run({
        validation: training.validation.slice(0, 1),
        progress: progress(6, "steps"),
        onStep: ({ step }) => show(lossFigure(training.trainer.state, baselines), { id: "loss", update: step > 1 }),
        now: () => performance.now(),
      });
      await training.close();`);
    expect(contentsOf(exchange, "error")).to.deep.equal([]);
    const idOf = ({ transient }: Record<string, unknown>): unknown =>
      (transient as Record<string, unknown>)["display_id"];
    const pointsOf = ({ data }: Record<string, unknown>): number => {
      const figure = (data as Record<string, { data: { y: number[] }[] }>)[
        "application/vnd.plotly.v1+json"
      ]!;
      return figure.data[0]!.y.length;
    };
    const isLoss = (content: Record<string, unknown>): boolean => idOf(content) === "loss";
    const shown = contentsOf(exchange, "display_data").filter(isLoss);
    const updates = contentsOf(exchange, "update_display_data").filter(isLoss);
    expect(shown.map(pointsOf)).to.deep.equal([1]);
    expect(updates.map(pointsOf)).to.deep.equal([2, 3, 4, 5, 6]);
  });
});
