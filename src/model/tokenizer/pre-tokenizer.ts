/**
 * Pre-tokenizers of byte-level BPE: how a text is cut into words, between which nothing is merged. A
 * model's is named by `tokenizer.ggml.pre`. Each is a list of patterns, applied one after the other:
 * what a pattern matches becomes a piece of its own, and the next one looks into each piece alone, so
 * that "not before a space" means "not before a space of this piece". The rules are llama.cpp's, where
 * they differ from a model's own tokenizer.json; letters, digits and marks are those of the Unicode
 * version that this JavaScript engine knows.
 */
import { InputError, nearestNames } from "../../core/errors.ts";
import { quoted } from "../../formats/byte-source.ts";

/** Cuts text into words, and says what goes with it in this family of models. */
export interface PreTokenizer {
  /** The words, none of them empty; put together they are the text. */
  readonly split: (text: string) => string[];
  /** A word that is itself a token is not built up from merges. */
  readonly ignoresMerges: boolean;
  /** Whether a text begins with the begin token where the file does not say. */
  readonly addsBos: boolean;
}

/** Unicode's White_Space, which is Rust's and Python's \s; JavaScript's own lacks U+0085. */
const space = String.raw`\p{White_Space}`;
const letter = String.raw`\p{L}`;
const digit = String.raw`\p{N}`;
const other = `[^${space}${letter}${digit}]`;
/** All but the last space before a word, then what is left; the last one belongs to the word. */
const spaces = `${space}+(?!\\P{White_Space})|${space}+`;

const gpt2 = `'(?:s|t|re|ve|m|ll|d)| ?${letter}+| ?${digit}+| ?${other}+|${spaces}`;

/** Llama 3's pattern and its relatives, which differ in how many digits stay together. */
const llama3 = (digits: string): string =>
  [
    "'(?:[sStTmMdD]|[rRvV][eE]|[lL][lL])",
    `[^\\r\\n${letter}${digit}]?${letter}+`,
    digits,
    ` ?${other}+[\\r\\n]*`,
    `${space}*[\\r\\n]+`,
    spaces,
  ].join("|");

/** DeepSeek's: from Samaritan to the last ideograph of Unicode 1, and Hangul; no spaces. */
const deepseekScripts = `(?:(?!${space})[\\u0800-\\u9fa5\\uac00-\\ud7ff])+`;

/** DeepSeek-LLM's letters of words: cased ones, without Armenian and Georgian lower case. */
const deepseekLetters = characterClass(`
  41-5a 61-7a b5 c0-d6 d8-f6 f8-1ba 1bc-1bf 1c4-293 295-2af 370-373 376 377 37b-37d 37f 386
  388-38a 38c 38e-3a1 3a3-3f5 3f7-481 48a-52f 531-556 10a0-10c5 13a0-13f5 13f8-13fd 1c90-1cba
  1cbd-1cbf 1d00-1d2b 1d6b-1d77 1d79-1d9a 1e00-1f15 1f18-1f1d 1f20-1f45 1f48-1f4d 1f50-1f57 1f59
  1f5b 1f5d 1f5f-1f7d 1f80-1fb4 1fb6-1fbc 1fbe 1fc2-1fc4 1fc6-1fcc 1fd0-1fd3 1fd6-1fdb 1fe0-1fec
  1ff2-1ff4 1ff6-1ffc 2102 2107 210a-2113 2115 2119-211d 2124 2126 2128 212a-212d 212f-2134 2139
  213c-213f 2145-2149 214e 2183 2184 2c00-2c7b 2c7e-2ce4 2ceb-2cee 2cf2 2cf3 a640-a66d a680-a69b
  a722-a76f a771-a787 a78b-a78e ab70-abbf fb00-fb06 fb13-fb17 ff21-ff3a ff41-ff5a 10400-1044f
  104b0-104d3 104d8-104fb 10c80-10cb2 10cc0-10cf2 118a0-118df 1e900-1e943
`);

