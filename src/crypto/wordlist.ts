/**
 * The words of codes, made by scripts/make-wordlist.js: 2048, so that each carries 11 bits, in alphabetical order, and
 * each known by its first four letters. Part of the protocol: neither the words nor their order may change.
 *
 * Chosen from SCOWL (Spell Checker Oriented Word Lists, http://wordlist.aspell.net), size classes 10 to 50:
 * Copyright 2000-2018 by Kevin Atkinson. Permission to use, copy, modify, distribute and sell these word lists, the
 * associated scripts, the output created from the scripts, and its documentation for any purpose is hereby granted
 * without fee, provided that the above copyright notice appears in all copies and that both that copyright notice and
 * this permission notice appear in supporting documentation. Kevin Atkinson makes no representations about the
 * suitability of this array for any purpose. It is provided "as is" without express or implied warranty.
 */
export const WORDS: readonly string[] = `
abacus abalone academy accent acorn acoustic acre acrobat active actor admiral adobe aerial aerosol agent
agile aircraft airfield airline airport airship aisle alarm album alcove alert algae algebra alley alloy
almanac almond alphabet alpine amateur amber amble amulet analyst anchor ancient android angle angora animal
ankle anorak answer antelope anthem antique antler anvil apex apple apricot apron aquarium aqueduct arcade
archive arctic arena armchair aroma arrival arrow artist ascot ashtray aspen asphalt asteroid athlete atlas
atom attic auburn audience aunt author autumn avenue aviator avocado award awning axis axle azalea azure
babble backpack bacon badger baffle bagel baggage bagpipe bakery balance balcony balloon balsa bamboo banana
banjo banner banquet barber bargain baritone barley barn baron barrel basalt basin basket bassoon bathtub
baton bayou bazaar beacon beagle beaker bear bedrock bedside beehive beetle belfry bell bench beret berry
bib bicycle bike billow binary binder bingo biology biplane birch bird birthday biscuit bison blanket blazer
blend blimp blink blizzard block bloom blossom blotter blouse bluebird bluff blur board boat bobbin bobcat
bobsled boiler bolster bolt bonfire bonnet bonsai bonus book boot border botany bottle boulder bounce
bouquet bowl boxcar boxer boxwood brace brain bramble branch brave bread breeze brick bridge bright brim
brisk broccoli bronze brook brother brown brunch brush bubble bucket budget buffalo bugle builder bulb
bulldog bumper bundle bungalow bunk bunny burger burlap burrito burst bushel bustle butler button buzzer
bypass cabaret cabbage cabin cable caboose cackle cactus cadet cake calendar calico calm camel campus canal
candle canister canoe canteen canvas canyon captain caramel carbon cardigan cargo carnival carousel carpet
carrot cart cascade cashew castle catfish cattle causeway cavern caviar cedar ceiling celery cello cement
ceramic cereal chain chalk chamber channel chapter charcoal chase chat cheddar cheerful chef cherry chess
chimney chin chipmunk chisel choir chorus chowder chrome chuckle chunk chutney cicada cider cinema cinnamon
circus citadel citizen citrus city clam clang clarinet classic clatter clay clean clerk clever cliff climate
clip cloak clock closet cloud clover clown club clump cluster clutch coach coast cobalt cobbler cobra cobweb
coconut coffee coil coin cold collar column comb comet comfort comic compass concert condor cone confetti
conifer conveyor cookie cool copper coral cord corner corridor corsage cosmos cottage couch cougar coupon
courage cousin cove cowboy coyote crackle cradle craft crane crater crayon cream creek crescent crew cricket
crimson crisp crocus crop croquet cross crow cruise crumb crunch crystal cube cuckoo cucumber cuddle cuff
cuisine cupboard cupcake curb curious curlew curry curtain cushion custard cutlery cycle cylinder cymbal
cypress dabble daffodil dahlia dairy daisy dance dapple daring dawn daybreak daytime dazzle decimal deck
decoy deer delight delta denim depot derby desk dessert detour dewdrop diagram dial diamond diary dice
diesel dime dinghy dinner dinosaur diploma disc dish ditch diver dock doctor dodge dogwood doily doll
dolphin domain dome domino donkey donor doodle door dormouse dough dove dowel downtown dragon drake drama
drapery draw dream dress drift drink drive drizzle drum dryer duchess duck duet dugout duke dulcimer
dumpling dune dusk dust duvet dwell dynamo eager eagle earmuff earring earth easel east ebony echo eclipse
ecology edge editor eel eggplant egret elastic elbow elder electric elegant element elephant elevator elf
elixir ellipse elm embark ember emblem embrace emerald emperor empire emu enamel encore endless energy
engine enigma enjoy ensemble entrance envelope envoy epic epilogue episode equator errand escort essay
estate estuary etching evening exchange exercise exhibit expert explorer eyebrow eyelash eyepiece fable
fabric facade factory fairway falcon fall family famous fancy fanfare fantasy farmer fashion faucet fauna
fawn feast feather fedora feline fence fern ferry festival fiction fiddle field fiesta figure filament
filter finch finger finish firefly fish fixture fizzle fjord flag flamingo flannel flapjack flare flash flax
fleece flicker flight flint float flock floor flora flotilla flower fluffy fluid flurry flute foal foam
focus foggy folder foliage folk food football forest forge fork fort forum fossil fountain fox foyer
fraction frame freckle freedom freight fresh friend frigate fringe fritter frock frog frolic front frost
fruit fudge fuel fulcrum funnel furlong furnace furry fuse future fuzzy gable gadget galaxy gallery game
gander garage garden gargoyle garlic garment garnet gasket gate gauze gavel gazelle gear gecko gelatin gem
generous genius gentle geode geology geranium gerbil geyser gherkin giant giddy gift giggle ginger giraffe
girder glacier glad glass glaze gleam glide glimpse glitter globe gloss glove glow glue gnat gnome goalie
goat goblet goggles gold golf gondola goose gopher gosling gossip gourmet governor gown grace grain grape
grass gravel great green griddle grill grin grizzly grocery groove grotto ground grove guard guava guest
guide guitar gulch gulf gully gumbo gumdrop guppy gusset gust gutter gymnast gypsum haddock haiku hail
hairpin halibut hallway halo hamlet hammock hamper hamster handle hangar happy hardware harmony harness harp
harvest hatch hawk hay hazel headband health heart heather hedge heel height heirloom helium helmet helpful
herald herb herd hermit heron hexagon hickory hidden highway hike hill hinge hippo history hobby hockey
hoist hold holiday hollow holster home honey hood hoof hook hoop horizon horn horse hose host hotel hound
house hover hub huddle hull humble humid hummus hurdle hurry husky hyacinth hybrid hydrant hyena iceberg
icicle icing icon icy igloo iguana import inch indigo indoor inkwell inland inlet inn insect inventor invite
iodine iota iris iron island ivory ivy jackal jade jaguar jamboree jar jasmine jaunt javelin jazz jeans
jelly jersey jester jetty jewel jigsaw jingle jockey jogger joke jolly journey joy jubilee judge juggle
juice jukebox jumbo jump junction jungle juniper jury justice kangaroo karate kayak kebab keel keen keeper
kelp kennel kernel kerosene ketchup kettle keyboard keyhole kilogram kilt kimono kind king kiosk kipper
kitchen kite kitten kiwi knapsack knit knoll knot knuckle koala kumquat label lace lacquer lacy ladder ladle
lagoon lake lamb lamp land lane lantern lapel laptop larch larder large lark laser lasso latch latitude
lattice laugh laundry laurel lava lavender lawn lawyer layer leader leaf league leap leather lecture ledger
leek legend legume leisure lemon lens lentil leopard lesson lettuce lever liberty library lifeboat light
lilac lilt lily limber lime limit linen linger linoleum lintel lion liquid list lively lizard llama loaf
lobby lobster local locket locust lodge loft logic lollipop lookout loom loop lotion lotus lounge loyal
lozenge lucid lucky luggage lullaby lumber lunar lunch lupine lute luxury lynx lyric macaroni machine
mackerel magazine magenta magic magma magnet magpie mahogany mailbox major mallard mammoth mandolin mango
manicure mansion manual maple marathon marble margin marigold market marlin marmot maroon marsh marvel
mascot mason mast match mattress maverick maypole maze meadow meal meander measure mechanic medley mellow
melon memory menthol menu mercury meridian mermaid mesh message metal meteor method metro midday midnight
midpoint midway mile milk mill mime mimic mineral mingle minimum mink minnow minstrel mint minute miracle
mirror mist mitten mix moat mobile mocha module mohair moisture molasses molecule monarch money monitor
monorail monsoon month monument moon mooring moose morning mosaic moss motion motor motto mountain mouse
mouth movie mud muffin mug mulberry mulch mule mural murmur muscle museum mushroom music mustard muzzle
mystery myth napkin nature nautical navigate navy nebula necklace nectar needle neon nerve nest nettle
network neutral newborn newt nibble nickel night nimble nitrogen noble nomad noodle noon north nose notable
notch notebook nougat novel novice nozzle nudge nugget nursery nutmeg nutshell nuzzle nylon oak oar oasis
oatmeal obelisk oblong oboe ocean ocelot octagon octopus office okra olive omnibus onion onyx opal opera
opossum optimist opus orange orbit orchard oregano origin oriole ornament ostrich otter ottoman ounce
outdoor outfit outlook outpost oval oven overcoat owl oxbow oxygen oyster ozone pacific package paddle
padlock pageant pail paint palace palette palm palomino pamphlet pancake panda panel panorama panther papaya
paper paprika papyrus parade parcel park parrot parsley party passport pasta patch path patio patrol pattern
pause pavement pavilion pawn peacock peanut pebble pecan pedestal pelican pencil pendulum penguin pennant
pentagon peony pepper perch perfume perky pestle petal petunia pewter phantom pheasant phone photo piano
piccolo pickle picnic picture pier pigeon pigment pigtail pillow pilot pinball pine pink pinnacle pioneer
pipe pirate pitcher pivot pixel pizza plaid planet plaque plaster plate playpen plaza pledge pliers plover
pluck plum plywood pocket podium poem poetry poker polar polish polka pollen polo polygon poncho pond
pontoon pony poodle pool popcorn poplar porch porridge port postcard posy potato potion pottery pouch
poultry powder prairie prawn prelude premium pretzel primrose prince prism prize project prologue promise
prong protein proverb puddle pueblo puffin pulley pulse puma pumice pumpkin pupil puppet purple purr purse
puzzle pyramid python quail quartz queen quest quick quiet quilt quince quiver quiz rabbit raccoon radar
radish raffle raft ragtime railroad rain raisin rake rally ramble ramp ranch random ranger rapid ratchet
rattle raven ravine ray razor recess recipe recorder recycle red reed reef reel referee refill reflex
refresh regatta reindeer relay relic remote repair replica reptile rescue reunion revel reward rhapsody
rhino rhombus rhubarb rhyme ribbon rice rickshaw riddle ridge rind ring rink ripple rival river road roast
robin robot rocket rodeo rogue roller romance roof rook room rooster rope rosemary rotary rotor rotunda
rover rowboat royal ruby rudder ruffle ruler rumble runner runway russet rustic rye sable sack saddle safari
safety saffron sage sail salad salmon salon salsa salt salute sample sandwich sapling sapphire sardine sash
satchel satin saucer sauna sausage savanna savvy sawdust sawmill scallop scarf scatter scent scholar science
scissors scone scooter score scout scrap screen script scroll scrub scuba sculptor seafood seaport season
seat seaweed secret sedan sedge seed seesaw senator sentry sequin serene sesame sewing shadow shallow
shampoo shanty shark shawl sheaf sheep shelf sheriff shield shimmer shine ship shirt shoe shop shore shovel
shrimp shrub shuffle shutter siesta sift signal silent silk silo silver singer siphon siren sirloin sizzle
skate sketch skill skim skipper skirt sky slalom slate sled sleeve sleigh slender slice slide slipper slogan
sloth slush small smart smile smith smock smooth smudge snack snail snap sneaker sniff snippet snooze
snorkel snow snug soap soccer sock soda sofa soft soil solar solid solo solstice sonata song sonnet soprano
sorbet sound soup south souvenir spacious spaniel sparkle spatula speaker spectrum speech sphere sphinx
spice spider spigot spiky spinach spiral splash splendid spoke sponge spoon sport spot spray spring sprout
spruce square squeeze squirrel stable stack stadium stage stairway stallion stamp stapler star steam steel
stem stencil step stereo stew stilt stirrup stitch stock stone stork stove straw stream stripe stroll stucco
studio sturdy sublime suburb subway suede suffix sugar suit summit sunbeam sundae sunrise sunset superb
supper sushi swamp swan swatch sway sweater swift swim swing swirl swish switch swivel swoop sycamore
syllable symphony syntax syrup tabby table tackle taco tadpole taffeta tailor talent tall tandem tango
tapestry tapir tarragon tartan tassel taste tawny taxi teacher teak team teapot teaspoon telegram tempo
tenant tender tennis tenor tenpin tent terrace thatch theme thermal thicket thimble thistle thorn thread
thrive throne thrush thumb thunder thyme tiara ticket tide tidy tiger tile tiller timber timpani tinder
tinsel tiny tissue title toast toboggan toddler toffee toga token tomato tonic toolbox topaz topic torch
torque tortilla toucan tour towel town towpath toy tractor traffic train tranquil trapeze travel tray
treasure tree trek trellis trestle triangle tribute trident trinket trio tripod triumph trolley trombone
trophy trout trowel truck truffle trumpet tuba tuft tugboat tulip tulle tumble tuna tundra tunic tunnel
turbine turf turkey turnip turret turtle tusk tutor tuxedo twang tweed twig twilight twinkle twirl twosome
ukulele umbrella umpire uncle unicorn uniform unison universe upbeat upgrade uphill upland upright uproar
upstairs urchin usher vacation vacuum valise valley vanilla variety varnish vase vault vector veil velvet
vendor veneer venison venture verse vertical vest viaduct vibrant victory video view village vineyard
vintage vinyl violet visit vista vitamin vivid vocal voice volcano vole volley volt volume vortex voyage
vulture wafer waffle wagon waiter walk wallet walnut walrus waltz wander warbler wardrobe warm washer watch
water wave wavy weasel weather weaver web wedding wedge welcome welder well west wetland whale wharf wheat
wheel whirl whistle wicker wiggle wildlife willow window wing winner winsome winter wiper wire wisdom wise
wish wisp witty wizard wobble wolf wombat wonder wood wool workshop world wreath wren wrist yacht yam yard
yarn yawn yearling yeast yellow yodel yoga yolk zeal zebra zenith zephyr zeppelin zest zigzag zinc zipper
zither zodiac zone zoom zucchini
`
  .trim()
  .split(/\s/);

const positions: ReadonlyMap<string, number> = new Map(WORDS.map((word, index) => [word, index]));

/** The position of a word in the list, from 0; `undefined` for any other text. */
export function indexOfWord(word: string): number | undefined {
  return positions.get(word);
}
