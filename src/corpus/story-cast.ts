/**
 * The people of our stories: children and animals with names, and grown-ups who are called by what
 * they are to the others. Each comes with its pronouns.
 */
import { type Rng, randomInt } from "../core/rng.ts";
import { type Entry, entryOf, plainText } from "./story-grammar.ts";

/** Who may be asked for: a child or an animal with a name, or a grown-up. */
export type Role = "hero" | "child" | "creature" | "elder" | "worker";

type Gender = "she" | "he";

const pronouns: Readonly<Record<Gender, Readonly<Record<string, string>>>> = {
  she: { he: "she", him: "her", his: "her", self: "herself", child: "girl" },
  he: { he: "he", him: "him", his: "his", self: "himself", child: "boy" },
};

const names: Readonly<Record<Gender, readonly string[]>> = {
  she: words(`Mia Anna Lily Emma Nora Ruby Clara Zoe Ella Maya Rosa Ivy Alma Hana Lena Tessa Nina Lucy Amina
    Greta Freya Sofia Leila Olga Pia Yuki Wanda Vera Uma Thea Stella Sara Rita Paula Mona Mina Luna Lola
    Kira Julia Jana Ida Helen Gina Flora Fatima Eva Dora Daisy Celia Bella Aisha Ada Carmen Marta`),
  he: words(`Ben Tom Max Leo Sam Finn Noah Oscar Theo Emil Hugo Ivan Omar Ravi Kofi Milo Jonah Peter Paul Anton
    Karl Otto Felix Simon Martin David Daniel Adam Arthur Walter Victor Tim Ted Rob Ray Pablo Nick Nils Mark
    Luca Liam Ken Jack Jim Henry Hans Gus Fred Frank Eric Dan Carlo Bruno Bob Bill Ali Andrew Diego Mateo`),
};

const creatureNames =
  words(`Pip Nut Bramble Clover Pepper Hazel Poppy Moss Willow Button Biscuit Rusty Pebble
  Fern Tansy Acorn Sorrel Thistle Maple Nettle Dusty Patch Whiskers Bristle Fidget Tumble Crumb Snowy
  Bubble Dapple Teasel Cricket Waddle Speckle Twig Muffin Ember Misty`);

const creatureKinds =
  words(`fox rabbit bear mouse hedgehog squirrel otter owl duck frog badger beaver mole
  raccoon turtle cat dog goat donkey penguin crow lamb pony seal hamster`);

const elders: readonly Entry[] = people(`
  she: Grandma, Mama, Aunt Rose, Aunt May, Mrs. Lake, Mrs. Bell, Old Martha, Miss Plum, Mrs. Green
  he: Grandpa, Papa, Uncle Joe, Uncle Will, Mr. Hill, Mr. Stone, Old Jacob, Mr. Winter, Mr. Brook`);

const workers: readonly Entry[] = people(`
  she: the baker, the bookseller, the gardener, the tailor, the grocer, the potter, the candlemaker, the florist,
    the painter, the weaver, the beekeeper, the shepherd
  he: the miller, the farmer, the fisherman, the shoemaker, the blacksmith, the glassblower, the carpenter,
    the ferryman, the cook, the clockmaker, the innkeeper, the toymaker`);

/** Draws somebody whose name is not in `taken`. `child` and `creature` are heroes of that sort. */
export function drawCharacter(role: Role, rng: Rng, taken: ReadonlySet<string>): Entry {
  switch (role) {
    case "hero":
      return drawCharacter(rng() < 0.65 ? "child" : "creature", rng, taken);
    case "child":
      return drawNamed(rng, taken, (gender) => [names[gender], pronouns[gender]["child"]!]);
    case "creature":
      return drawNamed(rng, taken, () => [creatureNames, pick(creatureKinds, rng)]);
    case "elder":
      return drawUntaken(elders, rng, taken);
    case "worker":
      return drawUntaken(workers, rng, taken);
  }
  return role satisfies never;
}

function drawNamed(
  rng: Rng,
  taken: ReadonlySet<string>,
  choose: (gender: Gender) => readonly [readonly string[], string],
): Entry {
  for (;;) {
    const gender = rng() < 0.5 ? "she" : "he";
    const [candidates, kind] = choose(gender);
    const text = pick(candidates, rng);
    if (!taken.has(text)) return entryOf({ text, ...pronouns[gender], kind });
  }
}

function drawUntaken(candidates: readonly Entry[], rng: Rng, taken: ReadonlySet<string>): Entry {
  for (;;) {
    const found = pick(candidates, rng);
    if (!taken.has(plainText(found, "text"))) return found;
  }
}

function people(lines: string): readonly Entry[] {
  return [...lines.matchAll(/(she|he):([^:]+)(?=\n\s+\w+:|$)/g)].flatMap(([, gender, all]) =>
    all!
      .trim()
      .split(/,\s*/)
      .map((text) => entryOf({ text, ...pronouns[gender as Gender] })),
  );
}

function words(text: string): readonly string[] {
  return text.split(/\s+/);
}

function pick<T>(items: readonly T[], rng: Rng): T {
  return items[randomInt(rng, items.length)]!;
}
