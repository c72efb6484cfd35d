/**
 * The words of our stories: places, things, animals, food, and what somebody is like. Words that stand
 * for a cause and its consequence are in story-links.ts, people in story-cast.ts.
 */
import type { Entry } from "./story-grammar.ts";
import { list, table } from "./story-pool.ts";

/** Small things that can be owned, lost, lent and carried. */
export const things: readonly Entry[] = list(`
  kite, ball, drum, whistle, boat, lantern, basket, umbrella, scarf, hat, cup, spoon, bell, top,
  puppet, doll, wagon, flute, trumpet, compass, telescope, mirror, blanket, backpack, bracelet,
  button, ribbon, coin, key, locket, marble, notebook, pencil, paintbrush, music box, watch, pillow,
  toy train, toy horse, toy car, teddy bear, wooden sword, paper crown, feather, candle, bucket,
  shovel, jump rope, yo-yo, glove, purse, mug, flag, mask, magnet, pinwheel, snow globe, tin soldier`);

/** Things that break when they fall. */
export const breakables: readonly Entry[] = list(`
  cup, mirror, flute, drum, top, lantern, toy train, toy horse, wooden sword, snow globe, music box,
  watch, telescope, mug, puppet, whistle, compass, umbrella, doll, toy car, violin, clay bird,
  model ship, money box, teapot, sled, lamp, bowl, hourglass, jar`);

/** Things that can be seen from far away. */
export const bright: readonly Entry[] = list(`
  kite, lantern, scarf, hat, umbrella, mirror, blanket, flag, shirt, balloon, towel, jacket, torch,
  sheet, raincoat, pinwheel, apron, tablecloth, lamp, candle, vest, coat`);

/** Colors. */
export const colors: readonly Entry[] = list(`
  red, blue, green, yellow, purple, orange, pink, white, black, brown, gray, golden, silver`);

/** Where a small thing may be, in a place outdoors. */
export const spots: readonly Entry[] = list(`
  under the old bench, behind the tall hedge, inside a hollow log, in the long grass,
  under a pile of leaves, behind a big rock, in an empty barrel, under a wheelbarrow,
  between two roots, on top of a low wall, in a bird's nest, behind the wooden fence,
  under a bush full of berries, inside an old boot, next to a broken cart, in a muddy puddle,
  at the bottom of a ditch, under a heap of hay, behind the stone steps, in a patch of clover,
  on the lowest branch of a tree, beside a tree stump, under a loose plank, in a flower pot,
  behind a stack of firewood, in a rabbit hole`);

/** Where somebody or something big may be, in a place outdoors. */
export const hideouts: readonly Entry[] = list(`
  behind the tall hedge, in the long grass, behind a big rock, behind the wooden fence,
  under an old cart, behind the stone steps, in a patch of clover, beside a tree stump,
  behind a stack of firewood, in a haystack, behind the crumbling wall, under the willow,
  in a hollow tree, behind the shed, in the bushes, under an upturned boat, behind the beehives,
  in the shadow of a chimney, under the apple tree, among the ferns`);

/** Where a thing may be at home. */
export const corners: readonly Entry[] = list(`
  under the bed, behind the curtain, on the top shelf, in the kitchen drawer, inside the closet,
  beneath the stairs, under the sofa, in the laundry basket, on the windowsill, behind the door,
  in the attic, under the rug, inside the teapot, next to the stove, in the cookie jar,
  behind the clock, in the cellar, on the porch`);

/** Animals that somebody watches. */
export const flocks: readonly Entry[] = list(
  `sheep, geese, goats, cows, ducks, ponies, hens, pigs`,
);

/** When a story happens. */
export const times: readonly Entry[] = list(`
  one morning, one afternoon, one evening, one spring day, one autumn day, one Monday, one Tuesday, one Wednesday, one Thursday, one Friday, one Saturday,
  one Sunday, early one morning, late one afternoon, on market day, the day before the fair,
  on the last day of the holidays, a week after the big storm, on the day of the full moon`);

/** What one can eat and carry; one of it with "a piece of" or "some" where the story says so. */
export const foods: readonly Entry[] = list(`
  bread, cheese, apple pie, honey cake, soup, rice pudding, pumpkin pie, cherry jam, gingerbread,
  corn bread, plum cake, chocolate, nut cake, lemon cake, carrot cake, pea soup, potato salad,
  banana bread, peach pie, berry pie, oatmeal, porridge, popcorn, toast, noodle soup`);

/** What is baked. */
export const cakes: readonly Entry[] = list(`
  apple pie, honey cake, pumpkin pie, gingerbread, plum cake, nut cake, lemon cake, carrot cake,
  peach pie, berry pie, banana bread, corn bread, rice pudding, cream cake, poppy seed cake`);

