"""Names of strangers: two friendly words, drawn for every mask."""

import secrets

_ADJECTIVES = """
able agile airy amber ample apt artful autumn awake azure balmy bashful beaming blithe blooming blue bold bonny brave
breezy bright brisk bubbly bushy calm candid careful caring cheerful chipper clear clever cloudy coastal comfy content
copper coral cosy crafty creative crimson crisp curious curly dainty dapper daring dawn dear deft dewy distant dotted
dreamy drifting driven dusky eager early earnest easy elated ember emerald evening even fabled fair faithful fancy
feathery festive fine first fleet floating fluffy fond forest free fresh frosty gallant garden gentle gifted glad
gleaming glossy golden good graceful grand grateful green grinning happy hardy harmless hasty hazel hearty helpful
hidden high hilly homely honest hopeful humble humming indigo inland inventive island ivory jade jaunty jolly jovial
joyful jumpy keen kind kindly lapis laughing lavender leafy lean light lilac lively lofty lone loyal lucid lucky lunar
lush maple marble marine mellow merry mild mindful minty misty modest moonlit mossy musical neat new nifty nimble
noble northern oaken olive open opal orange orderly outgoing pale patient peachy pearl pebbly perky placid playful
pleasant plucky plum poetic polite posh prompt proud purple quaint quick quiet radiant rainy rapid ready red relaxed
restful rosy roving ruby rustic sage sandy scarlet serene shady shining shy silent silken silver sincere sleepy
smiling smooth snowy snug social soft solar southern sparkling speckled spirited spry starry steady still stony
striped sturdy summer sunlit sunny sure swift tall tame tawny teal tender thankful tidy timely tranquil trusty
truthful upbeat vast velvet verdant vernal violet vivid wakeful wandering warm wavy western whimsical whistling wild
willing windy winged winter wise wistful witty wooded woolly young zesty
"""
_NOUNS = """
acorn albatross alder alpaca anchor antelope apricot arrow aspen aster badger bamboo barley basil bay beacon beaver
bee beech beetle bell berry birch bison blackbird bluebell boat bobcat bramble breeze bridge brook bunting buttercup
butterfly cactus camel canary canyon capybara cardinal caribou cedar chaffinch chamois cherry chestnut chickadee
chipmunk clover cloud comet compass coot coral cormorant cove coyote crab crane creek cricket crow cuckoo curlew
cypress daffodil dahlia daisy deer delta dingo dolphin donkey dormouse dove dragonfly duck dune eagle eider elk elm
ember ermine falcon fawn feather fern ferret field fig finch firefly fjord flamingo flounder fox foxglove frog gannet
garnet gazelle gecko gibbon ginger glacier glade goat goldfinch goose grebe grove grouse gull hamster harbour hare
harp hawk hawthorn hazel heather hedgehog heron hill holly hoopoe horizon hornbeam ibex ibis iguana iris island ivy
jackdaw jaguar jasmine jay juniper kestrel kingfisher kite kiwi koala lagoon lake lamb lantern larch lark laurel
lemming lemur leopard lily linden linnet lizard llama lotus lynx magnolia magpie mallard manatee mango maple marigold
marmot marten martin meadow meerkat melon merlin mimosa mole moon moose moth mountain mulberry mule narwhal newt
nightingale nutmeg nuthatch oak oasis ocelot olive orchid oriole osprey otter owl oyster palm panda pansy parrot
partridge peach pear pebble pelican penguin peony pepper petal petrel pheasant pigeon pike pine pinecone plover pond
poplar poppy porcupine porpoise primrose puffin puma quail quince rabbit raccoon rain raven ray redstart redwing reed
reindeer ridge river robin rook rose rowan saffron salmon sandpiper sapling seal sequoia shore shrew siskin skylark
sloth snail snipe sparrow spruce squid squirrel starling stork stream sunflower swallow swan swift sycamore tapir teal
tern thistle thrush thyme tiger toad tortoise toucan trout tulip tundra turnstone turtle valley vireo vole wagtail
walnut walrus warbler wave waxwing weaver whale wheatear willow wind wombat woodpecker wren yak yarrow yew zebra
zinnia
"""
MANNERS, BEINGS = _ADJECTIVES.split(), _NOUNS.split()


def new_name() -> str:
    """Two words, like Quiet Heron."""
    return f"{secrets.choice(MANNERS)} {secrets.choice(BEINGS)}".title()
