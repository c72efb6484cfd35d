/** What a thread that computes gradients is told and answers. */
import type { DeviceName } from "../tensor/backend.ts";
import type { TransformerShape } from "./transformer-shape.ts";

/** What a thread begins with. */
export interface GradientThreadData {
  readonly shape: TransformerShape;
  readonly device: DeviceName;
  /** All parameters, which change between tasks only. */
  readonly parameters: SharedArrayBuffer;
}

/** One shard; its gradient is written to `gradient`, where there is one. */
export interface GradientTask {
  readonly shard: Int32Array;
  readonly gradient: SharedArrayBuffer | undefined;
}

/** The name of the backend, once, and then the loss of each task or why there is none. */
export type GradientAnswer =
  | { readonly kind: "ready"; readonly name: string }
  | { readonly kind: "loss"; readonly loss: number }
  | { readonly kind: "failed"; readonly reason: string };
