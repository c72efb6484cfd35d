import { expect } from "chai";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publicDatasets, publicModels, type PublicModel } from "../corpus/model-manifest.ts";
import { rejection, root, runInfinity, type CommandResult } from "../testing.ts";

const body = Buffer.from("a checkpoint");

describe("infinity fetch", () => {
  let folder: string;
  let server: Server;
  let mirror: string;
  let asked: string[];
  const authorizations: (string | undefined)[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "infinity-fetch-"));
    server = createServer((request, response) => {
      asked.push(request.url!);
      authorizations.push(request.headers.authorization);
      if (request.url!.startsWith("/meta-llama/")) response.writeHead(401).end();
      else response.end(body);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    asked = [];
  });

  /** Not `runInfinity`, which would not let the server answer meanwhile. */
  const fetchFrom = async (name: string, ...more: readonly string[]): Promise<CommandResult> => {
    const args = [join(root, "src", "cli", "infinity.js"), "fetch", name, "--out", folder, ...more];
    const env = { ...process.env, INFINITY_MIRROR: mirror, HF_TOKEN: "secret" };
    const child = spawn(process.execPath, args, { env });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => (stdout += String(text)));
    child.stderr.on("data", (text) => (stderr += String(text)));
    const [status] = (await once(child, "close")) as [number];
    return { status, stdout, stderr };
  };

  it("lists the models and data sets of the manifest", () => {
    const { status, stdout } = runInfinity("fetch", "--list");
    expect(status).to.equal(0);
    const all = [...publicModels(), ...publicDatasets()];
    for (const { name } of all) expect(stdout).to.match(new RegExp(`^${name} `, "m"));
    const listed = JSON.parse(runInfinity("fetch", "--list", "--json").stdout) as PublicModel[];
    expect(listed).to.deep.equal(all);
  });

  it("downloads, and says that there was no hash to compare with", async () => {
    const { status, stdout, stderr } = await fetchFrom("Stories42M");
    expect(status, stderr).to.equal(0);
    const sha256 = createHash("sha256").update(body).digest("hex");
    expect(stdout).to.include(`wrote ${join(folder, "stories42M.pt")}: ${body.length} bytes`);
    expect(stdout).to.include(`SHA-256 is ${sha256}, which was not checked`);
    expect(stdout).to.match(/licence: MIT\n$/);
    expect(asked).to.deep.equal(["/karpathy/tinyllamas/resolve/main/stories42M.pt"]);
    expect(readFileSync(join(folder, "stories42M.pt"))).to.deep.equal(body);
  });

  it("prints JSON, and finds what is there", async () => {
    writeFileSync(join(folder, "stories110M.pt"), body);
    const { stdout } = await fetchFrom("stories110m", "--json");
    const report = JSON.parse(stdout) as Record<string, unknown>;
    expect(report).to.include({ path: join(folder, "stories110M.pt"), bytes: body.length });
    expect(report).to.include({ wasThere: true, checked: false });
    expect(asked).to.deep.equal([]);
  });

  it("refuses a file that is not the model", async () => {
    const { status, stdout, stderr } = await fetchFrom("stories260k");
    expect([status, stdout]).to.deep.equal([1, ""]);
    expect(stderr).to.match(/stories260K\.gguf has 12 bytes, and 1185376 are expected/);
  });

  it("refuses a data set that is another", async () => {
    const { status, stdout, stderr } = await fetchFrom("wikitext-2");
    expect([status, stdout]).to.deep.equal([1, ""]);
    expect(stderr).to.match(/wikitext-2-raw-v1\.zip has 12 bytes, and 4721645 are expected/);
    expect(asked).to.deep.equal(["/datasets/ggml-org/ci/resolve/main/wikitext-2-raw-v1.zip"]);
  });

  it("says how to get at a gated model, and shows no mirror the token", async () => {
    const { status, stderr } = await fetchFrom("llama-3.2-1b-base");
    expect(status).to.equal(1);
    expect(stderr).to.equal(
      "infinity: llama-3.2-1b-base is gated: accept its licence at https://huggingface.co/meta-llama/Llama-3.2-1B and put a token of yours into HF_TOKEN.\n",
    );
    expect(authorizations.filter((header) => header !== undefined)).to.deep.equal([]);
  });

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["no name", [], /A name is needed; infinity fetch --list shows the models and data sets/],
    ["an unknown name", ["smollm"], /no model smollm; near it are smollm2-135m, smollm2-360m/],
    ["a mirror that is none", ["stories260k", "--mirror", "ftp://x"], /ftp:\/\/x is no server/],
  ];
  for (const [what, args, message] of refused) {
    it(`refuses ${what} in one sentence`, () => {
      const { status, stderr } = runInfinity("fetch", ...args);
      expect(stderr).to.match(message);
      expect(status).to.equal(2);
    });
  }

  it("reads a manifest strictly", async () => {
    const file = join(folder, "manifest.json");
    const [model] = publicModels();
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ ...model, sha256: "1234" }, /sha256/],
      [{ ...model, file: "../../etc/passwd" }, /file/],
      [{ ...model, bytes: -1 }, /bytes/],
      [{ ...model, surprise: 1 }, /surprise/],
    ];
    for (const [wrong, message] of cases) {
      writeFileSync(file, JSON.stringify({ models: [wrong] }));
      const error = await rejection(Promise.resolve().then(() => publicModels(file)));
      expect(error.message)
        .to.match(message)
        .and.match(/is no manifest/);
    }
    writeFileSync(file, "{");
    const error = await rejection(Promise.resolve().then(() => publicModels(file)));
    expect(error.message).to.match(/is no manifest/);
  });

  it("names every model, file and hash once", () => {
    const models = publicModels();
    for (const key of ["name", "file", "sha256"] as const) {
      const values = models.map((model) => model[key]).filter((value) => value !== null);
      expect(new Set(values).size, key).to.equal(values.length);
    }
  });
});
