"""What the vocabulary has to know of English beyond its own words.

A word one letter away from a known one is usually a typo: "mushrom". But "horse" is not a
misspelled house, nor "cube" a misspelled cute; making the wrong thing without a word would be
worse than a refusal. So real words that look like typos of the toybox's are listed here.
"""

_NEGATIONS = "not no without never none non nor neither except excluding minus isnt dont cannot"
NEGATIONS = frozenset(_NEGATIONS.split())

PUNCTUATION = ",.;:!?-–—_/&()[]\"“”„«»'‘’`´…"

# Four letters and more: shorter words are never taken for typos.
_NOT_TYPOS = """
acute aide alms amber army arrow auto ball band bank barb bard bark barn barren barrow bask
beach bead beak beam bean bear beard beast beat bell belle berry bike bind birch blank blimp
block blouse blow blue boar bolt bone book boot bottle bowl box brick bridge broom brow bull
bully bus cabin cable cage cake camel camp cane cannon cape card care carp cart cash cast
castle cave cellar chain char chat check cheek cherub chest chick chin chip choir chute clam
clamp clock clone cloud clown clue coal coast coat code cold comb cook cookie cord core cork
corn cove cover crab cradle crane crown cube curl cusp damp deck deer dice dish disk dock
doll dollar dolphin dome donkey dove dragon dress drum dusk east egg eggs elephant face
fairy fang fans fast fawn feast feather fellow fence fern finger fire fist flake flank flat
flea flock floor flute foal foam fold folder font fork fort fountain fowl frame free frog
frond frost fruit game gate gear ghost giraffe girl glass globe glove glow glue gnome goal
goat goblet gold gong goose gown grape grapes grass guard guppy hail hair hall hammer hand
hare harp hawk heart heel helmet hill hive hoof hook horn horse hose hotel human inch item
jacket jail jeep jelly jewel jute kettle king kite knife knight ladder lake lamb land lane
leaf lemon lens lime link lion lips lizard llama loaf lock locket lower lunch lung lute mace
mail mall mango maple marrow mask meal meat mellow melon mice mill mink mint mitten moat
mold mole money monkey moon moor moose mound mountain mouse mule nail nest noose note nurse
ocean otter oven oyster pail paint palm panda panel pants parrot pear pearl peck pencil
penguin piano pick pigeon pill pillow pine pipe pirate pizza plan planet plank plant plate
plot plow plum pocket poet poncho pond pony pool poppy port post prince puck pump pumpkin
punk puppet purse queen quilt rabbit rack racket radio raft rail ramp raven reed rice ride
ring rink river road rock rook room root rope rose rugs sack saddle sample sand sandal sauce
saucer saw scar scarab scare seal seam seed shack shark shed sheep shelf shell sherry shield
shin shirt shoe shop shore shorts shrimp sink skip skull slide slime slipper slum smell
snail snake sock socket sofa soldier sole song soup spade sparrow spear spider spire spoon
sport spot spouse square squid stable stag stair stall starfish starlet statue steak steam
step stew stick stone stool stork stove strand strap straw strip sugar suit suitcase sun
swan sweater swim swing sword tablet tack tale tank tape teal tear tent theme thing third
three throne thumb tick tide tiger tile tire toad toast toil tomato tome tone tongs tool
tooth torch towel tower town trail train tram trap tray triangle trick truck trunks tube
tulip tuna turban turkey turtle tusk twin twins umbrella urn valley vase vest vine violin
volcano wagon wall wand wasp watch wave whale wheat whip whisk widow wife wig wine wink wire
wish witch wolf wood wool world worm wreath wrench yacht zebra zone
"""
NOT_TYPOS = frozenset(_NOT_TYPOS.split())
