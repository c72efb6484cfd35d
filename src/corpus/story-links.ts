/**
 * Causes and their consequences, drawn together: an obstacle with what gets past it, a riddle with its
 * answer, a number with what is left of it. What a story says of one early, it needs of the other late.
 */
import type { Entry } from "./story-grammar.ts";
import { table } from "./story-pool.ts";

/** What a cake needs, who has it, and what is like it but wrong. */
export const ingredients: readonly Entry[] = table(
  "text mistake taste",
  `
  sugar | salt | as salty as the sea
  flour | chalk | as hard as a stone
  honey | glue | so sticky that nobody could open their mouth
  cinnamon | pepper | so hot that everyone sneezed
  milk | vinegar | as sour as a green lemon
  cocoa | mud | like a wet garden`,
);

/** Obstacles: what stands in the way, the tool that helps and how. */
export const obstacles: readonly Entry[] = table(
  "text without tool how",
  `
  a deep hole in the path | it was too wide to jump | rope | tied the rope to a tree and swung across
  a dark tunnel | nobody could see a thing inside | lamp | lit the lamp and walked right through
  a locked gate | it would not open, however hard one pushed | little key | turned the little key in the lock, and the gate swung open
  a wide stream | the water was too deep to wade through | long plank | laid the long plank from one bank to the other
  a wall of thorns | they scratched and pricked | pair of gloves | put on the pair of gloves and bent the thorns aside
  a steep slope of ice | every step slid back down | small hammer | cut steps into the ice with the small hammer
  a thick fog | the path could not be seen | brass bell | rang the brass bell until somebody answered and showed the way
  a hungry goose | it hissed and would let nobody pass | bag of corn | threw it a handful from the bag of corn and walked by
  a high wall | it was smooth and had no door | folding ladder | leaned the folding ladder against the wall and climbed over
  a swarm of bees | they buzzed angrily around the path | clay flute | played the clay flute so softly that the bees fell asleep
  a sleeping bear | one loud step would wake it | pair of soft slippers | put on the pair of soft slippers and tiptoed past
  a fallen tree | it was far too heavy to move | sharp saw | cut a gap with the sharp saw
  a field of deep mud | boots got stuck in it | bundle of straw | spread the bundle of straw over the mud and walked on it
  a sad giant | he sat in the middle of the road and cried | clean handkerchief | gave him the clean handkerchief, and he dried his eyes and moved aside`,
);

/** What frightens somebody, and what was behind it. */
export const fears: readonly Entry[] = table(
  "text sign truth calm",
  `
  the dark | not even the moon was shining | the dark was full of fireflies | counted the stars
  thunder | the first thunder rolled over the roofs | thunder is only the sky clapping its hands | counted slowly after every flash
  deep water | the water was green and deep | the water carries those who lie still | floated on the waves
  big dogs | a huge dog stood at the corner | the huge dog only wanted somebody to scratch its ears | held out a hand
  high places | the ladder seemed to reach the clouds | one only has to look at the next step | looked up instead of down
  spiders | a spider hung in the doorway | the spider was shy and made beautiful webs | said good morning to the spider
  loud noises | the big drum began to boom | the big drum was like a giant heart | clapped along with the drum
  strangers | an unknown face looked over the fence | a stranger is often a friend with no name yet | waved and said hello
  the cellar | the cellar steps creaked | the cellar smelled of apples and had no ghosts at all | sang on the way down
  deep snow | the snow was higher than the fence | snow is soft to those who fall | made an angel in the snow`,
);

/** Noises at night, what one fears and what they are. */
export const noises: readonly Entry[] = table(
  "text guess truth",
  `
  tap, tap, tap | a robber with a wooden leg | a branch that knocked at the window
  scratch, scratch | a monster with long claws | a kitten that wanted to come in
  whoo, whoo | a ghost in a white sheet | an owl on the chimney
  drip, drop, drip | a witch who stirred her pot | a tap that was not quite closed
  rattle, rattle | a skeleton that danced | a hedgehog with its head in a can
  thump, thump | a giant on the stairs | a rabbit that drummed with its feet
  squeak, squeak | a ghost on a rusty bicycle | a mouse that rolled a walnut
  rustle, rustle | a snake as long as a train | a squirrel that looked for nuts
  flap, flap | a dragon that shook its wings | a towel on the clothes line
  bubble, bubble | a sea monster in the bathtub | a frog in the rain barrel`,
);

