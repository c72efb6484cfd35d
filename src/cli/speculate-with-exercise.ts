/**
 * `infinity speculate --use`: the student's `verify` decides in the place of ours, in a process of its
 * own. What it answers is checked before it is believed.
 */
import { z } from "zod";
import { InputError } from "../core/errors.ts";
import type { VerifyDraft } from "../runtime/speculative-sequence.ts";
import { openModule } from "../sandbox/open-module.ts";

/** Milliseconds for one call. */
const deadlineMs = 10_000;

/** The student's function, ready to decide. */
export interface StudentVerify {
  readonly verify: VerifyDraft;
  readonly dispose: () => void;
}

/** Opens the exercise in `file`. Throws InputError where the file or an answer cannot be used. */
export async function openStudentVerify(file: string): Promise<StudentVerify> {
  const student = await openModule(file, { deadlineMs });
  return {
    dispose: () => {
      student.dispose();
    },
    verify: async ({ tokens, proposals }, target, rng) => {
      const p = Array.from({ length: tokens.length + 1 }, (_, i) => target(i - 1));
      const q = Array.from(tokens, (token, i) => proposals[i] ?? certain(token, p[0]!.length));
      const answer = z
        .object({
          accepted: z.number().int().min(0).max(tokens.length),
          next: z
            .number()
            .int()
            .min(0)
            .max(p[0]!.length - 1),
        })
        .safeParse(await student.call("verify", [tokens, q, p, rng]));
      if (answer.success) {
        const { accepted, next } = answer.data;
        return { path: Array.from({ length: accepted }, (_, i) => i), next };
      }
      const issue = answer.error.issues[0]!;
      throw new InputError(
        `verify of ${file} answered with something unusable at .${issue.path.join(".")}: ${issue.message}; run \`npx infinity grade 05\` to see its tests.`,
      );
    },
  };
}

/** All probability on one token. */
function certain(token: number, vocabSize: number): Float64Array {
  const distribution = new Float64Array(vocabSize);
  distribution[token] = 1;
  return distribution;
}
