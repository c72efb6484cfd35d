/**
 * Passages that many plots share: how a story begins, what somebody feels, how it goes home, and the
 * small stories inside a story. `{>opening}` in a plot draws one of those named "opening". Every
 * story has the slots h (its hero), trait, weather and time; what more a passage needs it draws.
 */
import type { Role } from "./story-cast.ts";
import { type Template, template } from "./story-grammar.ts";
import type { PoolName } from "./story-pools.ts";

/** A passage, and what it draws for itself as a plot does. */
export interface Fragment {
  readonly cast: Readonly<Record<string, Role>>;
  readonly facts: Readonly<Record<string, PoolName>>;
  readonly text: Template;
}

function plain(...texts: readonly string[]): readonly Fragment[] {
  return texts.map((text) => ({ cast: {}, facts: {}, text: template(text) }));
}

const opening = plain(
  "[Once upon a time,|Once,|Long ago,|Not so long ago,] there [was|lived] a {trait} {h.kind} [named|called] {h}.",
  "There [was once|once lived] a {h.kind} [named|called] {h}. [Everyone|Everybody] [knew|said] that {h} was [very|quite|always] {trait}.",
  "{h} was a {trait} {h.kind}. [All the neighbors liked {h.him}.|{^h.he} lived in a [small|tall|crooked|yellow] house [with a green door|at the end of the lane|near the church|with a round window].|]",
  "[Do you know|Have you heard of] {h}? {^h.he} was as {trait} as [a {h.kind} can be|any {h.kind} in the world].",
  "In a [small|quiet|sleepy|pretty] [town|village] [behind the hills|by the sea|near the woods|far from here] lived a {h.kind} named {h}, who was {trait}.",
  "This is the story of {h}, a {trait} {h.kind}[| who lived by the sea| who lived near the woods].",
  "A {h.kind} named {h} lived [with {h.his} family|with {h.his} grandparents|in a little house]. {h} was {trait}, as [you will see|everyone knew|{h.his} family said].",
);

const weather = plain(
  "It was a {weather} day[, and {weather.result}|].",
  "The day was {weather}, and {weather.result}.",
  "[Outside|All around], {weather.result}, for it was {weather}.",
);

/** What can be seen on the way; it is of no use, so a reader must know what to forget. */
const sight: readonly Fragment[] = [
  {
    cast: {},
    facts: { seen: "animals", shade: "colors" },
    text: template(
      "[A|A small|An old] {seen} [sat on a wall|looked out of a hole|crossed the road|slept in the sun|watched from a roof][, and a {shade} butterfly flew by|].",
    ),
  },
  {
    cast: {},
    facts: { shade: "colors", mark: "landmarks" },
    text: template(
      "[Near|Behind|By] {mark} [grew {shade} flowers|stood a {shade} cart|hung a {shade} cloth to dry|somebody had painted a {shade} star].",
    ),
  },
  {
    cast: { seenby: "worker" },
    facts: {},
    text: template(
      "{^seenby} [was already at work|waved from a window|came by with a cart|was singing|nodded to everyone].",
    ),
  },
  {
    cast: {},
    facts: { smell: "foods" },
    text: template(
      "[The air|The whole street] smelled of {smell}[, but there was no time for that|, and somebody laughed in a kitchen|].",
    ),
  },
];

const sky: readonly Fragment[] = [...weather, ...sight, ...plain("", "")];

const day = plain("{^time},", "{^time},", "{^time},", "One day,", "It happened {time}:");

const sad = plain(
  "{h} [sat down and cried|began to cry|felt a lump in {h.his} throat|was so sad that {h.he} could not eat].",
  "A tear ran down {h}'s [cheek|nose].",
  "{h} hung {h.his} head[ and said nothing|].",
  "{h}'s [lip trembled|heart sank|knees grew weak].",
  "{h} [kicked a stone|stared at the ground|buried {h.his} face in both hands].",
  '"[Oh no|Oh dear|What a pity|How terrible|What bad luck]!" [said|cried|sighed|groaned] {h}.',
);

const glad = plain(
  "{h} [jumped for joy|laughed out loud|clapped|danced around in a circle|beamed|grinned from ear to ear].",
  "{h} was so happy that {h.he} [sang all the way|turned a somersault|hugged everybody|forgot to be tired|could hardly stand still].",
  "{h}'s [eyes shone|heart beat fast|cheeks glowed].",
  "[What joy that was|How {h} laughed|What a moment]!",
  '"[Hooray|Hurrah|Wonderful|How lovely|At last|Look at that]!" [cried|shouted|called] {h}.',
);

const homeward = plain(
  "[Then|Together|At last] they [walked|went|ran] home [hand in hand|before it got dark|singing|through the evening air|and had supper].",
  "That [night|evening], {h} [slept like a stone|fell asleep with a smile|told the whole story at supper|dreamed of it all again].",
  "When {h} came home, {h.his} [mother|father|family] [had kept the soup warm|was waiting at the door|wanted to hear everything].",
  "[The moon was up|It was late|The stars were out] when {h} [came home|closed the door|lay in bed at last].",
  "[What a day that was|It had been a long day]!",
  "",
);