/** What is planted and what it becomes. */
export const seeds: readonly Entry[] = table(
  "text grown gift",
  `
  sunflower seed | a sunflower as tall as the house | seeds for all the birds
  pumpkin seed | a pumpkin as big as a cart | pumpkin soup for the whole village
  apple seed | a little apple tree | a basket of sweet apples
  bean | a beanstalk that climbed over the roof | beans for a long winter
  acorn | a small oak | shade for tired travelers
  cherry stone | a cherry tree full of blossoms | a bowl of dark cherries
  tulip bulb | a tulip with a stripe on every petal | flowers for every window
  strawberry seed | a row of strawberry plants | jam for everyone
  tomato seed | a tomato plant with forty tomatoes | a big red sauce
  melon seed | a melon that nobody could lift | a slice for every neighbor
  carrot seed | a carrot as long as an arm | a stew for all the rabbits
  rose cutting | a rose bush that smelled of honey | a rose for every grandmother`,
);

/** Two colors and what they make. */
export const mixtures: readonly Entry[] = table(
  "text first second picture",
  `
  green | blue | yellow | a frog in the grass
  orange | red | yellow | a sunset over the hills
  purple | red | blue | a bunch of grapes
  pink | red | white | a flamingo on one leg
  gray | black | white | an elephant in the rain
  brown | red | green | a bear in its cave
  light blue | blue | white | a whale under the sky`,
);

/** Riddles with their answers. */
export const riddles: readonly Entry[] = table(
  "text answer",
  `
  What has teeth but cannot bite? | a comb
  What has hands but cannot clap? | a clock
  What gets wetter the more it dries? | a towel
  What has one eye but cannot see? | a needle
  What has a neck but no head? | a bottle
  What can run but has no legs? | a river
  What is full of holes and still holds water? | a sponge
  What goes up and never comes down? | your age
  What has leaves but is not a tree? | a book
  What has four legs and cannot walk? | a table
  What follows you all day and leaves at night? | your shadow
  What has a tongue but cannot speak? | a shoe
  What can be broken without being touched? | a promise
  What has keys but opens no door? | a piano`,
);

/** What one can learn to do, how it goes wrong, and how it goes at last. */
export const skills: readonly Entry[] = table(
  "text wrong right",
  `
  ride a bicycle | fell into the flower bed | rode all the way around the square
  swim | swallowed half the pond | swam to the other side
  whistle | only blew air | whistled a whole song
  juggle | dropped every ball | kept three balls in the air
  skate | sat down hard on the ice | drew a perfect circle on the ice
  play the violin | made a noise like an angry cat | played so well that people wept
  fly a kite | pulled the kite into a tree | sent the kite up to the clouds
  tie a bow | made a knot that nobody could open | tied a bow with two equal loops
  bake bread | burned the bread black | took a round golden loaf out of the oven
  dance | stepped on everyone's toes | danced until the lamps went out
  climb a rope | slid down with a bump | touched the beam at the top
  row a boat | went around in circles | rowed straight to the landing
  paint faces | painted a nose where the ear should be | painted a face that seemed to smile
  sing | squeaked on every high note | held the highest note until the glasses rang
  do a handstand | fell over like a tree | walked three steps on both hands
  build a birdhouse | hammered on a thumb | built a house with a red roof`,
);

/** Work that is done for others, with what it earns thanks for. */
export const chores: readonly Entry[] = table(
  "text done",
  `
  sweep the floor | the floor was swept
  water the flowers | the flowers stood up straight
  carry the firewood | the firewood lay in a neat stack
  feed the chickens | the chickens were full
  wash the windows | the windows shone
  rake the leaves | there was not one leaf on the path
  shell the peas | the bowl was full of peas
  brush the donkey | the donkey gleamed
  pick the plums | three baskets were full of plums
  paint the fence | the fence was bright and new
  wind the wool | the wool was in round balls
  fold the sheets | the sheets lay in a white pile
  polish the boots | the boots shone like mirrors
  clean the lamp | the lamp was clear again
  stir the soup | the soup was thick and smooth
  mend the net | there was no hole left in the net
  sort the nails | the nails were in three jars
  catch the piglet | the piglet was back in its pen`,
);

/** What may happen to a bridge, roof or fence, and what mends it. */
export const damages: readonly Entry[] = table(
  "text need fix",
  `
  the bridge | strong planks | nailed the planks side by side
  the roof of the school | red tiles | laid the tiles in straight rows
  the henhouse | new wire | wound the wire from post to post
  the mill wheel | oak boards | fitted the boards one by one
  the bell tower | a thick beam | pulled the beam up with ropes
  the old well | round stones | set the stones in a ring
  the sheepfold | wooden poles | drove the poles into the ground
  the landing stage | heavy logs | rolled the logs into place
  the bakery oven | clay bricks | built a wall of bricks and clay
  the garden wall | flat rocks | piled the rocks with moss between them`,
);

