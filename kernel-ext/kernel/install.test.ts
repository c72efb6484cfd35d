import { expect } from "chai";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { home } from "./home.ts";
import { installKernel } from "./install.ts";
import { builtOnce } from "./jupyter-client.testing.ts";

describe("installing the kernel", () => {
  let prefix: string;

  before(async () => {
    await builtOnce();
    prefix = mkdtempSync(join(tmpdir(), "infinity-prefix-"));
  });
  after(() => {
    rmSync(prefix, { recursive: true, force: true });
  });

  it("writes a specification that starts this Node with the built kernel", () => {
    const folder = installKernel(prefix);
    expect(folder).to.equal(join(prefix, "share", "jupyter", "kernels", "infinity"));
    const specification = JSON.parse(readFileSync(join(folder, "kernel.json"), "utf8")) as {
      argv: string[];
    };
    expect(specification).to.deep.include({
      display_name: "TypeScript (Infinity)",
      language: "typescript",
      interrupt_mode: "message",
    });
    const [node, entry, ...rest] = specification.argv;
    expect([node, rest]).to.deep.equal([
      process.execPath,
      ["--connection-file", "{connection_file}"],
    ]);
    expect(existsSync(entry!)).to.equal(true);
    expect(readFileSync(join(folder, "logo-svg.svg"), "utf8")).to.match(/^<svg/);
  });

  it("says what is missing in one sentence", () => {
    const kernel = join(home, "build", "kernel", "main.cjs");
    for (const args of [[], ["--connection-file", join(prefix, "nothing.json")]]) {
      expect(() => execFileSync(process.execPath, [kernel, ...args], { stdio: "pipe" })).to.throw(
        /infinity kernel: (Give the file|The connection file).*\n$/,
      );
    }
  });
});
