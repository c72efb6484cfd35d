/** A file of any size that takes no room: its beginning is stored, the rest are holes, read as zeros. */
import { execFileSync } from "node:child_process";
import { open } from "node:fs/promises";

/**
 * Writes `beginning` and makes the file `size` bytes long. File systems without holes (exFAT among
 * them) take the whole room, or throw where there is none.
 */
export async function writeSparseFile(
  path: string,
  beginning: Uint8Array,
  size: number,
): Promise<void> {
  const handle = await open(path, "w");
  try {
    // Other systems leave holes by themselves; Windows has to be told before there are any.
    if (process.platform === "win32") execFileSync("fsutil", ["sparse", "setflag", path]);
    await handle.writeFile(beginning);
    await handle.truncate(size);
  } finally {
    await handle.close();
  }
}

/** Bytes that the file occupies on the disk. */
export async function bytesOnDisk(path: string): Promise<number> {
  const handle = await open(path, "r");
  try {
    // POSIX counts in units of 512 bytes, whatever the file system's own.
    return 512 * (await handle.stat()).blocks;
  } finally {
    await handle.close();
  }
}
