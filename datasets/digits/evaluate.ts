/**
 * Judges the shipped digit classifier: `node --import tsx datasets/digits/evaluate.ts [FOLDER]`
 * prints its accuracy on our test split and, where FOLDER holds MNIST's t10k files, on MNIST. The
 * figures of the card come from here. While the generator was designed, its failures on every
 * second digit of MNIST were looked at; the other half was kept apart.
 */
import { join } from "node:path";
import { readIdxDigits } from "../../src/corpus/digits-idx.ts";
import { type DigitsNetwork, classify, loadDigitsNetwork } from "../../src/corpus/digits-model.ts";
import { type Digits, digitPixels, digitSeeds, generateDigits } from "../../src/corpus/digits.ts";

await evaluate(process.argv[2]);

async function evaluate(folder: string | undefined): Promise<void> {
  const network = await loadDigitsNetwork();
  report("our test split", network, generateDigits(10_000, digitSeeds.test));
  if (folder === undefined) return;
  const mnist = await readIdxDigits(
    join(folder, "t10k-images-idx3-ubyte.gz"),
    join(folder, "t10k-labels-idx1-ubyte.gz"),
  );
  report("MNIST t10k, all", network, mnist);
  report("MNIST t10k, even positions (looked at)", network, everySecond(mnist, 0));
  report("MNIST t10k, odd positions (kept apart)", network, everySecond(mnist, 1));
}

function report(name: string, network: DigitsNetwork, { images, labels }: Digits): void {
  const predicted = classify(network, images);
  const right = (digit?: number): { right: number; of: number } => {
    const asked = [...labels.keys()].filter((i) => digit === undefined || labels[i] === digit);
    return { right: asked.filter((i) => predicted[i] === labels[i]).length, of: asked.length };
  };
  const all = right();
  const [low, high] = wilson(all.right, all.of);
  const digits = Array.from({ length: 10 }, (_, digit) => {
    const one = right(digit);
    return `${digit}: ${percent(one.right / one.of)}`;
  });
  console.log(`${name}: ${all.right} of ${all.of} right, ${percent(all.right / all.of)} %`);
  console.log(`  95 % interval ${percent(low)} to ${percent(high)} %; ${digits.join(", ")}`);
}

/** The digits at positions `first`, `first + 2` and so on. */
function everySecond({ images, labels }: Digits, first: 0 | 1): Digits {
  return {
    images: images.filter((_, i) => Math.floor(i / digitPixels) % 2 === first),
    labels: labels.filter((_, i) => i % 2 === first),
  };
}

/** The 95 % score interval of a share (Wilson, 1927). */
function wilson(right: number, of: number): [number, number] {
  const z = 1.959964;
  const middle = right + (z * z) / 2;
  const spread = z * Math.sqrt((right * (of - right)) / of + (z * z) / 4);
  return [(middle - spread) / (of + z * z), (middle + spread) / (of + z * z)];
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}
