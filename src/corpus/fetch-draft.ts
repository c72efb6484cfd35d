/** A download that is not whole yet: what has come so far, kept beside the file that it will become. */
import { open, readFile, rename, rm, stat, writeFile, type FileHandle } from "node:fs/promises";
import { InputError } from "../core/errors.ts";
import { cannotWrite } from "./files.ts";

/** What has come so far, and which version of the file the server said it was. */
export class Draft {
  /** Where it lies. */
  readonly path: string;
  readonly #target: string;
  readonly #tagFile: string;

  /** `target` is the name that it gets in the end. */
  constructor(target: string) {
    this.#target = target;
    this.path = `${target}.partial`;
    this.#tagFile = `${target}.partial.etag`;
  }

  /** Bytes that have come. */
  async size(): Promise<number> {
    return (await fileSize(this.path)) ?? 0;
  }

  /** The server's name for the version; undefined where it gave none. */
  async tag(): Promise<string | undefined> {
    return readFile(this.#tagFile, "utf8").catch(() => undefined);
  }

  /** Opens it to add to what is there. */
  async reopen(): Promise<FileHandle> {
    return open(this.path, "a").catch(cannotWrite(this.#target));
  }

  /** Opens it empty, for the version that the server calls `tag`. */
  async begin(tag: string | null): Promise<FileHandle> {
    await rm(this.#tagFile, { force: true });
    const handle = await open(this.path, "w").catch(cannotWrite(this.#target));
    // A weak tag does not say that the bytes are the same.
    if (tag !== null && !tag.startsWith("W/")) {
      await writeFile(this.#tagFile, tag).catch(cannotWrite(this.#target));
    }
    return handle;
  }

  /** Forgets what has come. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
    await rm(this.#tagFile, { force: true });
  }

  /** Gives it its name. */
  async finish(): Promise<void> {
    await rename(this.path, this.#target).catch(cannotWrite(this.#target));
    await rm(this.#tagFile, { force: true });
  }
}

/** Bytes of a file; undefined where there is none. Throws InputError where something else is there. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const stats = await stat(path);
    if (stats.isFile()) return stats.size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const { message } = error as Error;
    throw new InputError(`${path} cannot be looked at: ${message}.`, { cause: error });
  }
  throw new InputError(`${path} is there and is no file; choose another folder.`);
}
