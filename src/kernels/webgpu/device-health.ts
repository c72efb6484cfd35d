/**
 * What went wrong on a GPU. It says so later than the call that caused it; whoever waits for results
 * asks here first.
 */
import { InputError } from "../../core/errors.ts";

export class DeviceHealth {
  readonly #device: GPUDevice;
  readonly #pending = new Set<Promise<void>>();
  #failure: Error | undefined;

  constructor(device: GPUDevice) {
    this.#device = device;
    void device.lost.then(({ reason, message }) => {
      this.#failure =
        reason === "destroyed"
          ? new InputError("These WebGPU kernels are closed; open them again to compute.")
          : new InputError(
              `The GPU was lost (${oneLine(message)}); load the model again, or use another device.`,
            );
    });
  }

  /** Runs `body`; an error of that kind on the GPU is thrown by `check` as what `describe` makes of it. */
  watch<T>(kind: GPUErrorFilter, describe: (message: string) => Error, body: () => T): T {
    this.#device.pushErrorScope(kind);
    try {
      return body();
    } finally {
      const outcome = this.#device.popErrorScope().then(
        (error) => {
          if (error) this.#failure ??= describe(oneLine(error.message));
        },
        // Of a lost device, which `lost` tells.
        () => undefined,
      );
      this.#pending.add(outcome);
      void outcome.then(() => this.#pending.delete(outcome));
    }
  }

  /** Throws what has gone wrong since the kernels were opened. */
  async check(): Promise<void> {
    await Promise.all(this.#pending);
    if (this.#failure) throw this.#failure;
  }
}

function oneLine(message: string): string {
  return message.split("\n")[0]!.replace(/\.$/, "");
}
