/**
 * What host and guest say to each other. Arguments and answers travel as encoded values of their
 * own, so that a bad one fails its call and not the channel, and so that references mean something
 * in values only. The host checks guest messages with `guest-messages.ts`; the guest trusts the host.
 */

/** A value as `encode` wrote it. */
export type Encoded = Uint8Array;

/** Descriptors of the guest: what it says, what it is asked, and replies that it waits for. */
export const descriptors = { says: 3, asked: 4, replies: 5 } as const;

/** What the host asks on `descriptors.asked`. Ids are random: an answer cannot be sent ahead. */
export type HostMessage =
  | { kind: "load"; id: string; code: string; file: string }
  | {
      kind: "call";
      id: string;
      /** The object whose member is called: a guest reference, or null for the module's exports. */
      holder: number | null;
      /** The member's name, or null where the holder itself is the function. */
      name: string | null;
      args: Encoded[];
      /** Which arguments are sent back after the call. */
      mutable: number[];
    }
  | { kind: "settle"; promise: number; ok: boolean; value: Encoded };

/** The host's reply to `invoke`, on `descriptors.replies`. */
export type HostReply =
  | { kind: "value"; value: Encoded }
  | { kind: "thrown"; value: Encoded }
  | { kind: "promise"; promise: number };

/** What the guest says on `descriptors.says`. */
export type GuestMessage =
  | { kind: "ready" }
  | { kind: "answer"; id: string; value: Encoded; mutated: Encoded[] }
  | { kind: "failed"; id: string; reason: "threw" | "answer" | "missing"; error: Error }
  | { kind: "invoke"; callback: number; args: Encoded }
  | { kind: "output"; text: string }
  | { kind: "fatal"; error: Error };
