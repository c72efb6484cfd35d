/** Plots with a journey, a bargain or a wonder in them. */
import { type Plot, plot } from "./story-plot.ts";

/** Plots with a journey, a bargain or a wonder in them. */
export const questPlots: readonly Plot[] = [
  plot({
    name: "the letter",
    cast: { h: "hero", e: "elder", w: "worker" },
    facts: { place: "places", obstacle: "obstacles", thing: "things" },
    central: ["place", "obstacle"],
    text: `{>opening} {>day} {e} gave {h} a letter in a {color} envelope. "[Bring|Carry] it to {w} {place.at}," said {e}, "and [do not open it|give it to nobody else]." {>toolgift}
      {h} put the letter under {h.his} [shirt|cap|jacket] and [set out|left]. {>sky} {>meeting} {>obstaclemet}

      [The wind pulled at the letter|Rain began to fall|A crow tried to steal the letter], but {h} held it tight. [By noon|When the sun was high] {h} stood before {w}, [tired|dusty] but proud. "[From whom is that|For me]?" asked {w} and opened the {color} envelope.
      "{e} has the {thing} that I lost [ten|seven] years ago!" cried {w}. "[I thought it was gone forever|I have looked for that {thing} everywhere]!" {^w.he} [danced|threw {w.his} hat into the air].

      {w} wrote an answer and [gave {h} a coin|cut a big piece of cake for {h}]. On the way back, {obstacle} was no trouble any more. "What did {w} say?" asked {e}. "[That the {thing} is the best news of the year|That you shall come on Sunday, with the {thing}]," said {h}. {>glad} {>homeward}`,
    asks: [
      ["Who wrote the letter?", "e"],
      ["For whom was the letter?", "w"],
      ["What color was the envelope?", "color"],
      ["What stood in {h}'s way?", "obstacle"],
      ["What did {h} use to get on?", "obstacle.tool"],
      ["What had {w} lost?", "thing"],
    ],
  }),
  plot({
    name: "the wish",
    cast: { h: "hero", f: "hero" },
    facts: {
      passer: "animals",
      place: "places",
      thing: "things",
      other: "things",
      illness: "illnesses",
    },
    central: ["passer", "place", "thing"],
    text: `{>opening} For a long time {h} had wanted [nothing but|only] a {color} {thing}. [A {other} would not do.|{^h.he} had a {other}, but that was not the same.|] {>day} {h} walked to the {place} and saw a {passer} [in a trap|under a fallen branch]. {h} [let it out|lifted the branch].
      "[I am no common {passer}|I can do magic]," it said. "Because you helped me, you have one wish. [Only one|Think well], and you must say it before the sun sets."

      "[Then I want|I know already]..." {h} began. A {color} {thing}! {h} [could almost feel it in {h.his} hands|saw it already]. "[I will think|Wait for me]," said {h} and ran home to tell {f}.
      But {f} lay in bed with {illness}, and [no doctor could help|it got worse every hour]. "[I shall not see the spring|I am so tired]," [whispered|said] {f}. {>sad} The sun was [low|red] already.

      {>think} {h} ran back to the {passer}. "[My wish|This is my wish]: {f} shall be well again." "[And what about|Not] the {thing}?" "[It can wait|A {thing} cannot laugh with me]," said {h}. The {passer} [nodded|blinked] and was gone.
      At home {f} [sat at the table and ate|stood in the door], healthy and [hungry|merry]. {>glad} And on {h}'s [bed|chair]? There lay a {color} {thing}. [Who had put it there|From whom it came], nobody ever [knew|found out].`,
    asks: [
      ["Which animal could do magic?", "passer"],
      ["What had {h} always wanted?", "thing"],
      ["What was wrong with {f}?", "illness"],
      ["For whom did {h} use the wish?", "f"],
      ["Where did {h} find the {passer}?", "place.at"],
    ],
  }),
  plot({
    name: "the pot that would not stop",
    cast: { h: "hero", e: "elder", f: "hero" },
    facts: { food: "foods", place: "places", passer: "animals", word: "collections" },
    central: ["food", "place", "passer"],
    text: `{>opening} {>day} {h} gave [half a loaf|{h.his} place by the fire] to an old {passer} {place.at}. The {passer} gave {h.him} a {color} pot. "Say 'Cook, pot,' and it cooks {food}. [To stop it, say|But when you have enough, you must say]: '{^word}.' [Do not forget it|Keep that word in mind]!"
      From then on {h} and {e} were never hungry. "Cook, pot," and there was {food}; "{^word}," and the pot was still.

      {f} had [watched|listened] through the window, but [heard only half|went away too soon]. One night {f} [crept in|took the pot] and said, "Cook, pot!" {^food} came and came. "[Enough|Stop it]!" cried {f}. "[Halt|End|Please]!" But the pot went on cooking. [The table was full, then the floor.|It ran over the rim and under the door.] {^food} flowed [down the street|into the village] as far as the {place}!
      "[Help|Help me]!" [shouted|cried] {f}. {h} woke up, [saw the {food} in the garden|smelled the {food}] and ran. {>think} "{word}!" cried {h}, and [all was still|the {color} pot stopped].

      The people had to eat their way home. {f} [was ashamed|hung {f.his} head]. "[I only wanted to have some too|I am sorry]," {f.he} said. "[Next time, ask|You need only ask]," said {h} and [gave {f.him} a spoon|laughed]. {>moral}`,
    asks: [
      ["What did the pot cook?", "food"],
      ["Which word stopped the pot?", "word"],
      ["Who gave {h} the pot?", "passer"],
      ["Who took the pot at night?", "f"],
      ["What color was the pot?", "color"],
    ],
  }),
  plot({
    name: "one for another",
    cast: { h: "hero", w: "worker", v: "worker", u: "worker" },
    facts: {
      thing: "things",
      second: "things",
      third: "things",
      fourth: "things",
      place: "places",
    },
    central: ["thing", "place"],
    text: `{>opening} {>day} {h} saw a {color} {thing} {place.at}. It belonged to {w}. "[May I have it|What do you want for it]?" "[I will trade it|I will give it to you] for a {second}," said {w}, "for mine is [broken|gone]."
      {h} went to {v}, who had a {second}. "[Yes|Gladly]," said {v}, "if you bring me a {third}." {h} went to {u}, who had a {third}. "[Good|Very well]," said {u}, "if you bring me a {fourth}."

      {h} [sat down on a step|walked home slowly]. {>sad} Where [on earth|in the world] was there a {fourth}? {>think} Then {h} [laughed|jumped up]: at home, in [the old chest|a drawer], was a {fourth} that {h.he} never used!
      {h} ran and brought the {fourth} to {u} and got the {third}. {h} brought the {third} to {v} and got the {second}. And {h} brought the {second} to {w}, out of breath.

      "[Here you are|A bargain is a bargain]," said {w}, and [gave|handed] {h} the {color} {thing}. {>glad} [Four people were content|Everybody had what they needed], and nobody had [paid|spent] one coin. {>homeward}`,
    asks: [
      ["What did {h} want?", "thing"],
      ["What did {w} want for it?", "second"],
      ["What did {v} want?", "third"],
      ["What did {h} have at home?", "fourth"],
      ["Who had the {third}?", "u"],
    ],
  }),
  plot({
    name: "the guardian and the riddle",
    cast: { h: "hero", f: "hero", e: "elder" },
    facts: { riddle: "riddles", place: "places", beast: "giants", food: "foods" },
    central: ["riddle", "beast"],
    text: `{>opening} {>day} {h} and {f} wanted to go to the {place}, where there was a fair with {food}. But on the road lay a {color} {beast}. "[Nobody passes|Stop! Nobody goes on]," it said, "who cannot answer my riddle. {riddle}"
      "[How should I know|That is impossible]," said {f}. "[Is it|Can it be] the wind?" "Wrong," said the {beast}. "[Is it|Can it be] the moon?" "Wrong again. [You have one more try|Once more, and then I shall eat your hats]."

      {>sad} {>think} {h} thought of {e}, who [loved riddles|had told {h.him} to look at the things around {h.him}]. What had stood on the table [this morning|at home]? What had {e} [spoken of|told] by the fire? And then {h} [had it|knew it].
      "It is {riddle.answer}!" [called|said] {h}. The {beast} [opened its eyes wide|got up slowly]. "Correct. For [a hundred|fifty] years nobody has known that it is {riddle.answer}. [Go on|You may pass]."

      "[Are you not lonely here|Do you lie here every day]?" asked {h}. The {beast} [sighed|nodded]. "[Then come with us|Come along]," said {h}. So three of them went to the fair {place.at} and ate {food}. [The children rode on the {color} {beast}.|Everybody wanted to hear the riddle, and only {f} whispered: "It is {riddle.answer}."] {>homeward}`,
    asks: [
      ["Which animal lay on the road?", "beast"],
      ["What was the answer to the riddle?", "riddle.answer"],
      ["What could one eat at the fair?", "food"],
      ["Where was the fair?", "place.at"],
      ["Who solved the riddle?", "h"],
    ],
  }),
  plot({
    name: "homesick",
    cast: { h: "child", e: "elder", f: "child" },
    facts: { place: "places", thing: "things", food: "foods", signal: "signals" },
    central: ["place", "thing"],
    text: `{>opening} {>day} {h} went on a long visit to the {place}, far from home. {e} gave {h.him} a {color} {thing}. "When {signal.now}, [hold it|take it into your hand]," said {e}, "[and I will think of you at the same moment|for then I think of you]."
      [The first day was fine.|At first all went well.] There was {food}, and {f}, who lived there, [showed {h} everything|had a swing]. But then {signal}, and {h}'s [throat grew tight|heart grew heavy]. {>sad}

      "[Do you not like it here|What is it]?" asked {f}. "I [miss|want to be with] {e}," said {h}. {>think} Then {h} took out the {color} {thing} and held it. [It was a little warm.|It smelled of home.] {f} [sat down beside {h.him}|said nothing for a while]. "May I hold it too? My [father|mother] is [at sea|far away]."
      So [every evening|from then on], when {signal}, both of them held the {thing}, one at each [side|end].

      When the week was over, {h} [did not even want to leave|packed slowly]. {h} put the {thing} into {f}'s hand. "[You need it now|Keep it]," said {h}, "and I will think of you when {signal.now}."
      {e} asked, "Where is the {thing}?" {h} told {e.him}. "[That is where it should be|Then it has done its work twice]," said {e}.`,
    asks: [
      ["What did {e} give {h}?", "thing"],
      ["Who has the {thing} in the end?", "f"],
      ["Where did {h} go?", "place"],
      ["Whom did {h} miss?", "e"],
      ["What was there to eat?", "food"],
    ],
  }),
  plot({
    name: "the play",
    cast: { h: "child", f: "child", g: "child", e: "elder" },
    facts: { beast: "giants", passer: "animals", place: "places", thing: "things" },
    central: ["beast", "passer", "place"],
    text: `{>opening} {>day} the children [wanted to put on|were to act in] a play {place.at}. {h} was to be the {beast}, {f} was to be the {passer}, and {g} [was the queen|wore the crown]. {e} sewed a {color} costume for the {beast}.
      {h} had only [one sentence|six words] to say: "[Do not be afraid of me|I am here to help you]!" But whenever {h} stood on the stage, the words [flew away|were gone]. {>sad}

      "[Say them to the {passer}|Look only at the {passer}], not to the people," said {e}. {f} [nodded|promised]: "I will [scratch my ear|wave my {thing}] when it is your turn." So {f} took a {thing} onto the stage, though no {passer} ever had one.
      The great evening came. {>sky} {g} [spoke loud and clear|did not make one mistake]. {h} sweated in the {color} costume. [It was very still|Everybody waited]. {>think} Then {f} lifted the {thing}, [just a little|a tiny bit].

      {h} looked at the {passer} and said all the words, [loud and clear|and even one more]. The people clapped. {>glad} "[Which part|Who] did you like best?" {g} asked {e}. "[The {beast}|All of you]," said {e}, "[and the clever {passer}|and the {thing}]." {>homeward}`,
    asks: [
      ["Which animal did {h} play?", "beast"],
      ["Which animal did {f} play?", "passer"],
      ["Who sewed the costume?", "e"],
      ["What did {f} take onto the stage?", "thing"],
      ["Who played the queen?", "g"],
    ],
  }),
  plot({
    name: "night watch for a star",
    cast: { h: "hero", e: "elder", f: "hero", g: "hero" },
    facts: { place: "places", spot: "landmarks", food: "foods", thing: "things" },
    central: ["place", "spot", "thing"],
    text: `{>opening} One evening {h} saw a star fall [behind|near] {spot}. "I want to [find|have] it," {h} told {e}. "[Stars do not wait|Then take a light]," said {e} and gave {h} {food} and a {color} lantern.
      {h} and {f} [walked|climbed] to {spot}, {place.at}. [The moon was thin.|An owl called.] They [searched the grass|looked under every leaf] and found only a {thing}, [old and dirty|wet with dew]. "[That is no star|And the star]?" said {f}. {>sad}

      {>think} "[Somebody may miss it|It must belong to somebody]," said {h} and [cleaned|dried] the {thing}. They ate the {food} and looked up. [More stars fell, five, six, seven.|The sky was full of lights.] "[There are enough up there|We can have them all, if we only look]," said {f}.
      [On the way back|At dawn] they met {g}, who had [walked about all night|tears in {g.his} eyes]. "I have lost a {thing}," said {g}, "[near|somewhere by] {spot}." {h} [held up the {color} lantern|opened {h.his} bag]: "Is it this one?"

      {g} [laughed and wept|could not speak]. "It was my brother's. [You are a star|You are like a star]!" {h} [looked at {f}|turned red]. "[Did you hear that|So we did find one]," said {f}. {>homeward}`,
    asks: [
      ["What did {h} and {f} find?", "thing"],
      ["Where did the star fall?", "spot"],
      ["Who had lost the {thing}?", "g"],
      ["What did they eat?", "food"],
      ["Who gave {h} the lantern?", "e"],
    ],
  }),
  plot({
    name: "the picnic and the ants",
    cast: { h: "hero", f: "hero", g: "hero" },
    facts: { place: "places", food: "foods", second: "foods", third: "foods", spot: "hideouts" },
    central: ["place", "food", "second"],
    text: `{>opening} {>day} {h}, {f} and {g} planned a picnic {place.at}. {h} was to bring {food}, {f} {second}, and {g} {third}. "[And do not forget anything|Each of us brings one thing]," said {f}.
      {>sky} They spread a {color} blanket and put the baskets {spot}[, in the shade|]. Then they played [ball|tag] until they were hungry.

      But what was that? The {second} was [gone|eaten up]! "[Who was that|Who ate my {second}]?" cried {f} and looked at {g}. "You said that you [like {second}|were hungry]!" "[It was not me|I was with you]," said {g}, [hurt|and {g.his} lip trembled]. {>sad}
      {>think} {h} [got down on both knees|looked closely]. From the baskets ran a thin black line: ants, hundreds of them, and each carried a crumb of {second}! {>glad}

      {f} turned [red|to {g}]. "[Forgive me|I am sorry], I should have looked before I spoke." {g} [thought for a moment|smiled again] and made three parts of the {third}. {h} did the same with the {food}. [And the ants had their share as well.|On the {color} blanket they lay until evening.] {>homeward}`,
    asks: [
      ["What did {h} bring?", "food"],
      ["What did the ants eat?", "second"],
      ["What did {g} bring?", "third"],
      ["Whom did {f} suspect?", "g"],
      ["Where were the baskets?", "spot"],
    ],
  }),
];
