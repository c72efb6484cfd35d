/** The two models of ours in `datasets/models`, which everything runs on unless told otherwise. */
import { join } from "node:path";

/** The draft guesses what the target would write; both share a vocabulary. */
export const shippedModelNames = ["draft", "target"] as const;

export type ShippedModelName = (typeof shippedModelNames)[number];

/** Where a shipped model's GGUF file is. */
export function shippedModel(name: ShippedModelName): string {
  return join(import.meta.dirname, "../../datasets/models", `infinity-${name}.gguf`);
}
