#!/usr/bin/env node
/**
 * The `infinity` command. Plain JavaScript without dependencies, because it also runs on a machine
 * where nothing is installed yet: `lab` and `setup` do the set-up, everything else is TypeScript.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(
    `Node ${process.versions.node} is too old: install Node 20.19 or newer, then run this again.`,
  );
}

const root = join(import.meta.dirname, "..", "..");
const [command, ...rest] = process.argv.slice(2);
if (command === "lab" || command === "setup") {
  const setup = await import("./setup.js");
  process.exitCode = await setup.run(command, rest);
} else {
  if (!existsSync(join(root, "node_modules", "tsx"))) {
    fail("The packages are not installed yet: run `make lab`, or `npx infinity setup`, first.");
  }
  const { register } = await import("tsx/esm/api");
  register();
  const { main } = await import("./main.ts");
  process.exitCode = await main(process.argv.slice(2));
}

/** @param {string} sentence */
function fail(sentence) {
  process.stderr.write(`infinity: ${sentence}\n`);
  process.exit(2);
}
