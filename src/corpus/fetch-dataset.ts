/**
 * Public data sets that models are judged by: their archives are downloaded as models are, and unpacked
 * into plain files beside them.
 */
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { readZipDirectory, readZipEntry } from "../formats/zip.ts";
import { choiceFileText } from "./choice-file.ts";
import { download, type Downloaded, type DownloadOptions } from "./fetch.ts";
import { fileSource, writeFileAtomically } from "./files.ts";
import { readMmlu } from "./mmlu.ts";
import { modelFileName, modelUrl, type PublicDataset } from "./model-manifest.ts";

/** Far above the 11 MB of the largest text. */
const mostTextBytes = 2 ** 28;

/** What is there now. */
export interface FetchedDataset extends Downloaded {
  /** The archive. */
  readonly path: string;
  /** What was unpacked. */
  readonly files: readonly string[];
}

/**
 * Downloads a data set's archive to `folder`, or finds that it is there, and unpacks it. Throws
 * InputError as `download` does, and where the archive does not hold what it should.
 */
export async function fetchDataset(
  dataset: PublicDataset,
  folder: string,
  server: string,
  options: DownloadOptions = {},
): Promise<FetchedDataset> {
  const path = join(folder, modelFileName(dataset));
  const { bytes, sha256 } = dataset;
  const found = await download({ url: modelUrl(dataset, server), path, bytes, sha256 }, options);
  const files = await unpackers[dataset.contents](path, folder);
  return { ...found, path, files };
}

const unpackers: Readonly<
  Record<PublicDataset["contents"], (path: string, folder: string) => Promise<string[]>>
> = { "wikitext-2": unpackWikitext2, mmlu: unpackMmlu };

/** wiki.train.raw, wiki.valid.raw and wiki.test.raw. */
async function unpackWikitext2(path: string, folder: string): Promise<string[]> {
  const source = await fileSource(path);
  try {
    const entries = await readZipDirectory(source);
    const files: string[] = [];
    for (const split of ["train", "valid", "test"]) {
      const name = `wiki.${split}.raw`;
      const entry = entries.get(`wikitext-2-raw/${name}`);
      if (!entry || entry.numBytes > mostTextBytes) {
        throw new InputError(
          `${path} is not WikiText-2's archive: it holds no ${name} of its size.`,
        );
      }
      const file = join(folder, name);
      await writeFileAtomically(file, await readZipEntry(source, entry));
      files.push(file);
    }
    return files;
  } finally {
    await source.close();
  }
}

/** mmlu-test.jsonl, for `infinity ppl --choices`. */
async function unpackMmlu(path: string, folder: string): Promise<string[]> {
  const source = await fileSource(path);
  try {
    const file = join(folder, "mmlu-test.jsonl");
    await writeFileAtomically(file, choiceFileText(await readMmlu(source)));
    return [file];
  } finally {
    await source.close();
  }
}