/** What holds an animal, and how a small one frees it. */
export const traps: readonly Entry[] = table(
  "text free",
  `
  a net | gnawed through the net, knot after knot
  a bush of thorns | bit off the branches, one by one
  a deep pit | rolled stones into the pit until they made a stair
  a tangle of vines | bit the vines apart
  a crack in a rock | dug away the sand under the rock
  a sack | opened the string of the sack`,
);

/** Numbers to count with: `text` in all, some given away, and what is left. */
export const sums: readonly Entry[] = table(
  "text given left",
  `
  five | two | three
  five | three | two
  six | two | four
  six | four | two
  seven | two | five
  seven | three | four
  eight | three | five
  eight | two | six
  nine | four | five
  nine | two | seven
  ten | four | six
  ten | two | eight
  eleven | five | six
  eleven | three | eight
  twelve | five | seven
  twelve | three | nine`,
);

/** What makes one ill and what helps. */
export const illnesses: readonly Entry[] = table(
  "text cure found",
  `
  a cough | thyme tea | between the warm stones
  a fever | willow bark | along the water
  a sore throat | honey | in a hollow tree
  a stomachache | mint leaves | at the edge of the field
  a headache | lavender | on the sunny slope
  a cold | elderberry juice | behind the old chapel
  a toothache | cloves | in a jar at the spice shop
  a rash | chamomile | beside the railway tracks`,
);

/** Two ways to one place, and what waits on the short one. */
export const shortcuts: readonly Entry[] = table(
  "text danger harm",
  `
  through the swamp | the ground was soft and wet | sank into the mud up to both knees
  over the cliff | the stones were loose | slipped and scraped an elbow
  across the frozen pond | the ice was thin | broke through the ice with one foot
  through the bull's field | the bull was in a bad mood | ran for the fence with the bull close behind
  through the thorn wood | the thorns were long and sharp | came out with a torn sleeve
  over the shaky bridge | one rope was worn | fell into the cold brook below
  through the deep gorge | the path ended at a wall of rock | had to turn around when it was almost night`,
);

/** Machines somebody may build, from what, and what they do. */
export const inventions: readonly Entry[] = table(
  "text made does failed",
  `
  a bird feeder | an old bottle | gave out seeds, one by one | it gave out all the seeds at once
  a raft | six barrels | carried two and a picnic | it leaned so much that the sandwiches got wet
  a scooter | two wheels and a board | rolled down the lane like the wind | one wheel rolled away on its own
  a doorbell | a string and a cow bell | rang whenever somebody came | it rang all night in the wind
  a wind car | a sheet and a wagon | sailed along the road | it sailed backward into the hedge
  a water wheel | spoons and a cork | turned day and night | it turned so fast that it flew apart
  a telephone | two cans and a string | carried every whisper | it only hummed
  a fan | a paper plate and a spring | cooled the whole kitchen | it blew the flour into everybody's face
  a lamp | a jar and a mirror | lit the whole porch | it was dimmer than a glowworm
  an egg timer | sand and two bottles | was right to the second | the sand got stuck`,
);

/** What a promise or a bell may call home for, as it happened and as it happens. */
export const signals: readonly Entry[] = table(
  "text now",
  `
  the church bell rang | the church bell rings
  the first star came out | the first star comes out
  the lamps were lit | the lamps are lit
  the last train whistled | the last train whistles
  the sun touched the hills | the sun touches the hills
  the rooster crowed twice | the rooster crows twice
  the bakery closed its shutters | the bakery closes its shutters
  the clock struck five | the clock strikes five
  the tide came in | the tide comes in
  the swallows went to sleep | the swallows go to sleep
  the bats flew out of the tower | the bats fly out of the tower
  the ferry came back | the ferry comes back`,
);

/** Why somebody new stands alone. */
export const reasons: readonly Entry[] = table(
  "text why",
  `
  had moved there from far away | the house was still full of boxes
  spoke another language | the words came out in the wrong order
  was very shy | it was hard to say the first word
  was much smaller than the others | nobody had noticed
  had a leg in a cast | running was not allowed
  wore thick glasses | somebody had laughed about them`,
);
