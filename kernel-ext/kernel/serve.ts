/** Puts the kernel together behind its wire, and in charge of its process's output and signals. */
import { History } from "./history.ts";
import { courseRoot, historyFile } from "./home.ts";
import { Kernel } from "./kernel.ts";
import { log } from "./log.ts";
import { captureProcessOutput } from "./output.ts";
import { isPackageAdvice } from "./quiet-packages.ts";
import type { StopSignal } from "./stop-signal.ts";
import type { Wire } from "./wire.ts";

/** Serves what arrives on `wire`, from now to the end of the process. */
export function serve(wire: Wire, signal: StopSignal): void {
  const kernel = new Kernel({
    clients: wire,
    signal,
    history: () => new History(historyFile(process.env)),
    load: async (frontEnd) => {
      const { Notebook } = await import("./notebook.ts");
      const options = { root: courseRoot(process.env), environment: process.env, signal };
      return new Notebook(options, frontEnd);
    },
  });
  captureProcessOutput((name, text) => {
    if (!isPackageAdvice(text)) kernel.print(name, text);
  });
  // Stop sends it for `vm`; when it comes late, the cell has ended by the flag.
  process.on("SIGINT", () => undefined);
  // A cell's timers and forgotten promises may fail; the notebook goes on.
  process.on("uncaughtException", (error) => {
    kernel.printStray(error);
  });
  process.on("unhandledRejection", (error) => {
    kernel.printStray(error);
  });
  wire.listen({
    request: (message) => {
      kernel.receive(message);
    },
    input: (message) => {
      kernel.receiveInput(message);
    },
    interrupt: () => {
      kernel.interrupt();
    },
    shutdown: () => process.exit(0),
  });
  kernel.prepare().catch(log);
}
