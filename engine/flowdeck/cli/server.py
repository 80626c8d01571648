"""`flowdeck server …`: the engine of this home."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from flowdeck.cli import printing
from flowdeck.cli.discovery_wait import settle
from flowdeck.cli.documents.engine import enablement_document, engine_document
from flowdeck.cli.engine_checks import note_stalled, note_version, now
from flowdeck.cli.tables import paper_for
from flowdeck.cli.texts.engine import engine_lines
from flowdeck.cli.verbs import Parser, Verb, add_json, run_noun
from flowdeck.deck import Deck, EngineStatus
from flowdeck.rules.exceptions import RefusedError, UsageError
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck.rules.versions import __version__
from flowdeck.service import service_managers
from flowdeck.service.service_managers import Enablement
from flowdeck.service.units import EngineCommand
from flowdeck.store.home import locate

NOT_RUNNING: Final = 3
START_PATIENCE_SECONDS: Final = 15.0
"""How long an engine may take to come up."""
LOOK_SECONDS: Final = 0.1


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
            deck.folders.watch(folder)
        before = deck.engine.status()
        if arguments.background:
            status = deck.engine.ensure(started_by="server", replace_older=True)
            _note_versions(before, status)
            if status.stalled is not None:
                raise RefusedError(f"No engine was started: {status.stalled}.")
            settle(deck, None if folder is None else [os.path.realpath(folder.expanduser())])
            _show(status, arguments.json)
            _note_no_folders(status)
            return 0
        if before.is_older:
            deck.engine.stop()
            _note_versions(before, None)
        elif before.running:
            hint = before.stalled or before.version_note or "`flowdeck server stop` ends it; runs go on."
            raise RefusedError(f"An engine (pid {before.pid}) serves {deck.home} already: {hint}")
        _note_no_folders(before)
    # Imported here: only this one command is an engine; watching files and what else it needs cost the others 50 ms.
    from flowdeck.service.engine import run_engine  # noqa: PLC0415

    return run_engine("server", folder)


def _note_versions(before: EngineStatus, now_running: EngineStatus | None) -> None:
    """Say which engine has made way for one of this version, or that one of a newer version stays."""
    if now_running is not None and now_running.pid == before.pid:
        note_version(now_running)
    elif before.is_older:
        ended = f"the engine of flowdeck {before.version} (pid {before.pid}) has ended"
        printing.note(f"{ended}; one of {__version__} takes its place, and its runs go on.")


def _note_no_folders(status: EngineStatus) -> None:
    if not status.folders:
        printing.note("no folder is watched yet; `flowdeck server start FOLDER` or `flowdeck FOLDER` adds one.")


def _configure_stop(parser: Parser) -> None:
    parser.add_argument("--force", action="store_true", help="kill it when it does not stop, as one that hangs")
    add_json(parser)


def _stop(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        was_running = deck.engine.stop(force=arguments.force)
        if arguments.json:
            printing.document(engine_document(deck.engine.status()))
        else:
            printing.lines(["The engine has stopped; runs go on." if was_running else "No engine was running."])
    return 0


def _status(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        status = deck.engine.status()
    _show(status, arguments.json)
    note_stalled(status)
    note_version(status)
    for gone in [folder for folder in status.folders if not os.path.isdir(folder)]:
        printing.note(f"{gone} is not there; its flows are listed until `flowdeck server unwatch {shlex.quote(gone)}`.")
    return 0 if status.works else NOT_RUNNING


def _configure_unwatch(parser: Parser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="as `server status` shows it; it need not be there any more")
    add_json(parser)


def _unwatch(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        folder = Path(arguments.folder)
        deck.folders.unwatch(folder)
        if arguments.json:
            printing.document(engine_document(deck.engine.status()))
        else:
            printing.lines([inert_line(f"The folder {folder} is watched no more; its runs stay.")])
    return 0


# -- from login on -----------------------------------------------------------------------------------------------------


def _enable(arguments: argparse.Namespace) -> int:
    home = locate()
    manager = service_managers.service_manager()
    manager.check(home)
    with closing(Deck()) as deck:
        before = deck.engine.status()
        if before.is_newer:
            raise RefusedError(f"Nothing was changed: {before.version_note}")
        enablement = manager.enable(EngineCommand.of(home, sys.executable, os.environ))
        if before.running and deck.engine.status().pid == before.pid:
            deck.engine.stop()  # the one that was enabled waits for its end; runs go on
        if not _comes_up(deck, before.pid):
            raise RefusedError(
                f"{enablement.name} is enabled, but its engine did not come up. Its log says why: {home.engine_log}"
            )
    _show_enablement(enablement, arguments.json)
    if enablement.linger is False:
        printing.note(
            "it ends when you log out and starts when you log in; "
            f"`loginctl enable-linger {service_managers.user_name()}` keeps it from boot on."
        )
    return 0


def _disable(arguments: argparse.Namespace) -> int:
    home = locate()
    manager = service_managers.service_manager()
    manager.check(home)
    enablement = manager.disable(home)
    if enablement is None:
        printing.note(f"no engine of {home.path} was enabled; `flowdeck server stop` stops one that runs.")
    _show_enablement(enablement, arguments.json)
    return 0


def _comes_up(deck: Deck, earlier_pid: int | None) -> bool:
    """Wait until another engine than that of before serves the home."""
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    with deck.changes() as feed:
        while deck.engine.status().pid in (None, earlier_pid):
            if time.monotonic() > deadline:
                return False
            feed.wait(LOOK_SECONDS)
    return True


def _show_enablement(enablement: Enablement | None, as_json: bool) -> None:
    if as_json:
        printing.document(enablement_document(enablement))
    elif enablement is not None:
        does = "runs the engine now and from every login on" if enablement.enabled else "is stopped; runs go on"
        printing.lines([inert_line(f"{enablement.name} {does} ({enablement.file}).")])


def _show(status: EngineStatus, as_json: bool) -> None:
    if as_json:
        printing.document(engine_document(status))
    else:
        paper = paper_for(sys.stdout, os.environ, printing.terminal_width(sys.stdout), now())
        printing.lines(engine_lines(status, paper))


VERBS: Final[dict[str, Verb]] = {
    "start": Verb("run the engine in the foreground, or see that one runs in the background", _configure_start, _start),
    "stop": Verb("ask the engine to stop; runs go on", _configure_stop, _stop),
    "unwatch": Verb("take a folder from those that are watched, with its flows", _configure_unwatch, _unwatch),
    "enable": Verb("start the engine at every login, by systemd or launchd", add_json, _enable),
    "disable": Verb("stop it, and start it at login no more; runs go on", add_json, _disable),
    "status": Verb("tell whether an engine runs; exit 0 if so, 3 if not", add_json, _status),
}
