"""`flowdeck server …`: the engine of this home."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from flowdeck.cli import json_output, printing, text_output
from flowdeck.cli.settling import settle
from flowdeck.cli.surroundings import now
from flowdeck.cli.tables import paper_for
from flowdeck.cli.verbs import Parser, Verb, add_json, run_noun
from flowdeck.deck import Deck, EngineStatus
from flowdeck.rules.exceptions import RefusedError, UsageError

NOT_RUNNING: Final = 3


def main(argv: Sequence[str]) -> int:
    """Run `flowdeck server` with these words."""
    return run_noun("server", VERBS, argv)


def _configure_start(parser: Parser) -> None:
    parser.add_argument("folder", metavar="FOLDER", nargs="?", help="a folder of flows to watch from now on")
    parser.add_argument("--background", action="store_true", help="return once it runs")
    add_json(parser)


def _start(arguments: argparse.Namespace) -> int:
    if arguments.json and not arguments.background:
        raise UsageError("--json belongs to --background: an engine in the foreground has no result to print.")
    folder = None if arguments.folder is None else Path(arguments.folder)
    with closing(Deck()) as deck:
        if folder is not None:
            deck.watch_folder(folder)
        status = deck.engine_status()
        if arguments.background:
            status = deck.ensure_engine(started_by="server")
            settle(deck, None if folder is None else [os.path.realpath(folder.expanduser())])
            _show(status, arguments.json)
            _note_no_folders(status)
            return 0
        if status.running:
            raise RefusedError(
                f"An engine (pid {status.pid}) serves {deck.home} already. `flowdeck server stop` ends it; runs go on."
            )
        _note_no_folders(status)
    # Imported here: only this one command is an engine; watching files and what else it needs cost the others 50 ms.
    from flowdeck.service.engine import run_engine  # noqa: PLC0415

    return run_engine("server", folder)


def _note_no_folders(status: EngineStatus) -> None:
    if not status.folders:
        printing.note("no folder is watched yet; `flowdeck server start FOLDER` or `flowdeck FOLDER` adds one.")


def _stop(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        was_running = deck.stop_engine()
        if arguments.json:
            printing.document(json_output.server_status(deck.engine_status()))
        else:
            printing.lines(["The engine has stopped; runs go on." if was_running else "No engine was running."])
    return 0


def _status(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        status = deck.engine_status()
    _show(status, arguments.json)
    return 0 if status.running else NOT_RUNNING


def _show(status: EngineStatus, as_json: bool) -> None:
    if as_json:
        printing.document(json_output.server_status(status))
    else:
        paper = paper_for(sys.stdout, os.environ, printing.terminal_width(sys.stdout), now())
        printing.lines(text_output.engine(status, paper))


VERBS: Final[dict[str, Verb]] = {
    "start": Verb("run the engine in the foreground, or see that one runs in the background", _configure_start, _start),
    "stop": Verb("ask the engine to stop; runs go on", add_json, _stop),
    "status": Verb("tell whether an engine runs; exit 0 if so, 3 if not", add_json, _status),
}
