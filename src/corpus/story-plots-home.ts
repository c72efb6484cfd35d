/** Plots of home and village: learning, baking, mending, building and being brave. */
import { type Plot, plot } from "./story-plot.ts";

/** Plots of home and village: learning, baking, mending, building and being brave. */
export const homePlots: readonly Plot[] = [
  plot({
    name: "the fear",
    cast: { h: "hero", f: "hero", e: "elder" },
    facts: { fear: "fears", place: "places", thing: "things" },
    central: ["fear", "place"],
    text: `{>opening} {h} was afraid of only one thing: {fear}. [Nobody knew it|Only {e} knew it]. "[Everybody is afraid of something|When I was small, I was afraid too]," {e} [always|once] said. "[But one day|Once] I {fear.calm}, and it got better."
      {>day} {h} and {f} were {place.at}. {f} had forgotten {f.his} {thing} [there|somewhere] the day before and wanted to [get it|fetch it]. {>later} {fear.sign}. {h} [turned pale|could not move|shook like a leaf].

      "[Help|Help me]!" cried {f} [all at once|from far away]. {f.he} had [slipped and hurt {f.his} foot|fallen and could not get up]. [There was nobody else|Nobody was near]. {h} had to go, [although {h.he} was afraid of|in spite of] {fear}!
      {>think} Then {h} remembered the words of {e} and {fear.calm}. [One step|First one step], and then another. [And what was that|And really]? {^fear.truth}!

      {h} helped {f} up, and they even found the {thing}. "[You are the bravest {h.kind} I know|Were you not afraid]," said {f}. "I was [very much|terribly] afraid," said {h}, "[but you needed me|but I did it anyway]." {>homeward}
      {e} [heard about it|was told everything] and [winked|smiled]. {h} was not afraid of {fear} any more[, or only a little|].`,
    asks: [
      ["What was {h} afraid of?", "fear"],
      ["What had {f} forgotten?", "thing"],
      ["Who had given {h} advice?", "e"],
      ["Who needed help?", "f"],
      ["Where were they?", "place.at"],
    ],
  }),
  plot({
    name: "a noise in the night",
    cast: { h: "hero", f: "hero" },
    facts: { noise: "noises", corner: "corners", food: "foods" },
    central: ["noise", "corner"],
    text: `{>opening} {>day} {f} came to stay for the night. They [ate|had] {food}, told stories and [put out the light|went to bed late]. [The moon shone on the floor.|It was very dark.]
      {^noise}! "[What was that|Did you hear that]?" whispered {f}. {^noise}! "[It is|I am sure it is] {noise.guess}," said {h}, and [pulled the blanket up to {h.his} nose|held {f}'s hand].

      {^noise}! "We must [look|know what it is]," said {h}. {>think} {h} took a [broom|candle|pan] and {f} a {color} pillow. They [crept|tiptoed] out. {corner} there was nothing. But [behind it|on the wall] moved a [long|big] shadow.
      {^noise}! {h} [opened the door|drew the curtain aside|lit the lamp]. And what was it? It was only {noise.truth}!

      They [looked at each other and laughed|laughed until they had to sit down]. "[And I thought|You said] it was {noise.guess}!" said {f}. {>glad}
      Then they [ate the rest of the {food}|had some more {food}] and slept [until noon|like two bears]. [And when it went {noise} again, nobody woke up.|]`,
    asks: [
      ["What made the noise?", "noise.truth"],
      ["What did {h} think it was?", "noise.guess"],
      ["What did they eat that evening?", "food"],
      ["Who came to stay for the night?", "f"],
      ["Where did they look first?", "corner"],
    ],
  }),
  plot({
    name: "the cake that went wrong",
    cast: { h: "hero", e: "elder", f: "hero", w: "worker" },
    facts: { cake: "ingredients", food: "cakes", corner: "corners" },
    central: ["cake", "food", "corner"],
    text: `{>opening} {e} was [ill in bed|sad|away, but would be back in the evening], and {h} wanted to make {food}, which {e} loved [most of all|more than anything]. "[Come and help me|Let us bake], {f}!" {h.he} said.
      {>day} they [took out|found] bowls and spoons. In the book stood: "[Take|You need] two cups of {cake}." {h} found a jar {corner}. [There was no name on it.|The name on it could not be read.] "That is {cake}," said {f}, who was in a hurry.

      They stirred and baked, and {food} had never [looked|smelled] so good. [Proudly|With a candle on a plate] they brought it to {e}. {^e.he} took a bite and [made a strange face|coughed|turned green]. It was {cake.taste}!
      In the jar {corner} was no {cake} at all, but {cake.mistake}! {>sad}

      {>think} "[We must try again|Once more, from the start]," said {h}. But now there was no {cake} left in the house. So they [ran|went] to {w}, who lived next door. {>favor} "[Here is some|Here, take this] {cake}, and [this time taste it first|good luck]!"
      They [tasted it first this time|baked again]. {^e} ate [three pieces|everything up]. "[The first one I will never forget|This one is perfect]," said {e} and laughed[ until tears came|]. {>glad} [And {f} wrote "{cake.mistake}" on the jar.|]`,
    asks: [
      ["What did {h} want to make?", "food"],
      ["What did they take by mistake?", "cake.mistake"],
      ["What was missing?", "cake"],
      ["Where did {h} find the jar?", "corner"],
      ["Who was it for?", "e"],
    ],
  }),
  plot({
    name: "learning something hard",
    cast: { h: "child", e: "elder", f: "child" },
    facts: { skill: "skills", place: "places", thing: "things" },
    central: ["skill", "place"],
    text: `{>opening} {h} [wanted to learn|dreamed of learning] to {skill}. {f} [could already do it|had learned it in a week] and [showed it off|made it look easy].
      {>day} {h} tried it for the first time, {place.at}. {^h.he} {skill.wrong}. [Some children laughed.|{f} laughed.] The next day {h.he} {skill.wrong} again. And on the third day? {h} {skill.wrong}[ once more|, as before].

      {>sad} "[I give up|I will never learn it]," said {h} [to|and ran to] {e}. {e} showed {h.him} [an old|a] {color} {thing}. "[I made this|This I made] when I was as old as you. It is my [tenth|twelfth|fifth]. [The others were crooked|You should have seen the first ones]."
      {h} [turned the {thing} in {h.his} hands|looked at the {thing} for a long time]. "May I [keep it here|take it with me]?" And with the {thing} in {h.his} pocket, {h} [went back to the {place}|practiced every day].

      [Weeks passed.|The leaves fell, and grew again.] {>think} Then came the day of the [fair|festival], and everybody met {place.at}. {h} {skill.right}! {>glad}
      "[How did you do that|What is your secret]?" asked {f}. {h} [pulled out|showed] the {color} {thing}. "[It says|It reminds me] that the first ones are always crooked," said {h}.`,
    asks: [
      ["What did {h} want to learn?", "skill"],
      ["What did {e} show {h}?", "thing"],
      ["Who could already do it?", "f"],
      ["Where did {h} practice?", "place.at"],
      ["What color was the {thing}?", "color"],
    ],
  }),
  plot({
    name: "after the storm",
    cast: { h: "hero", f: "hero", w: "worker" },
    facts: { damage: "damages", place: "places", food: "foods" },
    central: ["damage", "place"],
    text: `{>opening} {time}, a [terrible|great] storm came over the {place}. [The wind howled all night|It thundered and rained until morning]. When the sun rose, {damage} was [broken|in ruins].
      [Everybody stood around and complained|"Who will mend it?" the people asked]. "That is [too hard|not our work]," said some. "We need {damage.need}," said {h}. "[Who has some|Where can we get that]?"

      {f} knew that {w} had {damage.need} [in the yard|to spare]. So {h} and {f} went there. {>favor}
      [They loaded|Together they put] {damage.need} on a {color} cart and [pulled|pushed] it home. {>meeting} [At a bend|On the hill] the cart [tipped over|got stuck], and they had to [unload and load again|start again]. {>think}

      Then they {damage.fix}. [One after the other|First a few, then all] the neighbors [came and helped|took off their coats]. Somebody brought {food} for all. [By evening|Before night], {damage} was [better than before|as good as new].
      "[Who began this|Whose idea was that]?" asked the mayor. Everybody pointed at {h}. {>glad} And {h} pointed at {f} and at the {color} cart. {>moral}`,
    asks: [
      ["What did the storm break?", "damage"],
      ["What did they need to mend it?", "damage.need"],
      ["Who had what they needed?", "w"],
      ["What did they eat together?", "food"],
      ["What color was the cart?", "color"],
    ],
  }),
  plot({
    name: "the invention",
    cast: { h: "hero", f: "hero", e: "elder" },
    facts: { machine: "inventions", corner: "corners", place: "places" },
    central: ["machine", "place"],
    text: `{>opening} {h} loved to build things. {>day} {h} found {machine.made} {corner}. "[I can make something of that|Do not throw that away]!" said {h}. "I will build {machine}."
      "[That will never work|Nobody needs that]," said {f}. But {h} [drew plans|measured and hammered] for two days, and {e} lent {h.him} a {color} toolbox.

      The first time, {machine.failed}. {f} [laughed|held {f.his} belly and laughed]. {>sad} "[A mistake is a teacher!|What did you learn from it?]" said {e}. {>think} {h} [changed one little thing|turned one screw the other way]. {f} stopped laughing and [held the lamp|began to help].

      Then they [carried it to|tried it out by] the {place}. And look: it {machine.does}! {>glad} People came [from all sides|running] to see it.
      {^e} took back the {color} toolbox. "Who made this?" asked {e}. "[It was {h}'s idea|We did it together]," said {f}. "And I [was wrong|will never again say that it will not work]." {>homeward}`,
    asks: [
      ["What did {h} build?", "machine"],
      ["What did {h} build it from?", "machine.made"],
      ["Who laughed at first?", "f"],
      ["Who lent {h} the toolbox?", "e"],
      ["Where did {h} find the parts?", "corner"],
    ],
  }),
  plot({
    name: "saving coins",
    cast: { h: "hero", f: "hero", w: "worker", e: "elder" },
    facts: { thing: "things", place: "places", sum: "sums", chore: "chores", second: "chores" },
    central: ["thing", "place"],
    text: `{>opening} In the window of {w} [stood|was] a {color} {thing}. It cost {sum} coins, and {h} [had none|had not even one]. [Every day|Each morning] {h} [pressed {h.his} nose to the glass|looked at it].
      "[Work for it|You can earn them]," said {e}. So {h} helped to {chore}. [When {chore.done}, {e} paid {h.him}.|Soon {chore.done}.] Then {h} helped to {second}, until {second.done}. [Coin by coin|Slowly] the jar grew full: {sum} coins at last!

      {>day} {h} ran to the shop. But {place.at} sat {f}, crying. "[I have lost|Somebody stole] the money for [medicine|bread]," said {f}, "{sum.given} coins!" {>think}
      {h} counted out {sum.given} and gave them to {f}. Now there were {sum.left} left, [and that was not enough|too few for the {thing}]. {h} [walked past the shop|did not look at the window] and went home.

      {^w} had seen it all [from the door|through the window]. [The next morning|That evening] there was a knock. There stood {w} with the {color} {thing}. "[It costs {sum.left} coins today|For you I have a new price: {sum.left} coins]," said {w} and winked. {>glad} {>moral}`,
    asks: [
      ["What did {h} want to buy?", "thing"],
      ["How many coins did it cost at first?", "sum"],
      ["How many coins did {h} give away?", "sum.given"],
      ["How many coins were left?", "sum.left"],
      ["Who had lost the money?", "f"],
      ["Whose shop was it?", "w"],
    ],
  }),
  plot({
    name: "mixing colors",
    cast: { h: "child", f: "child", w: "worker" },
    facts: { mix: "mixtures", old: "mixtures", place: "places", food: "foods" },
    central: ["mix", "place"],
    text: `{>opening} {h} liked to paint. For the [wall|contest] {place.at}, {h} was painting {mix.picture}. [The year before, it had been {old.picture}.|{^h.he} had painted {old.picture} before, but never {mix.picture}.] But the {mix} paint was [empty|used up]! {>sad}
      {>day} {h} went to {w} to buy some more. "[I am sorry|Sold out], I only have {mix.first} and {mix.second}," said {w}. {f} [shrugged|laughed]: "[Then we paint something else|Then give us those two]." [And so they took the {mix.first} and the {mix.second}.|They bought both.]

      At home {h} [dipped the brush into the {mix.first}, then by mistake into the {mix.second}|knocked over the {mix.first}, and it ran into the {mix.second}]. "[Oh no|How stupid]!" But {f} [stared|called]: "Look what has happened!" Where {mix.first} met {mix.second}, it was {mix}!
      {>think} They mixed [a whole bowl|more and more] and painted all day, with only a break for {food}. [Their noses were {mix}, too.|]

      On Sunday everybody [came to see it|stood in front of it] {place.at}: {mix.picture}! "Where did you get that {mix}?" asked {w}, [surprised|with big eyes]. "[From you|You sold it to us]," said {h}, "in two cups." {>glad}`,
    asks: [
      ["What did {h} paint?", "mix.picture"],
      ["Which color was missing?", "mix"],
      ["Which color did they mix with {mix.first}?", "mix.second"],
      ["What did they eat?", "food"],
      ["Where was the picture?", "place.at"],
    ],
  }),
];
