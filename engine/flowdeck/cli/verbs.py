"""What the nouns share: choosing the verb, parsing its words, and saying in one sentence what is wrong with them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, NoReturn

from flowdeck.rules.exceptions import UsageError
from flowdeck.rules.text.near_names import nearest

LIST_LIMIT: Final = 100

_PREFIXES: Final = {
    "the following arguments are required: ": "Missing: ",
    "unrecognized arguments: ": "Not understood: ",
    "argument ": "",
}
"""How argparse begins its messages, and what we say instead."""


class Parser(argparse.ArgumentParser):
    """argparse, with its errors as our own sentences.

    Args:
        prog: the command as it is typed.
        description: description of what it does.
        epilog: text below the options, laid out as it is.
    """

    def __init__(self, prog: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Raise the sentence as UsageError; `main` shows it."""
        for prefix, ours in _PREFIXES.items():
            if message.startswith(prefix):
                message = ours + message.removeprefix(prefix)
                break
        raise UsageError(f"{message.rstrip('.')}. See `{self.prog} --help`.")


class Verb(NamedTuple):
    """One thing that can be done with a noun."""

    summary: str
    configure: Callable[[Parser], Any]
    run: Callable[[argparse.Namespace], int]
    epilog: str | None = None


def run_noun(noun: str, verbs: Mapping[str, Verb], argv: Sequence[str]) -> int:
    """Run the verb that the words name.

    Raises:
        UsageError: they name none, or it does not understand the rest.
    """
    if argv and argv[0] in ("-h", "--help", "help"):
        print(_help(noun, verbs))
        return 0
    if not argv:
        raise UsageError(f"Say what to do: flowdeck {noun} {' | '.join(verbs)}.")
    word, *rest = argv
    if word not in verbs:
        close = nearest(word, verbs)
        hint = f"Did you mean `flowdeck {noun} {close}`?" if close else f"There are: {', '.join(verbs)}."
        raise UsageError(f"`flowdeck {noun}` knows no '{word}'. {hint}")
    verb = verbs[word]
    return verb.run(parsed(f"flowdeck {noun} {word}", verb, rest))


def parsed(command: str, verb: Verb, argv: Sequence[str]) -> argparse.Namespace:
    """Parse the words behind a command."""
    parser = Parser(command, sentence(verb.summary), verb.epilog)
    verb.configure(parser)
    return parser.parse_args(argv)


def sentence(summary: str) -> str:
    """Write a summary of the help as a sentence."""
    return f"{summary[0].upper()}{summary[1:]}."


def add_json(parser: Parser) -> None:
    """Take `--json`."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, as documented")


def add_limit(parser: Parser) -> None:
    """Take `--limit`."""
    parser.add_argument(
        "--limit", type=count, default=LIST_LIMIT, metavar="N", help="how many at most, 0 for all (default 100)"
    )


def count(text: str) -> int:
    """Read a number that may not be negative.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 on")
    return int(text)


def _help(noun: str, verbs: Mapping[str, Verb]) -> str:
    width = max(len(name) for name in verbs)
    lines = [f"usage: flowdeck {noun} COMMAND ...", "", "Commands:"]
    lines += [f"  {name:<{width}}  {verb.summary}" for name, verb in verbs.items()]
    return "\n".join([*lines, "", f"  flowdeck {noun} COMMAND --help  says more"])


def add_parameters(parser: Parser) -> None:
    """Let a verb take parameters of a flow."""
    parser.add_argument(
        "-p",
        dest="parameters",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter; as often as needed",
    )
