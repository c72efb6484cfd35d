/**
 * MMLU (Hendrycks et al., "Measuring Massive Multitask Language Understanding", 2021) from its authors'
 * archive of CSV files, as the questions with five worked examples that its figures are made with.
 */
import { fromCSV } from "arquero";
import { InputError } from "../core/errors.ts";
import type { ChoiceQuestion } from "../eval/multiple-choice.ts";
import { quoted, type ByteSource } from "../formats/byte-source.ts";
import { readTarDirectory, readTarEntry, type TarEntry } from "../formats/tar.ts";

/** Worked examples before each question. */
const numShots = 5;
const letters = ["A", "B", "C", "D"] as const;
/** The largest file has less than 1 MB. */
const mostFileBytes = 2 ** 24;

interface Row {
  readonly question: string;
  readonly options: readonly string[];
  readonly answer: number;
}

/**
 * The questions of the test split, one subject after the other in turn, so that the first n are a fair
 * sample. A context holds five examples of the subject's dev split with their answers and then the
 * question; the choices are the letters. Throws InputError for an archive that is not MMLU's.
 */
export async function readMmlu(source: ByteSource): Promise<ChoiceQuestion[]> {
  const entries = await readTarDirectory(source);
  const tests = subjectsOf(entries, "test");
  const examples = subjectsOf(entries, "dev");
  if (tests.size === 0) {
    throw new InputError(`${source.name} is not MMLU's archive: it holds no data/test/…_test.csv.`);
  }
  const subjects: ChoiceQuestion[][] = [];
  for (const subject of [...tests.keys()].sort()) {
    const dev = examples.get(subject);
    if (!dev) {
      throw new InputError(
        `${source.name} has no examples of ${quoted(subject)}: data/dev is needed.`,
      );
    }
    const shots = (await readRows(source, dev)).slice(0, numShots);
    const rows = await readRows(source, tests.get(subject)!);
    subjects.push(rows.map((row) => questionOf(subject, shots, row)));
  }
  return inTurn(subjects);
}

/** The CSV file of each subject in a split. */
function subjectsOf(entries: readonly TarEntry[], split: string): Map<string, TarEntry> {
  const pattern = new RegExp(`(?:^|/)${split}/(\\w+)_${split}\\.csv$`);
  return new Map(
    entries.flatMap((entry) => {
      const subject = pattern.exec(entry.name)?.[1];
      return subject === undefined ? [] : [[subject, entry] as const];
    }),
  );
}

async function readRows(source: ByteSource, entry: TarEntry): Promise<Row[]> {
  if (entry.numBytes > mostFileBytes) {
    throw new InputError(`${quoted(entry.name)} of ${source.name} is too large for MMLU.`);
  }
  const text = new TextDecoder().decode(await readTarEntry(source, entry));
  const table = fromCSV(text, { header: false, autoType: false });
  const columns = table.columnNames().map((name) => table.array(name) as (string | null)[]);
  return Array.from({ length: table.numRows() }, (_, i) => {
    const cells = columns.map((column) => column[i]);
    const answer = letters.findIndex((letter) => letter === cells[5]);
    if (cells.length !== 6 || answer < 0) {
      throw new InputError(
        `Row ${i + 1} of ${quoted(entry.name)} in ${source.name} is no question, four options and a letter from A to D.`,
      );
    }
    const [question, ...options] = cells.slice(0, 5).map((cell) => cell ?? "");
    return { question: question!, options, answer };
  });
}

function questionOf(subject: string, shots: readonly Row[], row: Row): ChoiceQuestion {
  const head = `The following are multiple choice questions (with answers) about ${subject.replaceAll("_", " ")}.\n\n`;
  const examples = shots.map((shot) => `${asked(shot)} ${letters[shot.answer]!}\n\n`);
  return {
    context: head + examples.join("") + asked(row),
    choices: letters.map((letter) => ` ${letter}`),
    answer: row.answer,
  };
}

function asked({ question, options }: Row): string {
  const lines = options.map((option, i) => `${letters[i]!}. ${option}`);
  return [question, ...lines, "Answer:"].join("\n");
}

/** The first of each list, then the second of each, and so on. */
function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) =>
    lists.flatMap((list) => list.slice(i, i + 1)),
  ).flat();
}
