/**
 * The one list of the fifteen projects. A slug names the notebook, the exercise, its graded tests,
 * its solution and its mutants; nothing else in the tree spells a project's name.
 */
import { UsageError, nearestNames } from "../core/errors.ts";

/** One project of the course. */
export interface Project {
  /** Two digits and a name, as in the file names: `01-linear-quantizer`. */
  readonly slug: string;
  readonly title: string;
  /** The module of the engine that the project rebuilds, below `infinity-inference/`. */
  readonly module: string;
  /** The command that does the project's work on a real model. */
  readonly command: string;
  /** One line for tables: what the student builds. */
  readonly builds: string;
  readonly level: "beginner" | "intermediate" | "advanced" | "expert" | "master";
}

export const projects: readonly Project[] = [
  {
    slug: "01-linear-quantizer",
    title: "Linear quantizer",
    module: "quant/linear",
    command: "quantize",
    builds: "float32 weights to 8 and 4 bits, and the noise that costs",
    level: "beginner",
  },
  {
    slug: "02-gptq",
    title: "GPTQ workbench",
    module: "quant/gptq",
    command: "gptq",
    builds: "rounding that repairs its own damage with calibration data",
    level: "advanced",
  },
  {
    slug: "03-gguf-inspector",
    title: "GGUF inspector",
    module: "formats/gguf",
    command: "gguf",
    builds: "a reader and writer of the file format models travel in",
    level: "intermediate",
  },
  {
    slug: "04-kv-cache-simulator",
    title: "KV-cache simulator",
    module: "runtime/allocators",
    command: "kv-sim",
    builds: "memory allocators for attention, until they run out",
    level: "advanced",
  },
  {
    slug: "05-speculative-decoding",
    title: "Speculative decoding",
    module: "runtime/speculative",
    command: "speculate",
    builds: "a small model that guesses and a large one that checks",
    level: "advanced",
  },
  {
    slug: "06-distillation",
    title: "Distillation trainer",
    module: "training/distillation",
    command: "distill",
    builds: "a student network that learns from a teacher's doubts",
    level: "intermediate",
  },
  {
    slug: "07-perplexity",
    title: "Perplexity benchmark",
    module: "eval/perplexity",
    command: "ppl",
    builds: "an honest measure of what quantising costs",
    level: "intermediate",
  },
  {
    slug: "08-paged-attention",
    title: "Paged attention",
    module: "runtime/block-manager",
    command: "paged",
    builds: "virtual memory for attention, with sharing",
    level: "expert",
  },
  {
    slug: "09-layer-fusion",
    title: "Layer fusion",
    module: "graph/fusion",
    command: "fuse",
    builds: "a graph compiler that saves trips to memory",
    level: "advanced",
  },
  {
    slug: "10-llama-in-a-box",
    title: "Llama in a box",
    module: "serving/server",
    command: "serve",
    builds: "an OpenAI-compatible server under load",
    level: "intermediate",
  },
  {
    slug: "11-pipeline-orchestrator",
    title: "Pipeline orchestrator",
    module: "parallel/pipeline",
    command: "pipeline",
    builds: "one model split over several devices",
    level: "expert",
  },
  {
    slug: "12-bitnet",
    title: "1.58-bit training",
    module: "training/ternary",
    command: "bitnet",
    builds: "a network whose weights are −1, 0 and 1",
    level: "master",
  },
  {
    slug: "13-dynamic-precision",
    title: "Dynamic precision",
    module: "edge/controller",
    command: "edge",
    builds: "a phone page that changes precision when it gets hot",
    level: "advanced",
  },
  {
    slug: "14-coding-agent",
    title: "Distilled coding agent",
    module: "agent/synthesis",
    command: "agent",
    builds: "a small model taught by tested synthetic code",
    level: "expert",
  },
  {
    slug: "15-infinity-inference",
    title: "Infinity Inference",
    module: "planning/plan",
    command: "infinity",
    builds: "one engine with all of it",
    level: "master",
  },
];

/**
 * The project meant by `wanted`: a slug, a number (`1`, `01`) or the name without its number.
 * Throws UsageError with the nearest slugs.
 */
export function findProject(wanted: string): Project {
  const padded = /^\d+$/.test(wanted) ? wanted.padStart(2, "0") : wanted;
  const found = projects.find(
    ({ slug }) => slug === wanted || slug.slice(0, 2) === padded || slug.slice(3) === wanted,
  );
  if (found) return found;
  const near = nearestNames(
    wanted,
    projects.map(({ slug }) => slug),
  );
  throw new UsageError(
    `There is no project "${wanted}"; give a number from 1 to ${projects.length} or a slug such as ${near.join(", ")}.`,
  );
}
