/** Plots about what is lost, sought, hidden and found. */
import { type Plot, plot } from "./story-plot.ts";

/** Plots about what is lost, sought, hidden and found. */
export const lostPlots: readonly Plot[] = [
  plot({
    name: "a lost thing",
    cast: { h: "hero", f: "hero" },
    facts: { place: "places", thing: "things", spot: "spots", wrong: "spots" },
    central: ["place", "thing"],
    text: `{>opening} {^h.his} [favorite thing|dearest thing|greatest treasure] was a {color} {thing}.
      {>day} {h} took the {thing} to the {place}. {>sky} {h} [played|ran around|chased butterflies] until noon.
      [But when|When] it was time to go home, the {thing} was gone! {>sad}

      "[What is the matter|Why are you crying|What has happened]?" asked {f}, [who came by|a friend from next door|who heard {h.him}].
      "I have lost my {color} {thing}," [said|answered|sobbed] {h}. "[Do not worry|Do not cry]," said {f}. "[We will find it together|Two see more than one]."
      First they looked {wrong}, but [there was nothing there|it was not there|they only found a snail].
      {>think} "[I remember|Wait]! I [put it down|laid it] {spot} this morning," said {h}[ at last|].
      They looked {spot}, and there lay the {color} {thing}[, a little dirty but whole|, safe and dry|]!

      {>glad} "[Thank you|What would I do without you], {f}," said {h}. {>homeward} {>moral}`,
    asks: [
      ["What did {h} lose?", "thing"],
      ["What color was the {thing}?", "color"],
      ["Where was the {thing}?", "spot"],
      ["Who helped {h} to look for it?", "f"],
      ["Where did {h} take the {thing}?", "place.at"],
    ],
  }),
  plot({
    name: "the hat that became a nest",
    cast: { h: "hero", e: "elder" },
    facts: { place: "places", spot: "landmarks", second: "landmarks", bird: "babies" },
    central: ["place", "bird"],
    text: `{>opening} {e} had [knitted|sewn|made] {h.him} a {color} [hat|cap] with [a long tail|two buttons|a bow].
      {>day} {h} wore it to the {place}. [Suddenly a gust of wind|The wind blew hard and] took it [off {h.his} head|away].
      {h} ran after it. It flew past {spot}, then past {second}, and then it [was gone|could not be seen any more]. {>sad}

      {h} looked for it [all day|until evening|for three days]. {>later} {h.he} saw something {color} {bird.home}.
      It was the hat! But in the hat sat a tiny {bird}, [fast asleep|and it was warm and dry]. "{^bird.call}," it said.
      {h} [wanted to take the hat back|reached out {h.his} hand], but then {h.he} thought of [the cold nights|the wind|how small it was].
      "[Keep it|You need it more than I do]," [whispered|said] {h}. {^e} was not angry. "[A hat can be made again|I have more wool]," said {e}, "[but a kind heart is rare|and you did the right thing]."
      [So now there are two|And soon {h} had a new one, just as {color} as the first|The next hat was {color} too]. {>moral}`,
    asks: [
      ["What color was the hat?", "color"],
      ["Who made the hat?", "e"],
      ["Which animal slept in the hat?", "bird"],
      ["Where was the hat found?", "bird.home"],
      ["What did the hat fly past first?", "spot"],
    ],
  }),
  plot({
    name: "the lost young animal",
    cast: { h: "hero", f: "hero", w: "worker" },
    facts: { place: "places", baby: "babies", wrong: "babies" },
    central: ["place", "baby"],
    text: `{>opening} {>day} {h} and {h.his} friend {f} heard a small voice {place.at}. "{^baby.call}! {^baby.call}!"
      It was a {baby}, all alone. "[Where is your mother|Who are you]?" asked {f}. The {baby} [only shivered|looked at them with round eyes|did not know].

      "We must find its mother," said {h}. [They carried it|{h} took it under {h.his} coat and they went] to the {wrong.mother}, who lived {wrong.home}.
      But the {wrong.mother} shook her head: "That is not my child. I say {wrong.call}." {>sad}
      [So they asked|In the end they asked] {w}. {>favor} "[I think that you must|You should] look {baby.home}," said {w}. "A {baby.mother} lives there, and she has been [calling|searching] since [yesterday|this morning]."

      [They ran|Quickly they went] there. "{^baby.call}!" cried the {baby}, and the {baby.mother} [came running|answered at once]. {>glad}
      The {baby} [hid|curled up] beside its mother. "[Thank you both|How can I thank you]," said the {baby.mother}. {>homeward}`,
    asks: [
      ["Which young animal was lost?", "baby"],
      ["Where did its mother live?", "baby.home"],
      ["Where was the {baby} found?", "place.at"],
      ["Whose child was it?", "baby.mother"],
      ["Who told them where to look?", "w"],
    ],
  }),
  plot({
    name: "the locked box",
    cast: { h: "hero", e: "elder", f: "hero" },
    facts: { place: "places", corner: "corners", prize: "treasures", spot: "spots" },
    central: ["place", "prize"],
    text: `{>opening} {>day} {h} found an old [box|chest] {corner}. It was [locked|shut tight with an iron lock].
      "Where is the key?" {h} asked {e}. {^e} [smiled|laughed]: "[I hid it|It is hidden] {place.at}, [long ago|when I was as small as you], {spot}. [But which|Now you must find it|If it is still there, you may keep what is inside]."

      [{h} called {f}, and they|{h} and {f}] went to the {place}. {>sky} {>meeting} They looked [left and right|here and there], and {f} [grew tired|wanted to give up].
      But {h} [remembered the words of {e}|had listened well]. "It must be {spot}," {h.he} said. And [indeed|so it was]: there was a small {color} key!

      [With shaking hands|Back at home,] {h} [turned the key|opened the lock]. Inside was {prize}. {>glad}
      "[That belonged to my mother|I got it from my grandmother]," said {e}, "[and now it is yours|take good care of it]." {>moral}`,
    asks: [
      ["What was in the box?", "prize"],
      ["Where did {h} find the box?", "corner"],
      ["Where was the key?", "spot"],
      ["Who had hidden the key?", "e"],
      ["What color was the key?", "color"],
    ],
  }),
  plot({
    name: "the treasure map",
    cast: { h: "hero", f: "hero" },
    facts: {
      ...{ place: "places", prize: "treasures", corner: "corners", food: "foods" },
      ...{ first: "landmarks", second: "landmarks", third: "landmarks" },
    },
    central: ["place", "prize"],
    text: `{>opening} {>day} {h} found a map {corner}. "[Look at that|Come and see], {f}!" {h.he} called.
      The map said: "[Start|Begin] at {first}. Then go to {second}. [Dig|Look] near {third}." [Below it was a picture of the {place}.|It was a map of the {place}.]

      They [packed|took] {food} and a {color} shovel and set out. {>meeting} {^first} was easy to find. There they [rested|ate the {food}].
      Then came {second}, [where {f} lost a shoe|which was covered with ivy|and there they heard an owl]. "[Where now|What comes next]?" asked {f}. "{^third}," said {h}, who had [learned the map by heart|not forgotten].

      Near {third} they [dug|began to dig]. [Clonk|Bump]! The {color} shovel hit [something hard|wood]. It was {prize}! {>glad}
      "[Shall we keep it|What shall we do with it]?" asked {f}. {>think} "[We will share it|It belongs to both of us]," said {h}. {>homeward}`,
    asks: [
      ["What did {h} and {f} find?", "prize"],
      ["Where did they have to start?", "first"],
      ["Where was the map?", "corner"],
      ["What was the third place on the map?", "third"],
      ["What did they take along to eat?", "food"],
    ],
  }),
  plot({
    name: "the borrowed thing",
    cast: { h: "hero", f: "hero" },
    facts: { place: "places", thing: "breakables", spot: "spots" },
    central: ["place", "thing"],
    text: `{>opening} {f} had a {color} {thing}, a present from {f.his} grandfather. "May I borrow it?" asked {h}. "[Yes|Of course|Well]," said {f}, "but [please|you must] bring it back [tonight|before dark]."
      {>day} {h} took the {thing} to the {place} and [played with it|showed it to everybody]. {>later} it fell, and it broke [in two|into pieces]! [Crack!|]

      {h} was [afraid|ashamed]. {h.he} hid the {thing} {spot} and ran home. "Where is my {thing}?" asked {f} in the evening. "[I do not know|Somebody took it]," said {h}, and {h.his} ears [grew hot|turned red].
      That night {h} could not sleep. {>think}

      In the morning {h} [fetched|took] the pieces out of their hiding place and went to {f}. "I broke your {thing}, and I did not tell the truth. I am [so sorry|sorry]."
      {f} was [silent|quiet] for a moment. "[I am glad that you told me|Thank you for telling the truth]," {f.he} said. "[Come, we will mend it|We can glue it together]."
      They worked [all day|until supper], and the {color} {thing} was [almost like new|whole again, with one small crack]. {>moral}`,
    asks: [
      ["What did {h} borrow?", "thing"],
      ["Whose {thing} was it?", "f"],
      ["Where did {h} hide the {thing}?", "spot"],
      ["What color was the {thing}?", "color"],
      ["Where did {h} break the {thing}?", "place.at"],
    ],
  }),
  plot({
    name: "a find in the attic",
    cast: { h: "child", e: "elder" },
    facts: { thing: "things", place: "places", corner: "corners", chore: "chores" },
    central: ["place", "thing"],
    text: `{>opening} {>day} {h} had to help {e}. "[First|Please] {chore}," said {e}, "and then [we will clean|clean] [the old room|the guest room]."
      [Soon|After an hour] {chore.done}. Then {h} looked {corner} and found [something wrapped in paper|a small parcel|something under a cloth]: a {color} {thing}[, covered with dust|].

      "[Where did you find that|Oh, that]!" cried {e}. "I have [looked for it for thirty years|not seen it since I was a child]." {^e.he} held the {thing} [to the light|to {e.his} heart] and told a story.
      "[When I was small|Long ago], I lost it {place.at}. [A friend|A stranger] brought it back, and [we became friends|that was how I met my best friend]. Then [I hid it too well|I moved, and it was gone]."

      {h} [listened with open mouth|wanted to hear it again]. "[And where is your friend now|What became of your friend]?" {h.he} asked. "[Let us go and see|Let us write a letter]," said {e}.
      So they went to the {place} together, with the {color} {thing}. An old [man|woman] sat there in the sun. "[Is that|Can it be] my friend with the {thing}?" [Then everybody laughed and cried|They had so much to tell]. {>homeward}`,
    asks: [
      ["What did {h} find?", "thing"],
      ["Where was it?", "corner"],
      ["Where had {e} lost it once?", "place.at"],
      ["What did {h} do first?", "chore"],
      ["Whose {thing} was it?", "e"],
    ],
  }),
  plot({
    name: "hide and seek",
    cast: { h: "hero", f: "hero", g: "hero" },
    facts: { place: "places", spot: "hideouts", second: "hideouts", passer: "animals" },
    central: ["place", "spot"],
    text: `{>opening} {>day} {h}, {f} and {g} played hide and seek {place.at}. {>sky} {h} had to count to [twenty|fifty|a hundred].
      {f} hid {spot}. {g} hid {second}. [Not a sound was heard.|It was very still.]

      "[Ready or not, here I come|I am coming]!" called {h}. {>think} {>later} {h.he} heard a giggle. [It came from {f}|{f} could never keep still]: there {f.he} was, {spot}!
      But {g} was nowhere. They looked and called, and [the sun went down|it began to rain|it grew cool]. "[Something is wrong|I am worried]," said {f}.

      A {passer} [watched them from a fence|had seen everything]. "[You seek with your eyes only|Use your ears]," it said. They listened. Somebody was snoring {second}!
      {g} had fallen asleep [there|in {g.his} hiding place]. {>glad} "[Did I win|Have I won]?" asked {g} and yawned. "[You win|Yes]," said {h}, "nobody has ever hidden so long." {>homeward}`,
    asks: [
      ["Where did {f} hide?", "spot"],
      ["Where did {g} hide?", "second"],
      ["Who had to seek?", "h"],
      ["Who fell asleep?", "g"],
      ["Where did they play?", "place.at"],
    ],
  }),
];
