/** `infinity fetch`: downloads a public model or data set, and says whether it is the one that was meant. */
import { join } from "node:path";
import type { Command } from "commander";
import { InputError, UsageError } from "../core/errors.ts";
import type { Progress } from "../core/progress.ts";
import { fetchDataset } from "../corpus/fetch-dataset.ts";
import { RefusedError, download, type Downloaded } from "../corpus/fetch.ts";
import {
  modelFileName,
  modelUrl,
  publicDatasets,
  publicModelNamed,
  publicModels,
  type PublicDataset,
  type PublicModel,
} from "../corpus/model-manifest.ts";
import { progressBar } from "./progress-bar.ts";
import { textTable } from "./text-table.ts";

const defaultServer = "https://huggingface.co";

interface Options {
  list?: true;
  out?: string;
  mirror?: string;
  json?: true;
}

/** Adds the argument, the options and the action of `infinity fetch`. */
export function define(command: Command): void {
  command
    .argument("[name]", "a model or data set of --list")
    .option("--list", "the models and data sets that can be downloaded")
    .option("--out <folder>", "where the files go; models, or data for a data set")
    .option(
      "--mirror <server>",
      `another server with the same addresses as ${defaultServer}; INFINITY_MIRROR names it too`,
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
A download that breaks off goes on where it was when the same command runs again.
For a gated model, accept its licence on its page at ${defaultServer} and put a token of yours
into the environment variable HF_TOKEN; it is shown to that server only.

Examples:
  infinity fetch --list
  infinity fetch smollm2-135m
  infinity fetch wikitext-2
  infinity fetch stories260k --mirror https://mirror.example.org --out /data/models`,
    )
    .action(run);
}

async function run(name: string | undefined, options: Options): Promise<void> {
  const all: readonly (PublicModel | PublicDataset)[] = [...publicModels(), ...publicDatasets()];
  if (options.list) {
    print(options.json ? JSON.stringify(all, null, 2) : list(all));
    return;
  }
  if (name === undefined) {
    throw new UsageError("A name is needed; infinity fetch --list shows the models and data sets.");
  }
  const wanted = publicModelNamed(name, all);
  if ("contents" in wanted) {
    const folder = options.out ?? "data";
    const progress = megabytes();
    const found = await fetchDataset(wanted, folder, serverOf(options), { progress });
    const text = `${describe(wanted, found.path, found)}\nunpacked ${found.files.join(", ")}`;
    print(options.json ? JSON.stringify(found) : text);
    return;
  }
  const path = join(options.out ?? "models", modelFileName(wanted));
  const found = await fetchModel(wanted, path, serverOf(options));
  print(options.json ? JSON.stringify({ path, ...found }) : describe(wanted, path, found));
}

async function fetchModel(model: PublicModel, path: string, server: string): Promise<Downloaded> {
  const token = server === defaultServer ? process.env["HF_TOKEN"] || undefined : undefined;
  const { bytes, sha256 } = model;
  try {
    const wanted = { url: modelUrl(model, server), path, bytes, sha256, token };
    return await download(wanted, { progress: megabytes() });
  } catch (error) {
    if (!(error instanceof RefusedError) || !model.gated) throw error;
    const way =
      token === undefined
        ? "put a token of yours into HF_TOKEN"
        : "check that HF_TOKEN belongs to the account that accepted it";
    throw new InputError(
      `${model.name} is gated: accept its licence at ${defaultServer}/${model.repository} and ${way}.`,
      { cause: error },
    );
  }
}

function serverOf({ mirror }: Options): string {
  return mirror ?? (process.env["INFINITY_MIRROR"] || defaultServer);
}

/** A bar of megabytes that says how many come in a second. */
function megabytes(): Progress {
  const bar = progressBar("MB");
  const whole = (bytes: number): number => Math.floor(bytes / 1e6);
  let first: { bytes: number; at: number } | undefined;
  return {
    update: (done, total) => {
      const now = performance.now();
      first ??= { bytes: done, at: now };
      const speed = (done - first.bytes) / 1000 / Math.max(now - first.at, 1);
      bar.update(whole(done), whole(total), `${speed.toFixed(1)} MB/s`);
    },
    finish: () => {
      bar.finish();
    },
  };
}

function list(models: readonly PublicModel[]): string {
  const rows = models.map((model) => [
    model.name,
    model.bytes === null ? "–" : `${(model.bytes / 1e6).toFixed(0)} MB`,
    model.licence + (model.gated ? ", gated" : ""),
    model.title,
  ]);
  return textTable([["name", "size", "licence", "what it is"], ...rows], [1]).trimEnd();
}

function describe({ sha256, licence }: PublicModel, path: string, found: Downloaded): string {
  const check = found.checked
    ? `its SHA-256 is ${sha256!}, as it should be`
    : `its SHA-256 is ${found.sha256}, which was not checked: there is no public document to compare it with`;
  const begin = found.wasThere ? `${path} was there` : `wrote ${path}`;
  return `${begin}: ${found.bytes} bytes; ${check}\nlicence: ${licence}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
