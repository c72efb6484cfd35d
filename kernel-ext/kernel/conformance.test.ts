import { expect } from "chai";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import type { Context } from "mocha";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notRunOutsideCi } from "../../src/testing.ts";
import { home } from "./home.ts";
import { installKernel } from "./install.ts";
import { builtOnce } from "./jupyter-client.testing.ts";

/** The protocol's own suite; all that it needs is in requirements.txt. */
const suite = "jupyter_kernel_test==0.7.0";
const packages = join(home, "build", "conformance");

describe("conformance to Jupyter's protocol", () => {
  let prefix: string;

  before(async () => {
    await builtOnce();
    prefix = mkdtempSync(join(tmpdir(), "infinity-conformance-"));
    installKernel(prefix);
  });
  after(() => {
    rmSync(prefix, { recursive: true, force: true });
  });

  it("passes every applicable test of jupyter_kernel_test", function () {
    const python = pythonWithSuite(this);
    const { status, stderr } = spawnSync(
      python,
      [join(import.meta.dirname, "conformance", "test_infinity.py"), "--verbose"],
      {
        encoding: "utf8",
        env: {
          ...process.env,
          PYTHONPATH: packages,
          JUPYTER_PATH: join(prefix, "share", "jupyter"),
          INFINITY_HISTORY: join(prefix, "history.jsonl"),
        },
      },
    );
    expect(status, stderr).to.equal(0);
    const skipped = [...stderr.matchAll(/^(\w+) .*skipped '(.*)'$/gm)].map(([, name]) => name);
    expect(skipped).to.deep.equal(["test_pager"]);
    const [, count] = /^Ran (\d+) tests/m.exec(stderr)!;
    console.log(`      jupyter_kernel_test: ${count!} run, ${skipped.length} skipped (no pager)`);
    expect(Number(count)).to.be.at.least(12);
  });
});

/** The Python of the set-up, with the suite in a folder of its own. */
function pythonWithSuite(test: Context): string {
  const python = join(
    home,
    ".venv",
    process.platform === "win32" ? "Scripts/python.exe" : "bin/python",
  );
  if (!existsSync(python)) notRunOutsideCi(test, "no .venv; run `npx infinity setup`");
  const args = ["--quiet", "--no-deps", "--disable-pip-version-check", "--target", packages, suite];
  try {
    if (!existsSync(join(packages, "jupyter_kernel_test"))) {
      execFileSync(python, ["-m", "pip", "install", ...args], { stdio: "pipe" });
    }
  } catch {
    notRunOutsideCi(test, `${suite} cannot be installed`);
  }
  return python;
}
