/**
 * The wire format of Jupyter messages: frames, signatures and headers, as in "Messaging in
 * Jupyter" 5.3. It knows no socket and no message type.
 */
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { InputError } from "../../src/core/errors.ts";

/** The version of the messaging protocol that the kernel speaks. */
export const protocolVersion = "5.3";

/** The header of a message: who sent what, when. */
export interface Header {
  msg_id: string;
  msg_type: string;
  session: string;
  username: string;
  date: string;
  version: string;
}

/** A message as received: its signature is verified, its content is not yet looked at. */
export interface Message {
  /** Routing frames of ZeroMQ; an answer carries them back. */
  readonly identities: readonly Uint8Array[];
  readonly header: Header;
  readonly parent: Partial<Header>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly content: Readonly<Record<string, unknown>>;
  readonly buffers: readonly Uint8Array[];
}

/** A message to send; `content` and `metadata` are JSON texts already. */
export interface OutgoingMessage {
  /** Its `msg_id`, where the sender must know it. */
  readonly id?: string;
  readonly identities: readonly Uint8Array[];
  readonly type: string;
  /** The header of the request that caused it; null for a message of the kernel's own. */
  readonly parent: Header | null;
  readonly content: string;
  readonly metadata: string;
  readonly buffers: readonly Uint8Array[];
}

const delimiter = Buffer.from("<IDS|MSG>");
/** More frames than any client sends; the limit keeps a broken peer from filling the memory. */
const maxFrames = 4096;

/** Packs and unpacks the messages of one session, signed with the key of its connection file. */
export class MessageCodec {
  readonly #key: string;
  readonly #session: string = randomUUID();

  constructor(key: string) {
    this.#key = key;
  }

  /** The frames of a message, signed. */
  encode(message: OutgoingMessage): Uint8Array[] {
    const header: Header = {
      msg_id: message.id ?? randomUUID(),
      msg_type: message.type,
      session: this.#session,
      username: "kernel",
      date: new Date().toISOString(),
      version: protocolVersion,
    };
    const signed = [
      JSON.stringify(header),
      JSON.stringify(message.parent ?? {}),
      message.metadata,
      message.content,
    ].map((text) => Buffer.from(text));
    const signature = Buffer.from(this.#sign(signed));
    return [...message.identities, delimiter, signature, ...signed, ...message.buffers];
  }

  /** The message in `frames`. Throws InputError where the signature or the form is wrong. */
  decode(frames: readonly Uint8Array[]): Message {
    if (frames.length > maxFrames)
      throw new InputError(`A message has ${frames.length} frames; at most ${maxFrames} are read.`);
    const start = frames.findIndex((frame) => delimiter.equals(frame));
    if (start < 0 || frames.length < start + 6) {
      throw new InputError(
        `A message of ${frames.length} frames lacks its delimiter or one of its parts.`,
      );
    }
    const signed = frames.slice(start + 2, start + 6);
    this.#verify(frames[start + 1]!, signed);
    const [header, parent, metadata, content] = signed.map(parseObject);
    return {
      identities: frames.slice(0, start),
      header: checkedHeader(header!),
      parent: parent!,
      metadata: metadata!,
      content: content!,
      buffers: frames.slice(start + 6),
    };
  }

  /** Hexadecimal HMAC-SHA256 of the four parts; an empty key switches signing off. */
  #sign(parts: readonly Uint8Array[]): string {
    if (this.#key === "") return "";
    const hmac = createHmac("sha256", this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }

  #verify(signature: Uint8Array, parts: readonly Uint8Array[]): void {
    const expected = Buffer.from(this.#sign(parts));
    if (expected.length === 0) return;
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new InputError("The signature of a message is wrong; it was dropped.");
    }
  }
}

function parseObject(frame: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(frame).toString("utf8"));
  } catch {
    throw new InputError("A part of a message is not JSON; it was dropped.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError("A part of a message is not a JSON object; it was dropped.");
  }
  return value as Record<string, unknown>;
}

function checkedHeader(header: Record<string, unknown>): Header {
  for (const name of ["msg_id", "msg_type", "session"]) {
    if (typeof header[name] !== "string")
      throw new InputError(`A message's header has no ${name}; it was dropped.`);
  }
  return header as unknown as Header;
}
