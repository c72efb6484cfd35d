/**
 * Downloads of large files: they go on where they broke off, are checked by size and SHA-256, and get
 * their name only when they are whole.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { InputError } from "../core/errors.ts";
import { silent, type Progress } from "../core/progress.ts";
import { Draft, fileSize } from "./fetch-draft.ts";
import { cannotWrite } from "./files.ts";

/** A server that sends nothing for so long is given up. */
const defaultStallMs = 30_000;

/** A file to download. */
export interface Download {
  readonly url: string;
  /** Where it goes; its folder is made. */
  readonly path: string;
  /** Null where they are not known. */
  readonly bytes: number | null;
  readonly sha256: string | null;
  /** Shown to the server, and to no other that it sends us on to. */
  readonly token?: string | undefined;
}

export interface DownloadOptions {
  /** Counts bytes. */
  readonly progress?: Progress;
  readonly stallMs?: number;
}

/** What is there now. */
export interface Downloaded {
  readonly bytes: number;
  readonly sha256: string;
  /** False where there was no hash to compare with. */
  readonly checked: boolean;
  /** True where the file had been there before. */
  readonly wasThere: boolean;
}

/** The server does not give the file to us: it asks who we are, or says no. */
export class RefusedError extends InputError {}

/**
 * Downloads a file, or finds that it is there. What has come before an error is kept beside `path`, and
 * the next call asks for the rest. Throws InputError where the server cannot be reached, refuses, stalls
 * or breaks off, where what it sends has another size or hash than it should, and where the disk is
 * full.
 */
export async function download(
  wanted: Download,
  { progress = silent, stallMs = defaultStallMs }: DownloadOptions = {},
): Promise<Downloaded> {
  const { path, sha256 } = wanted;
  const present = await fileSize(path);
  if (present !== undefined) return { ...(await checkPresent(wanted, present)), wasThere: true };
  await mkdir(dirname(path), { recursive: true }).catch(cannotWrite(path));
  const draft = new Draft(path);
  const begun = await draft.size();
  if (begun === 0 || begun !== wanted.bytes) {
    await receive(wanted, draft, progress, stallMs).finally(() => {
      progress.finish();
    });
  }
  const bytes = await draft.size();
  const found = await hashOf(draft.path);
  if (sha256 !== null && found !== sha256) {
    await draft.remove();
    throw new InputError(
      `${wanted.url} has the SHA-256 ${found}, and ${sha256} is expected: it was changed or damaged on its way, and nothing was kept.`,
    );
  }
  await draft.finish();
  return { bytes, sha256: found, checked: sha256 !== null, wasThere: false };
}

async function checkPresent(
  { path, bytes, sha256 }: Download,
  present: number,
): Promise<{ bytes: number; sha256: string; checked: boolean }> {
  const found = await hashOf(path);
  const isWrong = (bytes !== null && present !== bytes) || (sha256 !== null && found !== sha256);
  if (isWrong) {
    throw new InputError(
      `${path} is there and is another file: it has ${present} bytes and the SHA-256 ${found}; remove it or choose another folder.`,
    );
  }
  return { bytes: present, sha256: found, checked: sha256 !== null };
}

/** Adds what is missing to the draft. */
async function receive(
  wanted: Download,
  draft: Draft,
  progress: Progress,
  stallMs: number,
): Promise<void> {
  const watch = new StallWatch(stallMs);
  try {
    const { response, offset } = await request(wanted, draft, await draft.size(), watch);
    const total = totalBytes(response, wanted);
    await checkSpace(wanted.path, (total ?? offset) - offset);
    await store(wanted, draft, response, offset, total, watch, progress);
  } finally {
    watch.end();
  }
}

/** Asks for the file from its byte `begun` on; the answer may begin at 0 nevertheless. */
async function request(
  wanted: Download,
  draft: Draft,
  begun: number,
  watch: StallWatch,
): Promise<{ response: Response; offset: number }> {
  const tag = await draft.tag();
  // With neither a tag nor a hash nobody would notice that the file has changed since.
  const offset = tag !== undefined || wanted.sha256 !== null ? begun : 0;
  const response = await fetch(wanted.url, {
    signal: watch.signal,
    headers: {
      // Compressed, its length would not be the file's.
      "accept-encoding": "identity",
      ...(wanted.token !== undefined && { authorization: `Bearer ${wanted.token}` }),
      ...(offset > 0 && { range: `bytes=${offset}-` }),
      ...(offset > 0 && tag !== undefined && { "if-range": tag }),
    },
  }).catch((error: unknown) => {
    throw watch.explain(error) ?? unreachable(wanted.url, error);
  });
  const { status, headers } = response;
  const continues =
    status === 206 && (headers.get("content-range") ?? "").startsWith(`bytes ${offset}-`);
  if (status === 200) return { response, offset: 0 };
  if (offset > 0 && continues) return { response, offset };
  await response.body?.cancel();
  // There is no such range: the draft is of another file.
  if (offset > 0 && (status === 206 || status === 416)) return request(wanted, draft, 0, watch);
  throw refusal(wanted.url, response);
}

