/**
 * What the browser tests share: JupyterLab as `infinity lab` starts it, on a folder of their own so
 * that the working tree stays clean, and Chromium on a page of it.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Context } from "mocha";
import { type Browser, type Page, chromium } from "playwright-core";
import { notRunOutsideCi, root } from "../../src/testing.ts";
import { chromiumFlags, findChromium } from "./chromium.ts";

const command = join(root, "src", "cli", "infinity.js");

/** Where test pictures are kept for a look. */
export const screenshots: string = join(root, "build", "screenshots");

/** JupyterLab on one folder, and the browser that looks at it. Dispose it in `after`. */
export class LabSession {
  readonly browser: Browser;
  /** From the command to the printed address. Milliseconds. */
  readonly startMs: number;
  /** Addresses other than this machine's that a page has asked for. */
  readonly foreignRequests: string[] = [];
  readonly #lab: ChildProcess;
  readonly #url: URL;

  private constructor(browser: Browser, lab: ChildProcess, url: URL, startMs: number) {
    this.browser = browser;
    this.startMs = startMs;
    this.#lab = lab;
    this.#url = url;
  }

  /**
   * Starts both, or marks the test as not run where the machine has no Chromium or no set-up.
   * `folder` holds what JupyterLab shows; its settings are kept in `folder/.settings`.
   * `environment` is added to that of JupyterLab and its kernels.
   */
  static async start(
    test: Context,
    folder: string,
    environment: NodeJS.ProcessEnv = {},
  ): Promise<LabSession> {
    const executablePath = requireChromium(test);
    requireSetup(test);
    const before = performance.now();
    const args = [
      ...["--no-browser", "--ServerApp.port=0", `--ServerApp.root_dir=${folder}`],
      `--LabApp.user_settings_dir=${join(folder, ".settings")}`,
      `--LabApp.workspaces_dir=${join(folder, ".settings")}`,
      "--LabApp.expose_app_in_browser=True",
      // Should this process be killed, JupyterLab ends by itself.
      ...[
        "--MappingKernelManager.cull_idle_timeout=300",
        "--MappingKernelManager.cull_interval=60",
      ],
      "--ServerApp.shutdown_no_activity_timeout=300",
    ];
    const env = { ...process.env, ...environment };
    const lab = spawn(process.execPath, [command, "lab", ...args], { env });
    const url = await addressOf(lab);
    const startMs = performance.now() - before;
    try {
      const browser = await chromium.launch({ executablePath, args: [...chromiumFlags] });
      return new LabSession(browser, lab, url, startMs);
    } catch (error) {
      lab.kill();
      throw error;
    }
  }

  /** A new page with the notebook open, its first cells drawn. */
  async open(notebook: string, width: number): Promise<Page> {
    const page = await this.browser.newPage({ viewport: { width, height: 900 } });
    page.on("request", (request) => {
      const { hostname, protocol } = new URL(request.url());
      if (/^(https?|wss?):$/.test(protocol) && hostname !== this.#url.hostname) {
        this.foreignRequests.push(request.url());
      }
    });
    const { origin, search } = this.#url;
    await page.goto(`${origin}/lab/tree/${notebook}${search}&reset`);
    await page.locator(".jp-Notebook .jp-Cell").first().waitFor({ timeout: 120_000 });
    return page;
  }

  async dispose(): Promise<void> {
    await this.browser.close();
    const ended = once(this.#lab, "exit");
    this.#lab.kill();
    await ended;
  }
}

/** Runs one of JupyterLab's commands in the page. */
export async function execute(
  page: Page,
  id: string,
  args: Record<string, string> = {},
): Promise<void> {
  await page.evaluate(
    async ([name, given]) => {
      const { jupyterapp } = globalThis as unknown as {
        jupyterapp: { commands: { execute(id: string, args: object): Promise<unknown> } };
      };
      await jupyterapp.commands.execute(name, given);
    },
    [id, args] as const,
  );
}

/** The path of Chromium; the running test is not run where there is none. */
export function requireChromium(test: Context): string {
  return findChromium() ?? notRunOutsideCi(test, "no Chromium; install it, or name it in CHROMIUM");
}

/** A test does not set the machine up: that would replace packages under the other tests. */
function requireSetup(test: Context): void {
  try {
    execFileSync(process.execPath, [command, "setup", "--check"], { stdio: "pipe" });
  } catch {
    notRunOutsideCi(test, "the set-up is not up to date; run `make test` or `npx infinity setup`");
  }
}

/** The address that `infinity lab` prints. Throws with its output where it ends before. */
async function addressOf(lab: ChildProcess): Promise<URL> {
  let output = "";
  for await (const line of createInterface({ input: lab.stderr! })) {
    output += `${line}\n`;
    const address = /the course is open at (\S+)/.exec(line)?.[1];
    if (address) {
      lab.stderr!.resume();
      return new URL(address);
    }
  }
  throw new Error(`infinity lab ended before it printed its address:\n${output}`);
}