/** Big animals that a small one may save. */
export const giants: readonly Entry[] = list(
  `lion, bear, elephant, bull, wolf, horse, moose, tiger, ox, rhinoceros, camel, buffalo`,
);

/** What is at the end of a search. */
export const treasures: readonly Entry[] = list(`
  a chest of old coins, a crown with green stones, a silver flute, a box of letters, a book of songs,
  a pearl as big as a plum, a golden cup, a map of the stars, a jar of seeds, a ring with a blue stone,
  a sword without a spot of rust, a bag of marbles, a picture of the whole family,
  a clock that still ticked, a tiny ship in a bottle, a string of glass beads`);

/** Landmarks on a map or along a way. */
export const landmarks: readonly Entry[] = list(`
  the crooked oak, the three white stones, the empty hut, the broken arch, the hollow willow,
  the red rock, the wooden cross, the stone lion, the dry well, the tall pine, the fallen column,
  the fork in the road, the mossy gate, the old scarecrow, the milestone, the double hill,
  the blue barn, the signpost, the rusty anchor, the beehives`);

/** What is collected by number. */
export const collections: readonly Entry[] = list(`
  shells, acorns, pebbles, buttons, stamps, feathers, pine cones, marbles, chestnuts, leaves, beads,
  cherries, walnuts, plums, eggs, apples`);

/** Who visits or lives by the way: animals that speak. */
export const animals: readonly Entry[] = list(`
  fox, rabbit, badger, hedgehog, squirrel, otter, owl, crow, turtle, frog, goose, raven, mole, beaver,
  deer, stork, heron, magpie, toad, donkey, goat, lizard, sparrow, cricket, robin, weasel, seal, pelican`);

/** Outdoors; `at` is where one is. */
export const places: readonly Entry[] = table(
  "text at",
  `
  forest | in the forest
  park | in the park
  beach | on the beach
  meadow | in the meadow
  garden | in the garden
  orchard | in the orchard
  valley | in the valley
  hill | on the hill
  lake | by the lake
  river | by the river
  pond | by the pond
  farm | on the farm
  harbor | in the harbor
  village square | in the village square
  market | at the market
  old mill | by the old mill
  castle | at the castle
  lighthouse | by the lighthouse
  playground | on the playground
  bridge | by the bridge
  stream | by the stream
  island | on the island
  railway station | at the railway station
  windmill | by the windmill
  vineyard | in the vineyard
  waterfall | by the waterfall
  campground | at the campground
  cornfield | by the cornfield
  old tower | by the old tower
  fountain | by the fountain`,
);

/** What somebody is like, and how that shows when there is something to decide. */
export const traits: readonly Entry[] = table(
  "text acts",
  `
  brave | took a deep breath and [was not afraid|stood up straight]
  patient | took {h.his} time and did not hurry
  clever | [soon had a plan|had an idea]
  stubborn | did not [give up|let go]
  kind | thought of the others first
  careful | thought [twice|three times] before doing anything
  curious | wanted to [know more|understand it all]
  cheerful | hummed a [merry|little] tune to think better
  polite | counted to three before saying a word
  quiet | said nothing and [thought|listened]
  strong | gritted {h.his} teeth and went on
  honest | listened to the small voice inside
  gentle | stayed calm
  tidy | put {h.his} thoughts in a neat row
  quick | did not have to think for long
  hopeful | was sure that there was a way`,
);

/** Weather, and what it does. */
export const weathers: readonly Entry[] = table(
  "text result",
  `
  sunny | the stones were warm
  windy | the leaves danced in the air
  foggy | the far houses could not be seen
  cloudy | there were no shadows
  cold | breath looked like smoke
  rainy | there were puddles everywhere
  mild | all the windows were open
  misty | the spider webs were full of drops
  bright | the water glittered
  frosty | the grass crunched`,
);

/** Baby animals, and how they and their mothers call. */
export const babies: readonly Entry[] = table(
  "text mother call home",
  `
  duckling | duck | peep | in the reeds
  kitten | cat | meow | in the barn
  puppy | dog | yip | in front of the bakery
  lamb | sheep | baa | on the green slope
  calf | cow | moo | behind the long stable
  foal | mare | whinny | in the paddock
  piglet | sow | oink | in the pigsty
  chick | hen | cheep | on the dunghill
  gosling | goose | honk | at the edge of the marsh
  fawn | deer | eep | under the birch trees
  owlet | owl | screech | in the church tower
  kid | goat | bleat | on the rocky ledge
  cub | bear | growl | in a cave
  cygnet | swan | whistle | on the little island`,
);
