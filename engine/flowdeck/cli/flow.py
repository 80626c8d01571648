"""`flowdeck flow …`: the flows that were found in watched folders."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from flowdeck.cli import printing
from flowdeck.cli.discovery_wait import settle
from flowdeck.cli.documents.flows import flow_detail_document, flow_document
from flowdeck.cli.engine_checks import now
from flowdeck.cli.flow_reference import known_flow
from flowdeck.cli.tables import Paper, paper_for
from flowdeck.cli.texts.flows import flow_lines, flow_table
from flowdeck.cli.verbs import Parser, Verb, add_json, add_limit, run_noun
from flowdeck.deck import Deck, FlowEntry
from flowdeck.rules.text.terminal_text import inert_line


def main(argv: Sequence[str]) -> int:
    """Run `flowdeck flow` with these words."""
    return run_noun("flow", VERBS, argv)


def _configure_ls(parser: Parser) -> None:
    add_limit(parser)
    add_json(parser)


def _ls(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        settle(deck)
        entries = deck.flows.entries()
        shown = entries[: arguments.limit] if arguments.limit else entries
        if arguments.json:
            printing.document([flow_document(entry) for entry in shown])
        elif shown:
            printing.lines(flow_table(shown, _paper()))
        for told in dict.fromkeys(_said_beside(entry) for entry in shown if entry.status == "ok" and entry.error):
            printing.note(told)
        if not entries:
            printing.note(_why_none(deck))
        elif len(shown) < len(entries):
            printing.note(f"{len(shown)} of {len(entries):,} flows; --limit 0 lists all.")
    return 0


def _said_beside(entry: FlowEntry) -> str:
    """Return what is to be said of a file that has flows: of those among them that cannot be started, too."""
    return f"{entry.file}: {'' if entry.error is None else inert_line(entry.error.message)}"


def _why_none(deck: Deck) -> str:
    status = deck.engine.status()
    if not status.folders:
        return "no folder is watched yet; `flowdeck server start FOLDER` or `flowdeck FOLDER` adds one."
    if not status.running:
        folders = ", ".join(status.folders)
        return f"no flows are known, and no engine runs to look in {folders}: `flowdeck server start`."
    return f"no flows were found in {', '.join(status.folders)}."


def _configure_inspect(parser: Parser) -> None:
    parser.add_argument("flow", metavar="FLOW", help="name, function or FILE:FUNCTION")
    add_json(parser)


def _inspect(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        entry = known_flow(deck, arguments.flow)
        if arguments.json:
            printing.document(flow_detail_document(entry))
        else:
            printing.lines(flow_lines(entry, _paper()))
    return 0


def _paper() -> Paper:
    return paper_for(sys.stdout, os.environ, printing.terminal_width(sys.stdout), now())


VERBS: Final[dict[str, Verb]] = {
    "ls": Verb("list the flows of watched folders, and files that cannot be imported", _configure_ls, _ls),
    "inspect": Verb("show a flow and its parameters", _configure_inspect, _inspect),
}
