/** The contents of the requests that the kernel answers, checked where they come in. */
import { z } from "zod";

/** A cell to run, and how. */
export interface ExecuteRequest {
  readonly code: string;
  readonly silent: boolean;
  readonly store_history: boolean;
  readonly user_expressions: Readonly<Record<string, string>>;
  readonly stop_on_error: boolean;
  /** Whether the client answers `input`. */
  readonly allow_stdin: boolean;
}

export const executeRequest: z.ZodType<ExecuteRequest> = z.object({
  code: z.string(),
  silent: z.boolean().default(false),
  store_history: z.boolean().default(true),
  user_expressions: z.record(z.string(), z.string()).default({}),
  stop_on_error: z.boolean().default(true),
  allow_stdin: z.boolean().default(false),
});

/** A place in a cell, in Unicode code points. */
export interface CursorRequest {
  readonly code: string;
  readonly cursor_pos: number;
}

export const cursorRequest: z.ZodType<CursorRequest> = z.object({
  code: z.string(),
  cursor_pos: z.number().int().min(0),
});

export const codeRequest: z.ZodType<{ readonly code: string }> = z.object({ code: z.string() });

export const commInfoRequest: z.ZodType<{ readonly target_name?: string | undefined }> = z.object({
  target_name: z.string().optional(),
});

export const inputReply: z.ZodType<{ readonly value: string }> = z.object({ value: z.string() });
