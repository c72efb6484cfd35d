/** Plots about friends: presents, quarrels, promises, lies and help. */
import { type Plot, plot } from "./story-plot.ts";

/** Plots about friends: presents, quarrels, promises, lies and help. */
export const friendPlots: readonly Plot[] = [
  plot({
    name: "the birthday present",
    cast: { h: "hero", f: "hero", w: "worker" },
    facts: { place: "places", thing: "things", second: "things" },
    central: ["place", "thing"],
    text: `{>opening} [On Sunday|Soon] it was the birthday of {f}, {h.his} best friend. [A week|Some days] ago, {f} had [said|sighed]: "[I would love to have|What I want most is] a {color} {thing}."
      {>day} {h} went to the {place}, where there was a [fair|flea market]. There was a {second} [for a penny|in a window], but {h} shook {h.his} head. "[That is not right|No], {f} wants a {thing}."

      [In the end|At last] {h} found a {color} {thing} in the shop of {w}. But {h} had no [money|coins]. {>favor}
      [So {h} got the {thing}.|"Here is your {thing}."] {h} wrapped it in paper [and tied it with string|with stars on it].

      The next day {f} opened the [parcel|present]. "A {color} {thing}! [How did you know?|You remembered!]" "[You told me|I listened]," said {h}. {f} [hugged {h.him}|was speechless].
      {>glad} They [ate cake|danced|played] until [evening|the candles burned down]. {>moral}`,
    asks: [
      ["What did {f} want for {f.his} birthday?", "thing"],
      ["Whose birthday was it?", "f"],
      ["What color was the {thing}?", "color"],
      ["Whose shop had the {thing}?", "w"],
      ["What did {h} see but not buy?", "second"],
    ],
  }),
  plot({
    name: "the quarrel",
    cast: { h: "hero", f: "hero", e: "elder" },
    facts: { place: "places", thing: "things", food: "foods" },
    central: ["place", "thing"],
    text: `{>opening} {h} and {f} were [best friends|friends and did everything together]. {>day} they found a {color} {thing} {place.at}.
      "[I saw it first|It is mine]!" [cried|said] {h}. "No, [I was first|it is mine|give it to me]!" [shouted|said] {f}. They pulled [at both ends|this way and that] until {f} fell [into the mud|on the ground].
      "I will never [play with|talk to] you again," said {f} and [ran away|went home]. {>sad}

      Now {h} had the {thing}, but it was no fun to [play|sit] with it alone. {e} [saw this|noticed it] and said: "[A {thing} cannot laugh with you|Which is worth more, a {thing} or a friend]. Why not [take turns|share it]?"
      {>think} {h} took the {thing} and some {food}, which {f} liked best, and knocked at the door.

      "[I was wrong|I am sorry]," said {h}. "[You may have it on even days and I on odd days|Today it is yours, and tomorrow mine]." {f} [looked at the {thing}, then at the {food}|thought about it]. "[I am sorry too|I missed you]," said {f}.
      {>glad} They ate the {food} and took turns with the {color} {thing}. {>moral}`,
    asks: [
      ["What did they quarrel about?", "thing"],
      ["Where did they find it?", "place.at"],
      ["Who gave {h} good advice?", "e"],
      ["What did {f} like to eat best?", "food"],
      ["What color was the {thing}?", "color"],
    ],
  }),
  plot({
    name: "the new neighbor",
    cast: { h: "child", f: "child", w: "worker" },
    facts: { place: "places", skill: "skills", reason: "reasons" },
    central: ["place", "skill"],
    text: `{>opening} {>day} a new child came to [the school|the street]. It was a {f.child} called {f}, who {reason}. [At the break|After lunch] {f} stood alone, for {reason.why}.
      "[Leave {f.him} alone|{^f.he} is strange]," [whispered|said] the others. {>think} {h} went over and [held out a hand|offered half an apple]. "[I am|My name is] {h}. [Do you want to come along|Come with me to the {place}]?"

      [So|And so] they went to the {place}. {>sky} The others had a contest there: who could {skill}? One {h.child} tried and {skill.wrong}. {h} tried too, and {skill.wrong} [as well|even worse].
      "May I [try|have a turn]?" asked {f} [softly|in a small voice]. [Somebody laughed.|Everyone turned around.] But {f} {skill.right}! [It was so quiet that one could hear the wind.|Nobody laughed now.]

      "[Where did you learn that|How do you do that]?" they [all asked|cried]. "{^w} taught me, [at home|where I come from]," said {f}, "and I can teach you." {>glad}
      [Since then|Now] {f} was never alone [again|at the break]. But {f.he} [always|still] sat next to {h}, who had spoken to {f.him} first. {>moral}`,
    asks: [
      ["Who was new?", "f"],
      ["What could {f} do well?", "skill"],
      ["Who spoke to {f} first?", "h"],
      ["Who had taught {f}?", "w"],
      ["Where was the contest?", "place.at"],
    ],
  }),
  plot({
    name: "one joke too many",
    cast: { h: "hero", e: "elder" },
    facts: { place: "places", beast: "giants", chore: "chores", flock: "flocks" },
    central: ["place", "beast"],
    text: `{>opening} {^h.his} work was to watch the {flock} {place.at}, and that was [dull|boring].
      {>day} {h} [had an idea|wanted to have some fun]. "[Help|Help, help]! A {beast} is coming!" {h.he} [cried|shouted]. {e} was just about to {chore} and [let everything fall|dropped everything]. All the neighbors came with sticks.
      But there was no {beast}. {h} [laughed until {h.his} belly hurt|rolled in the grass and laughed]. "[That is not funny|One does not joke about that]," said {e}.

      The next day {h} did it again: "A {beast}! A {beast}!" Again they came, and again [there was nothing|{h} laughed].
      On the third day, [something moved|a branch cracked] {place.at}. A real {beast} [stood there|looked at {h.him}], [huge|as big as a house]! "Help! A {beast}!" cried {h}. But nobody came. "[That is only {h}|We know that joke]," they said, and {e} went on to {chore}.

      {h} [climbed a tree|hid in a ditch] and [trembled|sat there] until the {beast} was [full|tired] and went away. [Five|Three|Seven] {flock} had run off. {>sad}
      "Why did nobody come?" {h} asked. "Because you called us twice for nothing," said {e}. [From then on|After that] {h} only called for help when [it was needed|{h.he} needed it].`,
    asks: [
      ["Which animal did {h} shout about?", "beast"],
      ["Where did {h} work?", "place.at"],
      ["What was {e} about to do?", "chore"],
      ["Who was angry about the joke?", "e"],
      ["Which animals did {h} watch?", "flock"],
    ],
  }),
  plot({
    name: "a small one helps a big one",
    cast: { h: "creature" },
    facts: { place: "places", beast: "giants", trap: "traps", food: "foods", other: "giants" },
    central: ["place", "beast"],
    text: `{>opening} {>day} {h} [ran|walked] {place.at} and [did not look where {h.he} was going|tripped]. [Bump!|] {^h.he} [fell|landed] on the nose of a sleeping {beast}.
      "[Who dares to wake me|Who is that]?" [roared|rumbled] the {beast}. "[I could squash you|I could step on you]!" "Please let me go," [begged|said] {h}. "[One day I may help you|I will pay you back]."
      "You? Help me?" The {beast} laughed so hard that [the ground shook|birds flew up]. "[You are as small as a crumb|A {h.kind} help a {beast}]! But you made me laugh, so [go|run]."

      Some weeks later {h} sat over some {food} and heard a [terrible|sad] noise. {h.he} left the {food} and ran to the {place}. The {beast} was caught in {trap}! [A {other} had pulled and pulled, but in vain.|Not even a {other}, who was strong, had been able to help.]
      "[Help me|Nobody can help me]," it [groaned|said]. {>think} Then {h} {trap.free}. It took [all night|hours], but the {beast} was free.

      "I laughed at you," said the {beast}, "[and now you have saved me|and I was wrong]." "[Small ones can help big ones|Sometimes being small is just right]," said {h}.
      [From that day|Since then] one could see them [together every evening|side by side], the {beast} and the {h.kind}. And they shared the {food}.`,
    asks: [
      ["Which big animal did {h} wake?", "beast"],
      ["What was the {beast} caught in?", "trap"],
      ["Where did the {beast} sleep?", "place.at"],
      ["What did {h} leave behind to help?", "food"],
    ],
  }),
  plot({
    name: "the race",
    cast: { h: "hero", f: "hero", w: "worker" },
    facts: {
      place: "places",
      prize: "things",
      first: "landmarks",
      second: "landmarks",
      food: "foods",
    },
    central: ["place", "prize"],
    text: `{>opening} {h} was slow. {f} was [fast|the fastest of all] and [never tired of saying so|told everybody]. {>day} there was a race {place.at}. The way went past {first} and around {second}, and the prize was a {color} {prize}.
      "[You need not even start|Stay at home], {h}," said {f} and laughed. "[We will see|I will try]," said {h}.

      {^w} [fired a shot|waved a flag|blew a whistle], and off they went. {f} was [out of sight|far ahead] at once. At {first}, {f} [looked back and saw nobody|smelled {food}]. "[I have time enough|There is no hurry]," {f.he} said, [ate some {food}|sat down in the shade with some {food}] and [fell asleep|closed {f.his} eyes].
      {h} came along, [step by step|slow and steady]. {>think} {^h.he} passed {first}. {^h.he} went around {second}. [An old man by the road clapped.|The people began to shout.]

      The shouting woke {f}, who ran [like the wind|as never before]. But [it was too late|{h} was already there]: {h} had [crossed the line|won]! {^w} gave {h.him} the {color} {prize}. {>glad}
      "[How could that happen|But I am faster|That is not fair]!" cried {f}. "You are [fast|faster than I am]," said {h}, "but you [slept|lay in the shade] near {first}." [Then {h} let {f} hold the {prize}.|{f} had to laugh at that.] {>moral}`,
    asks: [
      ["What was the prize?", "prize"],
      ["Who won the race?", "h"],
      ["Where did {f} fall asleep?", "first"],
      ["What did {f} eat?", "food"],
      ["Who gave {h} the prize?", "w"],
    ],
  }),
  plot({
    name: "the shared lunch",
    cast: { h: "hero", f: "hero" },
    facts: { place: "places", food: "foods", second: "foods", obstacle: "obstacles" },
    central: ["place", "food"],
    text: `{>opening} {>day} there was a [trip|school trip] to the {place}. {h} had {food} in {h.his} bag. {f} had [nothing at all|only a {obstacle.tool} and no lunch], for {f.his} family was [poor|in a hurry that morning].
      At noon everyone unpacked. {f} [looked the other way|said, "I am not hungry," but {f.his} stomach growled]. {>think} {h} gave {f} half of the {food}. "[It is too much for me|Take it, I have enough]," said {h}. {f} [ate every crumb|smiled for the first time that day].

      In the afternoon {h} and {f} [lost the others|fell behind]. They came to {obstacle}, and {obstacle.without}. {>sad} "[Wait|Don't cry]," said {f}, "I always carry a {obstacle.tool}." {f} {obstacle.how}, and {h} came right after.
      [There were the others|Behind it they found the others], {place.at}. {>glad}

      "[You gave me half of your {food}|Without your {food} I would have been too weak]," said {f}. "[Without your {obstacle.tool} we would still be there|And you got us through]," said {h}. [Next time|The week after] {f} brought {second}, and [they shared that too|half of it was for {h}]. {>moral}`,
    asks: [
      ["What did {h} have for lunch?", "food"],
      ["What did {f} carry in {f.his} bag?", "obstacle.tool"],
      ["Who had no lunch?", "f"],
      ["What did {f} bring the next time?", "second"],
      ["Where did they go?", "place.at"],
    ],
  }),
  plot({
    name: "the promise",
    cast: { h: "hero", e: "elder", f: "hero" },
    facts: { place: "places", thing: "things", signal: "signals", food: "foods" },
    central: ["place", "thing"],
    text: `{>opening} {>day} {h} was allowed to go to the {place} with {f}. "But you must be back when {signal.now}," said {e}. "[There will be|I am making] {food} for supper." "I promise," said {h}.
      {>sky} {^place.at}, they [built|found] a [hut|raft|dam], and {f} had a {color} {thing} to play with. [Time flew.|The hours went by like minutes.]

      Then {signal}. "I must go," said {h}. "[Only one more game|Just five more minutes]," [begged|said] {f}, "[and I will let you have the {thing}|then you may keep the {color} {thing}]."
      {h} looked at the {thing}. [How it shone!|It was beautiful.] {>think} "[No|A promise is a promise]," said {h}, "{e} is waiting." And {h.he} ran [all the way|as fast as {h.he} could].

      {^e} stood at the [door|window]. "You kept your promise," said {e}[ and hugged {h.him}|]. There was {food}, [and it was still hot|with extra for {h}]. And [next to the plate|on the chair] lay [a surprise|something wrapped up]: a {thing}, even more [beautiful|colorful] than {f}'s!
      "[I bought it this morning|It was meant for somebody who can be trusted]," said {e}. {>glad} {>moral}`,
    asks: [
      ["What was there for supper?", "food"],
      ["What did {f} offer {h}?", "thing"],
      ["Where did they play?", "place.at"],
      ["Who was waiting at home?", "e"],
      ["What color was {f}'s {thing}?", "color"],
    ],
  }),
];
