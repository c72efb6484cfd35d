/** The program of a thread that computes gradients, one shard after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { chooseBackend } from "../tensor/backend.ts";
import type { GradientAnswer, GradientTask, GradientThreadData } from "./gradient-messages.ts";
import { TfjsGradients } from "./gradients.ts";

async function main(): Promise<void> {
  const { shape, device, parameters } = workerData as GradientThreadData;
  const source = new TfjsGradients(await chooseBackend({ device }), shape);
  const weights = new Float32Array(parameters);
  const run = async ({ shard, gradient }: GradientTask): Promise<number> => {
    if (gradient === undefined) return source.shardLoss(weights, shard);
    return source.addGradient(weights, shard, new Float32Array(gradient).fill(0));
  };
  parentPort!.on("message", (task: GradientTask) => {
    run(task).then(
      (loss) => {
        answer({ kind: "loss", loss });
      },
      (error: unknown) => {
        answer({ kind: "failed", reason: String(error) });
      },
    );
  });
  answer({ kind: "ready", name: source.name });
}

function answer(message: GradientAnswer): void {
  parentPort!.postMessage(message);
}

void main();
