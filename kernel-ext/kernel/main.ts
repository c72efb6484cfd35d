/**
 * The kernel's entry point: `node main.cjs --connection-file FILE`. The wire thread is started before
 * anything else is loaded, so that it answers while the rest, and then the compiler, comes up.
 */
import { parseArgs } from "node:util";
import { InputError } from "../../src/core/errors.ts";
import { readConnection } from "./connection.ts";
import { log } from "./log.ts";
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
  const wire = new Wire(readConnection(file), signal);
  import("./serve.ts").then(({ serve }) => {
    serve(wire, signal);
  }, log);
}
