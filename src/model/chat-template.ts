/**
 * Chat templates: the Jinja program in a model's file (`tokenizer.chat_template`) that writes a
 * conversation as the one text that the model was trained to continue. The file is not trusted, so a
 * template's length, steps and output are bounded.
 */
import * as jinja from "@huggingface/jinja";
import { InputError } from "../core/errors.ts";

/** One message; templates may look at further fields. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: string | readonly unknown[] | null;
  readonly [field: string]: unknown;
}

/** What a template sees besides the messages. */
export interface ChatTemplateOptions {
  /** End with the beginning of the assistant's answer. */
  readonly addGenerationPrompt: boolean;
  /** The texts of the begin and end tokens; "" if not given. */
  readonly bos?: string | undefined;
  readonly eos?: string | undefined;
  /** Functions that the model may call, as JSON schemas. */
  readonly tools?: readonly unknown[] | undefined;
  /** The time that a template may print; templates that have a fixed date use that if not given. */
  readonly now?: Date | undefined;
}

/** The longest templates in use have some 30,000 characters; the package is quadratic in blank ones. */
const maxTemplateLength = 2 ** 16;
/** A message takes some hundred steps, and a second has some 500,000. */
const maxSteps = 2 ** 20;
/** Handling a text or list of this length counts as one step more; a loop counts each of its items. */
const lengthPerStep = 2 ** 10;
/** Characters of a text, and items of a list: more than the longest context of any model. */
const maxLength = 2 ** 24;
const maxRange = 2 ** 16;

/**
 * Writes `messages` as `template` says. Throws InputError where the template is no Jinja, refuses the
 * messages (`raise_exception`), or exceeds its bounds.
 */
export function applyChatTemplate(
  template: string,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions,
): string {
  if (template.length > maxTemplateLength) {
    throw new InputError(
      `The chat template has ${template.length} characters, and at most ${maxTemplateLength} are read.`,
    );
  }
  try {
    const program = language.parse(
      language.tokenize(template, { lstrip_blocks: true, trim_blocks: true }),
    );
    return String(new BoundedInterpreter(scopeOf(messages, options)).run(program).value);
  } catch (error) {
    // The template engine throws plain errors for what is wrong with the template or the messages.
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`The chat template cannot write these messages: ${sentence(reason)}`);
  }
}

/** The package's type declarations name their files without extensions, so they resolve to nothing. */
interface JinjaLanguage {
  readonly tokenize: (source: string, options: Readonly<Record<string, boolean>>) => unknown;
  readonly parse: (tokens: unknown) => unknown;
  readonly Environment: new () => JinjaScope;
  readonly Interpreter: new (scope: JinjaScope) => JinjaInterpreter;
}

interface JinjaScope {
  set(name: string, value: unknown): unknown;
}

interface JinjaValue {
  readonly value: unknown;
}

/** The parts of a syntax tree that are looked at here. */
interface JinjaNode {
  readonly type: string;
  readonly iterable?: JinjaNode;
  readonly lhs?: JinjaNode;
}

interface JinjaInterpreter {
  run(program: unknown): JinjaValue;
  evaluate(statement: unknown, scope: JinjaScope): JinjaValue;
}

const language = jinja as unknown as JinjaLanguage;

/** The package's interpreter, which comes by `evaluate` for every node, with its work counted. */
class BoundedInterpreter extends language.Interpreter {
  #steps = 0;
  /** What loops run over: they prepare all items before the first is evaluated. */
  readonly #iterables = new Set<unknown>();

  override evaluate(statement: unknown, scope: JinjaScope): JinjaValue {
    this.#count(1);
    const iterable = iterableOf(statement as JinjaNode | undefined);
    if (iterable) this.#iterables.add(iterable);
    const result = super.evaluate(statement, scope);
    const length = lengthOf(result.value);
    if (length > maxLength) {
      throw new Error(`it makes a text or list longer than ${maxLength}`);
    }
    this.#count(this.#iterables.has(statement) ? length : length / lengthPerStep);
    return result;
  }

  #count(steps: number): void {
    this.#steps += steps;
    if (this.#steps > maxSteps) throw new Error(`it takes more than ${maxSteps} steps`);
  }
}

function iterableOf(node: JinjaNode | undefined): JinjaNode | undefined {
  if (node?.type !== "For") return undefined;
  return node.iterable?.type === "SelectExpression" ? node.iterable.lhs : node.iterable;
}

function lengthOf(value: unknown): number {
  if (value instanceof Map) return value.size;
  return typeof value === "string" || Array.isArray(value) ? value.length : 0;
}

function scopeOf(messages: readonly ChatMessage[], options: ChatTemplateOptions): JinjaScope {
  const scope = new language.Environment();
  const values = {
    ...{ true: true, True: true, false: false, False: false, none: null, None: null },
    raise_exception: (message: unknown) => {
      throw new Error(String(message));
    },
    range,
    messages,
    add_generation_prompt: options.addGenerationPrompt,
    bos_token: options.bos ?? "",
    eos_token: options.eos ?? "",
    tools: options.tools ?? null,
  };
  for (const [name, value] of Object.entries(values)) scope.set(name, value);
  const { now } = options;
  if (now) scope.set("strftime_now", (format: unknown) => formatTime(now, String(format)));
  return scope;
}

/** Python's `range`. */
function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  // Written so that NaN, from a step of 0 or an argument that is no number, is refused as well.
  if (!(length <= maxRange)) throw new Error(`range() yields at most ${maxRange} numbers`);
  return Array.from({ length }, (_, i) => start + i * step);
}

/** The parts of Python's `strftime` that templates use, in English and local time. */
function formatTime(time: Date, format: string): string {
  const english = (options: Intl.DateTimeFormatOptions): string =>
    new Intl.DateTimeFormat("en-US", options).format(time);
  const twoDigits = (value: number): string => String(value).padStart(2, "0");
  const parts: Readonly<Record<string, string>> = {
    "%Y": String(time.getFullYear()),
    "%m": twoDigits(time.getMonth() + 1),
    "%d": twoDigits(time.getDate()),
    "%H": twoDigits(time.getHours()),
    "%M": twoDigits(time.getMinutes()),
    "%S": twoDigits(time.getSeconds()),
    "%b": english({ month: "short" }),
    "%B": english({ month: "long" }),
    "%a": english({ weekday: "short" }),
    "%A": english({ weekday: "long" }),
    "%%": "%",
  };
  return format.replaceAll(/%./g, (part) => {
    const text = parts[part];
    if (text === undefined) throw new Error(`strftime_now() does not know ${part}`);
    return text;
  });
}

/** One line, of a length fit for a message, that ends in one full stop. */
function sentence(reason: string): string {
  const line = reason.replaceAll(/\s+/g, " ").trim().slice(0, 300).replace(/\.$/, "");
  return `${line}.`;
}
