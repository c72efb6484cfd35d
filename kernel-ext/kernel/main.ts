/**
 * The kernel's entry point: `node main.cjs --connection-file FILE`. The wire thread answers first;
 * the compiler is loaded behind its back.
 */
import { parseArgs } from "node:util";
import { InputError } from "../../src/core/errors.ts";
import { readConnection } from "./connection.ts";
import { History } from "./history.ts";
import { courseRoot, historyFile } from "./home.ts";
import { Kernel } from "./kernel.ts";
import { log } from "./log.ts";
import { captureProcessOutput } from "./output.ts";
import { isPackageAdvice } from "./quiet-packages.ts";
import { StopSignal } from "./stop-signal.ts";
import { Wire } from "./wire.ts";

try {
  start();
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  log(error.message);
  process.exitCode = 1;
}

function start(): void {
  const { values } = parseArgs({ options: { "connection-file": { type: "string" } } });
  const file = values["connection-file"];
  if (file === undefined)
    throw new InputError("Give the file that Jupyter made: --connection-file FILE.");
  const signal = new StopSignal();
  const wire = new Wire(readConnection(file), signal, {
    ready: () => {
      kernel.prepare().catch(log);
    },
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
}