/** Without the ideographic space, which llama.cpp sees as any other space. */
const deepseekMarks = characterClass("21-2f 3a-7e ff01-ff0f ff1a-ff5e 2018-201f 3001-3002");

const deepseekV3 = [
  "[!-\\/:-@\\[-`\\{-~][A-Za-z]+",
  `[^\\r\\n${letter}\\p{P}\\p{S}]?[${letter}\\p{M}]+`,
  ` ?[\\p{P}\\p{S}]+[\\r\\n]*`,
  `${space}*[\\r\\n]+`,
  spaces,
].join("|");

/** llama.cpp's rule for files that name none, and Falcon's, which has the backtick as well. */
const marks = (backtick: string): string => `[\\p{P}$+<=>^~|${backtick}]+`;

interface Family {
  /** As `tokenizer.ggml.pre` says, the most common name first. */
  readonly names: readonly string[];
  readonly patterns: readonly string[];
  readonly ignoresMerges?: boolean;
  readonly addsBos?: boolean;
}

const families: readonly Family[] = [
  { names: ["gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "exaone4"], patterns: [gpt2] },
  {
    names: ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2"],
    patterns: [llama3(`${digit}{1,3}`)],
    ignoresMerges: true,
    addsBos: true,
  },
  {
    names: ["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"],
    patterns: [llama3(`${digit}{1,3}`)],
  },
  {
    names: ["qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan"],
    patterns: [llama3(digit)],
  },
  {
    names: ["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
    patterns: [digit, gpt2],
  },
  {
    names: ["deepseek-coder"],
    patterns: ["[\\r\\n]", `${space}?${letter}+`, `${space}?\\p{P}+`, deepseekScripts, digit],
  },
  {
    names: ["deepseek-llm"],
    patterns: [
      "[\\r\\n]",
      `${space}?${deepseekLetters}+`,
      `${space}?${deepseekMarks}+`,
      // Only from where the spaces begin: from each of them, a million spaces take a trillion steps.
      `(?<!${space})${space}+$`,
      deepseekScripts,
      `${digit}+`,
    ],
  },
  {
    names: ["deepseek-v3"],
    patterns: [`${digit}{1,3}`, "[\\u4e00-\\u9fa5\\u3040-\\u30ff]+", deepseekV3],
  },
  { names: ["falcon"], patterns: [marks("`"), gpt2, "[0-9]{3}"] },
  { names: ["default"], patterns: [marks(""), gpt2, `${digit}+`, "[0-9]{3}"] },
];

/** The names that `preTokenizerNamed` knows. */
export const preTokenizerNames: readonly string[] = families.flatMap(({ names }) => names);

/** The pre-tokenizer that GGUF files call `name`. Throws InputError where it is none of ours. */
export function preTokenizerNamed(name: string): PreTokenizer {
  const family = families.find(({ names }) => names.includes(name));
  if (!family) {
    const near = nearestNames(name, preTokenizerNames).join(", ");
    throw new InputError(
      `The model's pre-tokenizer ${quoted(name)} is not supported; the nearest that are: ${near}.`,
    );
  }
  // Splitting at a captured pattern yields what lies between the matches and the matches, in turn.
  const patterns = family.patterns.map((pattern) => new RegExp(`(${pattern})`, "u"));
  const cut = (pieces: string[], pattern: RegExp): string[] =>
    pieces.flatMap((piece) => piece.split(pattern)).filter((piece) => piece !== "");
  return {
    split: (text) => patterns.reduce(cut, [text]),
    ignoresMerges: family.ignoresMerges ?? false,
    addsBos: family.addsBos ?? false,
  };
}

/** A character class of code points and ranges of them, in hexadecimal. */
function characterClass(ranges: string): string {
  const escaped = ranges.trim().replaceAll(/[0-9a-f]+/g, "\\u{$&}");
  return `[${escaped.replaceAll(/\s+/g, "")}]`;
}
