"""Names of runs for people: two words such as `brave-otter`, or what their authors make of parameters."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from flowdeck.rules.exceptions import UsageError
from flowdeck.rules.text.terminal_text import inert

NAME_BYTES: Final = 4
"""How many random bytes one name takes: two for each word."""

# Text, not a list of literals: a page of quotes and commas would be harder to read and to extend.
_ADJECTIVE_LINES: Final = """
able agile airy alert amber ample ancient apt arctic ardent artful autumn awake azure balanced balmy basic beaming
bold brave breezy bright brisk bronze calm candid careful casual charming cheerful civil classic clean clear clever
cloudy coastal cobalt composed content cool copper cordial cosmic cosy courtly crimson crisp curious dapper daring
deft devoted diligent dreamy dusky eager early earnest easy elegant eloquent emerald fabled fair faithful fancy
fearless festive fine firm fleet fluent fond frank free fresh friendly frosty gallant generous genial gentle gifted
glad gleaming golden good graceful grand grateful green handy happy hardy harmonic hearty helpful honest hopeful
humble humming indigo ivory jade jaunty jolly jovial joyful keen kind knowing lasting leafy level light lilac lively
lofty loyal lucid lucky lunar magic mellow merry mild mindful minty misty modest mossy neat nimble noble northern
novel olive open orderly patient peaceful pearly placid plain playful pleasant poised polite precise proud prudent
quaint quick quiet radiant rapid ready restful robust rosy round rustic saffron sage sandy serene sharp shiny silent
silken silver simple sincere sleek smooth snowy snug social soft solar solid sound spirited spry stable starry
steady still stout sturdy subtle sunny sure tall tame tender thankful thrifty tidy tranquil true trusty upbeat
valiant velvet verdant vivid warm watchful willing wintry wise witty wooden young zesty
"""

_NOUN_LINES: Final = """
acorn albatross alder alpaca antelope badger bamboo barley beaver beech birch bison bluebird bobcat brook buffalo
bumblebee bunting camel canary canyon cardinal caribou cedar cheetah chickadee chipmunk cicada clover comet condor
coral cormorant cougar coyote crane creek cricket crow curlew cypress daisy deer delta dolphin dove dragonfly
duckling eagle egret eider elk elm ermine falcon fawn fern ferret finch firefly fjord flamingo flounder foal forest
fox gannet gazelle gecko gibbon ginkgo giraffe glacier goldfinch goose gopher grebe grouse guppy harbor hare harrier
hawk hazel hedgehog heron herring hickory hornbill horse hummingbird ibex ibis iguana impala island jackal jaguar
jay juniper kestrel kingfisher kite kitten kiwi koala lagoon larch lark lemming lemur leopard lichen lily linden
linnet lion lizard llama lobster loon lotus lynx macaw magpie mallard manatee maple marlin marmot marten martin
meadow meerkat merlin mink mole mongoose moose moss moth mule narwhal newt nightingale nuthatch oak ocelot octopus
okapi oriole osprey ostrich otter owl ox oyster panda panther parrot partridge peacock pelican penguin petrel
pheasant pigeon pika pine plover pony poplar poppy porpoise puffin quail rabbit raccoon raven ray reindeer river
robin rook salmon sandpiper seal sequoia shrew skylark sloth snipe sparrow spruce squirrel starling stork sunfish
swallow swan swift tamarin tapir tern thistle thrush tiger toad tortoise toucan trout tulip turtle valley vole
walrus warbler weasel whale willow wombat wren yak zebra
"""

_ADJECTIVES: Final = tuple(_ADJECTIVE_LINES.split())
_NOUNS: Final = tuple(_NOUN_LINES.split())


NAME_LENGTH_MAX: Final = 200
"""Characters; a longer name that an author makes is cut."""


def is_drawn(name: str) -> bool:
    """Tell whether a name is one of those that `new_run_name` makes, so that nobody has chosen it."""
    adjective, _, noun = name.partition("-")
    return adjective in _ADJECTIVES and noun in _NOUNS


def filled(template: str | Callable[..., Any], parameters: Mapping[str, Any], places: Mapping[str, Any]) -> str:
    """Make the name of a run as its author asks.

    Args:
        template: a text with places such as `{region}`, or a function without arguments, or of `parameters`.
        parameters: parameters of the run, by name.
        places: further names that a text may use, where no parameter has that name.

    Raises:
        UsageError: there is no such place, or the function gives no text.
        Exception: of the author's function.
    """
    name = _called(template, parameters) if callable(template) else _formatted(template, {**places, **parameters})
    line = inert(" ".join(name.split())).encode("utf-8", "backslashreplace").decode()
    if not line:
        raise UsageError("it gives an empty text")
    return line if len(line) <= NAME_LENGTH_MAX else line[: NAME_LENGTH_MAX - 1] + "…"


def _called(function: Callable[..., Any], parameters: Mapping[str, Any]) -> str:
    import inspect  # noqa: PLC0415 - only for those who name runs by a function

    takes = inspect.signature(function).parameters
    name = function(parameters=dict(parameters)) if "parameters" in takes else function()
    if not isinstance(name, str):
        if inspect.iscoroutine(name):
            name.close()
        raise UsageError(f"it gives no text but a {type(name).__name__}")
    return name


def _formatted(template: str, places: Mapping[str, Any]) -> str:
    try:
        return template.format(**places)
    except KeyError as error:
        raise UsageError(f"there is no {error.args[0]}; known: {', '.join(places)}") from error
    except (IndexError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"'{template}' cannot be filled: {error}") from error


def new_run_name(random_bytes: bytes | None = None) -> str:
    """Make a name for a run. Names are for reading; two runs may share one.

    Args:
        random_bytes: at least 4 bytes to draw from, so that a test can hold the name; None for fresh ones.
    """
    drawn = os.urandom(NAME_BYTES) if random_bytes is None else random_bytes
    adjective = int.from_bytes(drawn[:2], "big") % len(_ADJECTIVES)
    noun = int.from_bytes(drawn[2:NAME_BYTES], "big") % len(_NOUNS)
    return f"{_ADJECTIVES[adjective]}-{_NOUNS[noun]}"