async function store(
  { url, path }: Download,
  draft: Draft,
  response: Response,
  offset: number,
  total: number | undefined,
  watch: StallWatch,
  progress: Progress,
): Promise<void> {
  const handle = await (offset > 0 ? draft.reopen() : draft.begin(response.headers.get("etag")));
  let done = offset;
  const brokeOff = (error?: unknown): InputError =>
    new InputError(
      `${hostOf(url)} broke off after ${done} of ${total ?? "unknown"} bytes; ask again to go on from there.`,
      { cause: error },
    );
  try {
    const pieces = response.body ?? new ReadableStream<Uint8Array>();
    for await (const piece of piecesOf(
      pieces,
      (error) => watch.explain(error) ?? brokeOff(error),
    )) {
      if (total !== undefined && done + piece.length > total) {
        throw new InputError(`${url} goes on beyond the ${total} bytes that it should have.`);
      }
      await handle.writeFile(piece).catch(cannotWrite(path));
      done += piece.length;
      watch.touch();
      progress.update(done, total ?? done);
    }
    if (total !== undefined && done < total) throw brokeOff();
    await handle.sync().catch(cannotWrite(path));
  } finally {
    await handle.close();
  }
}

/** The pieces of a body, with its errors as `explain` says them. */
async function* piecesOf(
  body: ReadableStream<Uint8Array>,
  explain: (error: unknown) => Error,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw explain(error);
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Ends a request that stands still. */
class StallWatch {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #stallMs: number;

  constructor(stallMs: number) {
    this.#stallMs = stallMs;
    this.#timer = setTimeout(() => {
      this.#controller.abort();
    }, stallMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something came. */
  touch(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  /** The error to report where this is what ended the request. */
  explain(cause: unknown): InputError | undefined {
    if (!this.signal.aborted) return undefined;
    return new InputError(
      `The server sent nothing for ${this.#stallMs / 1000} s; ask again to go on from there.`,
      { cause },
    );
  }
}

/** The whole file's length, as the server or else the manifest says it; they must not differ. */
function totalBytes(response: Response, { url, bytes }: Download): number | undefined {
  const { status, headers } = response;
  const text =
    status === 206
      ? /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1]
      : headers.has("content-encoding")
        ? undefined
        : (headers.get("content-length") ?? undefined);
  const offered = text === undefined ? undefined : Number(text);
  if (offered !== undefined && bytes !== null && offered !== bytes) {
    throw new InputError(
      `${url} has ${offered} bytes, and ${bytes} are expected: the server has another file.`,
    );
  }
  return offered ?? bytes ?? undefined;
}

async function checkSpace(path: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path)).catch(cannotWrite(path));
  if (needed <= bavail * bsize) return;
  throw new InputError(
    `${path} needs ${needed} bytes more, and the disk has ${bavail * bsize} free; make room or choose another folder.`,
  );
}

function refusal(url: string, { status }: Response): InputError {
  if (status === 401 || status === 403) {
    return new RefusedError(`${hostOf(url)} refuses ${url} (HTTP ${status}).`);
  }
  const what = status === 404 ? "has no such file" : "does not send the file";
  return new InputError(`${hostOf(url)} ${what} (HTTP ${status}): ${url}.`);
}

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: "there is no machine of that name, or no network",
  EAI_AGAIN: "its name cannot be looked up: is there a network?",
  ECONNREFUSED: "it refuses connections",
  ECONNRESET: "it closed the connection",
  UND_ERR_SOCKET: "it closed the connection",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer",
};

function unreachable(url: string, error: unknown): InputError {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const reason = reasons[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new InputError(`${hostOf(url)} cannot be reached: ${reason}.`, { cause: error });
}

function hostOf(url: string): string {
  return new URL(url).host;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
