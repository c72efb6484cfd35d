/**
 * `infinity doctor`: what this machine can do, and the next step for what it cannot yet. Each backend
 * is measured in a process of its own, so that a driver that crashes or hangs becomes a line of the
 * report and not its end.
 */
import { execFile } from "node:child_process";
import { Option, type Command } from "commander";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { backendNames, chooseBackend, isDeviceName, type BackendName } from "../tensor/backend.ts";
import {
  kernel,
  machine,
  versions,
  type Kernel,
  type Machine,
  type Versions,
} from "./doctor-machine.ts";
import { measureCopy, measureSpeed, type Speed } from "./doctor-speed.ts";

/** A backend that hangs is given up after this long; four of them together stay bounded. */
const backendMs = 15_000;

/** One backend of the report: speeds, or the reason why there are none. */
export type BackendReport =
  | ({ readonly name: BackendName; readonly available: true; readonly device: string } & Speed)
  | { readonly name: BackendName; readonly available: false; readonly reason: string };

/** What `infinity doctor --json` prints. */
export interface Report {
  readonly versions: Versions;
  readonly kernel: Kernel;
  readonly machine: Machine & { readonly copyGbPerSecond: number };
  readonly backends: readonly BackendReport[];
  /** The backend that commands use; null where INFINITY_DEVICE asks for one that is not there. */
  readonly chosen: BackendName | null;
  /** What to do about what is missing, the most useful first. */
  readonly next: readonly string[];
}

/** Adds the options and the action of `infinity doctor`. */
export function define(command: Command): void {
  command
    .option("--json", "print the report as JSON")
    .addOption(
      new Option("--backend <name>", "measure one backend and print only that, as JSON").choices(
        backendNames,
      ),
    )
    .action(async (options: { json?: true; backend?: BackendName }) => {
      if (options.backend) {
        print(JSON.stringify(await reportBackend(options.backend)));
        return;
      }
      const report = await diagnose();
      print(options.json ? JSON.stringify(report, null, 2) : describe(report));
    });
}

/** Looks at everything; takes some seconds. */
export async function diagnose(): Promise<Report> {
  const found = { versions: await versions(), kernel: kernel(), machine: machine() };
  const copyGbPerSecond = await measureCopy();
  const backends: BackendReport[] = [];
  // One after the other: they would share the cores.
  for (const name of backendNames) backends.push(await reportInOwnProcess(name));
  const report = { ...found, machine: { ...found.machine, copyGbPerSecond }, backends };
  return { ...report, chosen: chosenOf(backends), next: nextSteps(report) };
}

/** Starts and measures a backend in this process. */
export async function reportBackend(name: BackendName): Promise<BackendReport> {
  const device = name === "webgpu" && asksForSoftwareGpu() ? "webgpu-software" : name;
  try {
    const backend = await chooseBackend({ device });
    const speed = await measureSpeed(backend.tf);
    return { name, available: true, device: backend.device, ...speed };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const reason = error.message.replace(
      /^The device \S+ was asked for and is not available: /,
      "",
    );
    return { name, available: false, reason: reason.replace(/\.$/, "") };
  }
}

function reportInOwnProcess(name: BackendName): Promise<BackendReport> {
  const args = [join(import.meta.dirname, "infinity.js"), "doctor", "--backend", name];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: backendMs }, (error, stdout, stderr) => {
      if (!error) {
        resolve(JSON.parse(stdout) as BackendReport);
        return;
      }
      const last = stderr.trim().split("\n").at(-1) ?? "";
      const end = error.killed
        ? `did not answer within ${backendMs / 1000} s`
        : `ended with ${error.signal ?? `status ${String(error.code)}`}`;
      resolve({ name, available: false, reason: `its process ${end}${last && `: ${last}`}` });
    });
  });
}

function asksForSoftwareGpu(): boolean {
  return process.env["INFINITY_DEVICE"] === "webgpu-software";
}

function chosenOf(backends: readonly BackendReport[]): BackendName | null {
  const wanted = process.env["INFINITY_DEVICE"]?.replace("webgpu-software", "webgpu");
  const usable = backends.filter(({ available }) => available);
  return (wanted ? usable.find(({ name }) => name === wanted) : usable[0])?.name ?? null;
}

function nextSteps(found: Pick<Report, "versions" | "kernel" | "backends">): string[] {
  const device = process.env["INFINITY_DEVICE"];
  const chosen = chosenOf(found.backends);
  const { python, jupyterlab, npm } = found.versions;
  const steps: (string | false | undefined)[] = [
    device &&
      !isDeviceName(device) &&
      `INFINITY_DEVICE is "${device}", which is no device: unset it.`,
    device &&
      isDeviceName(device) &&
      !chosen &&
      `INFINITY_DEVICE asks for ${device}, which is not available: unset it for the best there is.`,
    !npm && "npm was not found: install Node from nodejs.org, which brings it.",
    !python && "Python was not found: install Python 3.10 or newer with its venv module.",
    python !== null &&
      (!jupyterlab || !found.kernel.path) &&
      "JupyterLab or the kernel is not installed here: run `make lab`, or `npx infinity setup`.",
    ...found.backends.map(
      (backend) => !backend.available && `For ${backend.name}: ${backend.reason}.`,
    ),
  ];
  return steps.filter((step) => typeof step === "string" && step !== "") as string[];
}

function describe(report: Report): string {
  const { platform, cpu, cores, memoryBytes, freeMemoryBytes, copyGbPerSecond } = report.machine;
  const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  const rows = report.backends.map((backend) => {
    const mark = backend.name === report.chosen ? "→" : " ";
    if (!backend.available) return [mark, backend.name, "–", "–", "not available"];
    const { gflops, gbPerSecond, device } = backend;
    return [mark, backend.name, gflops.toPrecision(3), gbPerSecond.toPrecision(3), device];
  });
  return [
    `Machine   ${platform}, ${cores} cores, ${cpu}`,
    `Memory    ${gib(memoryBytes)} GiB, ${gib(freeMemoryBytes)} free; one core copies ${copyGbPerSecond.toFixed(1)} GB/s (read and written)`,
    `Versions  ${Object.entries(report.versions)
      .map(([name, version]) => `${name} ${String(version ?? "–")}`)
      .join(", ")}`,
    `Kernel    ${report.kernel.path ?? "not installed"}`,
    "",
    ...table([["", "backend", "GFLOP/s", "GB/s", "computes on"], ...rows]),
    ...(report.next.length > 0 ? ["", "Next:", ...report.next.map((step) => `- ${step}`)] : []),
  ].join("\n");
}

/** Columns side by side; the numbers, third and fourth, end where their heads end. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column]!;
        return column === 2 || column === 3 ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
