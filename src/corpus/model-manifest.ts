/**
 * The public models and data sets of `datasets/manifest.json`, and where each lies on a server laid out
 * as Hugging Face's.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { InputError, UsageError, nearestNames } from "../core/errors.ts";

const manifestFile = join(import.meta.dirname, "..", "..", "datasets", "manifest.json");

/** A model file that anybody may download; size and hash are null where no public document has them. */
export interface PublicModel {
  /** For the command line. */
  readonly name: string;
  readonly title: string;
  /** Owner and name on the server. */
  readonly repository: string;
  readonly revision: string;
  /** Path in the repository. */
  readonly file: string;
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly licence: string;
  /** Whether its owner asks who downloads it. */
  readonly gated: boolean;
}

/** An archive of texts or questions that models are judged by, unpacked by what it holds. */
export interface PublicDataset extends PublicModel {
  readonly contents: "wikitext-2" | "mmlu";
}

const publicModel = z.strictObject({
  name: z.string().regex(/^[a-z0-9.-]+$/),
  title: z.string(),
  repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
  revision: z.string().regex(/^\w+$/),
  file: z.string().regex(/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/),
  bytes: z.int().positive().nullable(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  licence: z.string(),
  gated: z.boolean(),
});

interface Manifest {
  readonly models: readonly PublicModel[];
  readonly datasets: readonly PublicDataset[];
}

const manifest: z.ZodType<Manifest> = z.strictObject({
  models: z.array(publicModel),
  datasets: z.array(publicModel.extend({ contents: z.enum(["wikitext-2", "mmlu"]) })).default([]),
});

/** The models of a manifest. Throws InputError where the file is no manifest. */
export function publicModels(path: string = manifestFile): readonly PublicModel[] {
  return readManifest(path).models;
}

/** The data sets of a manifest. Throws InputError where the file is no manifest. */
export function publicDatasets(path: string = manifestFile): readonly PublicDataset[] {
  return readManifest(path).datasets;
}

function readManifest(path: string): Manifest {
  try {
    return manifest.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new InputError(`${path} is no manifest: ${reason.replaceAll("\n", " ")}.`);
  }
}

/** The model or data set called `name`, in whatever case. Throws UsageError with the nearest names. */
export function publicModelNamed<T extends PublicModel>(name: string, models: readonly T[]): T {
  const found = models.find((model) => model.name === name.toLowerCase());
  if (found) return found;
  const names = models.map((model) => model.name);
  const near = nearestNames(name.toLowerCase(), names).join(", ");
  throw new UsageError(`There is no model ${name}; near it are ${near}, and --list shows all.`);
}

/** Where a model or data set lies on `server`, such as https://huggingface.co. Throws UsageError for no http address. */
export function modelUrl(model: PublicModel | PublicDataset, server: string): string {
  if (!URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol)) {
    throw new UsageError(`${server} is no server; one looks like https://huggingface.co.`);
  }
  const { repository, revision, file } = model;
  const folder = "contents" in model ? "datasets/" : "";
  return `${server.replace(/\/+$/, "")}/${folder}${repository}/resolve/${revision}/${file}`;
}

/** The name of its file on a disk. */
export function modelFileName({ file }: PublicModel): string {
  return basename(file);
}