const think = plain(
  "{h} thought [about it|hard] for a [while|moment|long time].",
  "{h} [scratched {h.his} head|closed {h.his} eyes and thought|looked up at the clouds and thought|walked up and down].",
  "And because {h} was {trait}, {h.he} {trait.acts}.",
  "But {h} was {trait}: {h.he} {trait.acts}.",
  "Now it was good that {h} was {trait}: {h.he} {trait.acts}.",
  "[What would you have done|What would you do]? {h}, who was {trait}, {trait.acts}.",
);

/** How long something took. */
const later = plain(
  "[A little later|After a while|Before long|Soon],",
  "[An hour|Half an hour|Ten minutes] later,",
  "[When the sun stood high|When the shadows were long|Just then],",
);

/** Somebody asks for work before helping; the work has a story of its own. */
const favor: readonly Fragment[] = [
  {
    cast: { w: "worker" },
    facts: { chore: "chores" },
    text: template(
      `"[I will gladly help|Of course you may have it|Yes, yes]," said {w}, "but first [help me to|please] {chore}."
      [So {h} [set to work|rolled up {h.his} sleeves].|{h} did not wait to be asked twice.|{h} nodded and began at once.]
      [It took a long time, but in the end|An hour later,|When evening came,] {chore.done}. {w} [kept the promise|was very pleased|smiled and kept {w.his} word].`,
    ),
  },
  {
    cast: { w: "worker" },
    facts: { riddle: "riddles" },
    text: template(
      `"[You can have it|I will help you|Gladly]," said {w}, "if you can [solve|answer] my riddle. {riddle}"
      {>think} "[It must be|I think it is|That can only be] {riddle.answer}! [I know it|I am sure]!" {^w} [laughed|nodded and laughed|clapped]. "[Right|That is right|Correct]! It is {riddle.answer}."`,
    ),
  },
  {
    cast: { w: "worker" },
    facts: { lost: "things", corner: "corners" },
    text: template(
      `"[I would help you|Yes]," said {w}, "but [I have lost my {lost}|my {lost} is gone], and I cannot [think of anything else|work without it]."
      {h} looked [high and low|everywhere] [and found|until {h.he} found] the {lost} {corner}. "My {lost}!" [cried|said] {w}. "[Now|And now] I will help you."`,
    ),
  },
  {
    cast: { w: "worker" },
    facts: { food: "foods" },
    text: template(
      `But {w} was [too hungry|much too hungry|too tired] to [listen|help]. So {h} [ran home and brought|went back and fetched] {h.his} own {food}, and they shared it. "[That was good|I feel much better|What fine {food}]," said {w}. "Now, [how can I help|what did you need]?"`,
    ),
  },
];

/** Somebody met on the way, who says something that is of no use. */
const meeting: readonly Fragment[] = [
  {
    cast: {},
    facts: { passer: "animals" },
    text: template(
      `On the way {h.he} met an old {passer}. "[Good day|Hello|What a hurry you are in|Go on, it is not far], [little one|my friend|young {h.kind}]," said the {passer}[, and wished {h.him} luck|, and nodded|].`,
    ),
  },
  {
    cast: {},
    facts: { passer: "animals", food: "foods" },
    text: template(
      `A {passer} sat by the road and was hungry. {h} gave it some of {h.his} {food}. "[I will not forget that|Thank you|You have a good heart]," said the {passer}.`,
    ),
  },
  {
    cast: { passer: "worker" },
    facts: {},
    text: template(
      `[On the road|At the corner] {h.he} met {passer}. "[Take care|Be careful|Good luck]!" [said|called] {passer}[ and waved|].`,
    ),
  },
  ...plain("", ""),
];

/** A tool is given early; `obstacle` is what it will be good for. */
const toolgift = plain(
  '"Take this {obstacle.tool} with you," [said|advised] {e}. "[One never knows|You may need it|It may be useful]."',
  "{^e} [put|packed] a {obstacle.tool} into {h.his} bag. {h} did not know [why|what it was for].",
  'By the door lay a {obstacle.tool}, and {e} said, "[Do not forget that|Take it along, please]!"',
);

const obstaclemet = plain(
  "[Halfway|Soon|After a mile], {h} came to {obstacle}. {^obstacle.without}. {>think} Then {h.he} remembered the {obstacle.tool} that {e} had given {h.him}. {h} {obstacle.how}.",
  'But [there|suddenly there] was {obstacle}, and {obstacle.without}. "[What now|What shall I do]?" [asked|said] {h}. [In the bag was the {obstacle.tool} from {e}!|Had {e} not given {h.him} a {obstacle.tool}?] {h} {obstacle.how}.',
);

const moral = plain(
  "[From that day on|Since then|After that], {h} was [even more {trait}|still {trait}, but also a little wiser|wiser than before].",
  "And [{h.his} family|everybody|the whole village] [was proud of {h}|talked about it for years|told the story again and again].",
  "",
  "",
);

/** The passages by name. */
export const fragments: Readonly<Record<string, readonly Fragment[]>> = {
  ...{ opening, sky, day, sad, glad, homeward, think, later, favor, meeting },
  ...{ toolgift, obstaclemet, moral },
};
