/** Plots of fields, woods and water: growing, collecting, healing and finding the way. */
import { type Plot, plot } from "./story-plot.ts";

/** Plots of fields, woods and water: growing, collecting, healing and finding the way. */
export const naturePlots: readonly Plot[] = [
  plot({
    name: "the seed",
    cast: { h: "hero", e: "elder", f: "hero" },
    facts: { seed: "seeds", place: "places", spot: "landmarks" },
    central: ["seed", "place"],
    text: `{>opening} {>day} {e} gave {h} a {seed}. "[Plant it|Put it into the earth] {place.at}, near {spot}," said {e}, "and [have patience|be patient]." "[Such a little thing|That is all]?" asked {f} and laughed.
      {h} dug a hole near {spot}, put the {seed} into it and [watered it|covered it with earth].

      The next day, [there was nothing|nothing could be seen]. After a week, [still nothing|there was nothing either]. "[Give up|It is dead]," said {f}. {>think} {h} came every [morning|evening] with a {color} watering can. [It rained, and the sun shone.|A crow wanted to dig it up, but {h} chased it away.]
      Then, one day near {spot}, there was a tiny green [tip|leaf]! {>glad} It grew [and grew|day and night], and in the end it was {seed.grown}.

      [People came from far away to see it.|{f} could not believe it.] "What will you do with it?" asked {e}. "[It is for everybody|I will share it]," said {h}: "{seed.gift}!"
      {f} [came with an empty basket|looked at the ground]. "[I laughed at you|I was wrong]. May I [help|learn it too]?" {h} lent {f.him} the {color} watering can. {>moral}`,
    asks: [
      ["What did {e} give {h}?", "seed"],
      ["What grew in the end?", "seed.grown"],
      ["Where did {h} plant it?", "spot"],
      ["Who laughed?", "f"],
      ["What color was the watering can?", "color"],
    ],
  }),
  plot({
    name: "counting and sharing",
    cast: { h: "hero", f: "hero", g: "hero" },
    facts: { items: "collections", sum: "sums", place: "places", basket: "things" },
    central: ["items", "place", "sum"],
    text: `{>opening} {h} collected {items}. {>day} {h.he} went to the {place} and found {sum} {items}, [the most beautiful ones of all|each one different]. {>sky} {h} put them into a {color} bag.
      [On the way home|At the corner], {h} met {f}, who [looked sad|had hurt {f.his} knee|was all alone]. "[What do you have there|What is in the bag]?" "{^sum} {items}," said {h}, "from the {place}."

      "[I have none|I have never found any]," said {f}. {>think} {h} opened the {color} bag and gave {sum.given} of the {items} to {f}. {f} [smiled|stopped crying|forgot the pain]. Now {h} had {sum.left} left.
      {g} had [seen it|watched them]. "[That was foolish!|Why did you do that?]" said {g}. "You had {sum}, and now you have only {sum.left}." "[But now two of us are happy|Yes, but look at {f}]," said {h}.

      At home {h} laid the {items} on the [table|windowsill] and counted: {sum.left}. [And that was enough.|They had never looked so nice.]
      The next day there was a [packet|box] at the door. In it was a [picture|letter]: {f} had painted {h}, with {sum} {items} in the hand. {>glad} {>moral}`,
    asks: [
      ["What did {h} collect?", "items"],
      ["How many did {h} find?", "sum"],
      ["How many did {h} give away?", "sum.given"],
      ["How many were left?", "sum.left"],
      ["Who asked why?", "g"],
      ["Where did {h} find the {items}?", "place"],
    ],
  }),
  plot({
    name: "the sick friend",
    cast: { h: "hero", f: "hero", w: "worker", e: "elder" },
    facts: { illness: "illnesses", place: "places", obstacle: "obstacles" },
    central: ["illness", "place"],
    text: `{>opening} {>day} {f} did not come out to play, for {f.he} had {illness}. {h} [sat by the bed|brought a book], but {f} [was too weak to laugh|slept and slept].
      "What helps against {illness}?" {h} asked {w}. "{^illness.cure}," said {w}, "but I have none left. You find it {place.at}, {illness.found}." {>toolgift}

      {h} set out [at once|alone]. {>meeting} {>obstaclemet}
      Then {h} was there. [But where was it?|What had {w} said?] {^illness.found}! {h} [bent down|looked closely]: there was enough for [a week|ten friends].

      {h} ran back and gave {w} what {h.he} had found. {^w} [cooked and stirred|made it ready]. {f} had to [swallow|take] some {illness.cure} in the morning and in the evening. "[Ugh|Brr]!" said {f}[, but took it|].
      After [two|three] days {f} was well again. {>glad} "[Who went all that way for me|Did you go all the way to the {place}]?" asked {f}. [{h} turned red and nodded|{h} only smiled]. {>homeward}`,
    asks: [
      ["What did {f} have?", "illness"],
      ["What helped {f}?", "illness.cure"],
      ["Where did {h} have to go?", "place"],
      ["Who knew what helps?", "w"],
      ["What did {e} give {h}?", "obstacle.tool"],
    ],
  }),
  plot({
    name: "the short way",
    cast: { h: "hero", f: "hero", e: "elder" },
    facts: { way: "shortcuts", place: "places", food: "foods", thing: "things" },
    central: ["way", "place"],
    text: `{>opening} {>day} {e} said to {h} and {f}: "[Bring|Take] this {food} to my sister {place.at}. But do not go {way}! [Take the long road|Stay on the road], even if it takes an hour more." [Everybody knew that|It was true that] {way.danger}.
      "[Yes|We promise]," said both. {>sky} They came to a [fork|sign]. {f} [stopped|stood still]. "It is so far on the road. I will go {way}. [See you there|You will be the last]!" {>think} {h} [stayed on the road|took the long road], with the {food} and a {color} {thing}.

      {>meeting} The road was long, and [the sun burned|{h}'s feet hurt]. But {h} came to the {place} [with dry feet|in good time]. The sister of {e} [was happy|opened the door]. "And where is {f}?" [Nobody had seen {f.him}.|Nobody knew.]
      {f} had gone {way}, where {way.danger}. {f} {way.harm}. [When {f} came at last|In the evening], {f.he} was [dirty and tired|cold and pale] and said nothing for a [long time|while].

      "{^e} was right," {f} said at last. {h} gave {f.him} [the last piece of|some] {food}, [which was still warm|and the {color} {thing} to hold]. On the way home, {f} [did not even look at the short way|went ahead, on the long road]. {>moral}`,
    asks: [
      ["What did they have to bring to the sister?", "food"],
      ["Where should they not go?", "way"],
      ["Who took the short way?", "f"],
      ["What happened to {f}?", "way.harm"],
      ["Where did the sister live?", "place.at"],
    ],
  }),
  plot({
    name: "the way home in the fog",
    cast: { h: "hero", f: "hero" },
    facts: {
      ...{ place: "places", thing: "things", passer: "animals" },
      ...{ first: "landmarks", second: "landmarks", third: "landmarks" },
    },
    central: ["place", "first", "second"],
    text: `{>opening} {>day} {h} and {f} walked to the {place}. "[Let us remember the way|Look around so that we can find back]," said {h}. First they passed {first}, then {second}, and last {third}. {f} [did not listen|sang] and [swung|played with] a {color} {thing}.
      {>sky} They [played|swam|climbed] {place.at} until a fog came, as white as milk. [One could not see one's own hand.|The {place} was gone.]

      "[Where do we live|Which way is it]?" [asked|wailed] {f}. {>sad} "[We only have to go backward|Quietly]," said {h}. "The last thing we saw was {third}. That must come first now." [Hand in hand|Slowly] they [felt their way|walked], and there it was: {third}!
      "And next?" "{^second}," said {h}. [It took long, but|After many steps] they bumped into {second}. There a {passer} sat and [shivered|waited]. "[Take me with you|I am lost too]," it said, and [so they were three|they took it along].

      {f} tied the {color} {thing} to a stick and [held it up|waved it], so that they would not lose each other. "[Now only|The last one is] {first}," said {h}. And behind {first} they saw the [light|window] of their house! {>glad}
      "[How did you know that|I would have sat there all night]," said {f}. "[I looked|I counted] on the way there," said {h}. {>moral}`,
    asks: [
      ["What did they pass first on the way there?", "first"],
      ["What did they pass second?", "second"],
      ["What did they come to first on the way back?", "third"],
      ["Whom did they meet in the fog?", "passer"],
      ["What did {f} carry?", "thing"],
      ["Who remembered the way?", "h"],
    ],
  }),
  plot({
    name: "a wild guest",
    cast: { h: "child", f: "child" },
    facts: { baby: "animals", other: "animals", place: "places", food: "foods", spot: "hideouts" },
    central: ["baby", "place"],
    text: `{>opening} {>day} {h} found a {baby} with a hurt [leg|foot] {spot}. "[You poor thing|Do not be afraid]," said {h} and carried it home in a {color} [cloth|basket]. [The year before, it had been a {other}.|{^h.he} had never held even a {other} before.|]
      {h} gave it water and {food}, for strange to say, {food} was all that it would eat. "[Can we keep it|Is it yours now]?" asked {f}. "[Only until it is well|It belongs to the wild]," said {h}.

      [Day after day|For three weeks] the {baby} [grew stronger|learned to walk again]. It slept in the {color} [box|basket] and [followed {h} everywhere|knew {h}'s voice]. {h} had never [loved anything so much|had such a friend].
      One evening it [stood at the window|scratched at the door] and looked toward the {place}. {>think} "It wants to go home," said {h} [softly|with a heavy heart]. {>sad}

      They took it to the {place} and [opened the basket|set it on the ground]. The {baby} [looked back once|touched {h}'s hand] and was gone. {h} [swallowed hard|wiped {h.his} eyes]. "[You did the right thing|It will remember you]," said {f}.
      In [spring|autumn], {h} walked {place.at} with some {food} in {h.his} pocket. {>later} there was [a rustle|something moving]: the {baby}, and behind it four little ones! {>glad} It [smelled|took] the {food} and [stayed a while|was not afraid].`,
    asks: [
      ["Which animal did {h} find?", "baby"],
      ["Where was it?", "spot"],
      ["What did the {baby} eat?", "food"],
      ["Where did they let it go?", "place.at"],
      ["Who went with {h}?", "f"],
    ],
  }),
  plot({
    name: "the boat on the water",
    cast: { h: "hero", f: "hero", w: "worker" },
    facts: { prize: "treasures", thing: "bright", food: "foods", signal: "signals" },
    central: ["prize", "thing"],
    text: `{>opening} {>day} {h} and {f} [borrowed|were allowed to use] the {color} boat of {w}. "[Be back|Come back] before {signal.now}," said {w}, "[for then the wind turns|for then the water runs out of the bay]." {h} took {food}, and {f} took a {thing}.
      They rowed to the little island. {>sky} There they [ate the {food}|explored every corner] and found {prize} [in the sand|in a cave]! {>glad} They [forgot the time|looked at it from all sides] until {signal}.

      [The boat rocked|The waves grew high], and one oar [broke|was washed away]. "We are [going in circles|drifting out to sea]!" cried {f}. {>think} "What do we have?" asked {h}. "[Crumbs of {food}|No {food} any more], {prize}, and my {thing}," said {f}.
      "The {thing}!" said {h}. "[Hold it up high|Wave it], so that {w} can see us!" [They waved and shouted|{f} waved the {thing} until {f.his} arms hurt].

      {^w} saw something move far out and [came|hurried] with another boat. "[Did I not tell you|What did I say]?" {w.he} [grumbled|asked], but {w.he} [was glad|put a blanket around them]. They gave {w} a share of what they had found. {>homeward}
      Since then {h} never goes out in the {color} boat [without looking at the time|after that hour]. And the {thing} [hangs over {h.his} bed|has a place of honor].`,
    asks: [
      ["What did they find on the island?", "prize"],
      ["What saved them?", "thing"],
      ["Whose boat was it?", "w"],
      ["What color was the boat?", "color"],
      ["What did they take along to eat?", "food"],
    ],
  }),
  plot({
    name: "three helpers",
    cast: { h: "hero", e: "elder" },
    facts: {
      ...{
        place: "places",
        prize: "treasures",
        passer: "animals",
        other: "animals",
        last: "animals",
      },
      ...{ food: "foods", second: "foods" },
    },
    central: ["prize", "place"],
    text: `{>opening} [Long ago,|As a child,] {e} had lost {prize} {place.at}. {>day} {h} said: "I will [look for|find] it." {e} gave {h.him} {food} and {second} for the way.
      At the first corner sat a {passer}. "I am hungry," it said. {h} gave it the {food}. At the second corner sat a {other}. "[I am hungry too|I have not eaten for days]," it said, and {h} gave it the {second}. At the third corner a {last} had [caught its foot|got stuck] in the fence, and {h} [freed it|pulled it out].
      [Now {h} had nothing left.|{h}'s bag was empty now.] {>sky}

      {place.at} {h} looked [everywhere|under every stone], but there was nothing. {>sad} Then [somebody coughed|there was a rustle]. It was the {passer} from the first corner. "You gave me {food}. I know who has what you seek: it lies in the water."
      The {other} [dived|jumped in] at once. "You gave me {second}," it said and pushed something to the shore. It was a box, but it was [locked|nailed up]! "[And I|Let me]," said the {last}, "for you freed me," and it [broke|bit] the lock.

      In the box lay {prize}. {>glad} [All three|The {passer}, the {other} and the {last}] went home with {h}, and {e} cooked {food} and {second} for everybody. {>moral}`,
    asks: [
      ["What was {h} looking for?", "prize"],
      ["Which animal got the {food}?", "passer"],
      ["Which animal got the {second}?", "other"],
      ["Which animal was stuck in the fence?", "last"],
      ["Who had lost it?", "e"],
    ],
  }),
];
