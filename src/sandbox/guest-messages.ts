/** The host's check of what a guest says: the only door through which a guest's bytes come in. */
import { z } from "zod";
import { decode } from "./decode.ts";
import type { GuestMessage } from "./messages.ts";

const id = z.string().max(64);
const index = z.int().nonnegative();
const error = z.instanceof(Error);
const encoded = z.instanceof(Uint8Array);

const schema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ready") }),
  z.object({ kind: z.literal("answer"), id, value: encoded, mutated: z.array(encoded) }),
  z.object({
    kind: z.literal("failed"),
    id,
    reason: z.enum(["threw", "answer", "missing"]),
    error,
  }),
  z.object({ kind: z.literal("invoke"), callback: index, args: encoded }),
  z.object({ kind: z.literal("output"), text: z.string() }),
  z.object({ kind: z.literal("fatal"), error }),
]);

/** The message in `payload`. Throws CodecError or ZodError for anything else. */
export function parseGuestMessage(payload: Uint8Array): GuestMessage {
  return schema.parse(decode(payload));
}
