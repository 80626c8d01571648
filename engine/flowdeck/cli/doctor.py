"""`flowdeck doctor`: what is wrong with this installation or its home, and how to put it right.

Unlike every other command it looks below Deck: it must have something to say when the home cannot be opened.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from flowdeck.cli import printing
from flowdeck.cli.documents.engine import engine_document
from flowdeck.cli.engine_checks import now, with_reasons
from flowdeck.cli.tables import Cell, Paper, paper_for, table
from flowdeck.cli.texts.parts import error_line
from flowdeck.cli.verbs import Verb, add_json, parsed
from flowdeck.deck import Deck, EngineStatus, RunQuery
from flowdeck.rules.exceptions import FlowdeckError
from flowdeck.rules.runs.run_filter import in_states
from flowdeck.rules.states import TERMINAL, StateType
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck.rules.versions import __version__
from flowdeck.store.database import sqlite
from flowdeck.store.database.integrity import check_file, restore_hint
from flowdeck.store.database.version import SCHEMA_VERSION
from flowdeck.store.home import NETWORK_FILESYSTEMS, Home, filesystem, locate

OLDEST_PYTHON: Final = (3, 11)
LITTLE_SPACE_BYTES: Final = 1 << 30
NO_SPACE_BYTES: Final = 64 << 20

_SIGNS: Final = {"ok": ("✓", "+", "32"), "warning": ("□", "o", "33"), "error": ("✗", "x", "31")}
_LIVE: Final = in_states(*(state for state in StateType if state not in TERMINAL))


class Check(NamedTuple):
    """One thing that was looked at: `status` is ok, warning or error; `fix` says what to do, None when nothing."""

    name: str
    status: str
    message: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """What could be learnt of state.db; `deck` None when it cannot be opened."""

    deck: Deck | None
    problem: str | None
    ok: bool
    schema_version: int | None


def main(argv: Sequence[str]) -> int:
    """Run `flowdeck doctor` with these words."""
    return VERB.run(parsed("flowdeck doctor", VERB, argv))


def _run(arguments: argparse.Namespace) -> int:
    home = locate()
    store = _open(home)
    engine = store.deck.engine.status() if store.deck is not None else EngineStatus(running=False)
    checks = [*_python(), *_sqlite(), *_home(home), *_store(home, store), *_engine(home, store, engine)]
    if store.deck is not None:
        checks += [*_folders(engine), *_files(store.deck), *_standing(store.deck)]
        store.deck.close()
    ok = all(check.status != "error" for check in checks)
    if arguments.json:
        printing.document(_document(ok, home, store, engine, checks))
    else:
        paper = paper_for(sys.stdout, os.environ, printing.terminal_width(sys.stdout), now())
        printing.lines(_text(ok, home, checks, paper))
    return 0 if ok else 1


def _document(ok: bool, home: Home, store: Store, engine: EngineStatus, checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "ok": ok,
        "flowdeck_version": __version__,
        "python": platform.python_version(),
        "sqlite": {
            "module": sqlite.MODULE,
            "version": ".".join(str(part) for part in sqlite.VERSION),
            "wal_reset_fixed": sqlite.WAL_RESET_FIXED,
        },
        "home": {
            "path": str(home.path),
            "writable": os.access(home.path, os.W_OK | os.X_OK),
            "filesystem": filesystem(_existing(home.path)),
            "free_bytes": _free_bytes(home.path),
        },
        "store": {"schema_version": store.schema_version, "ok": store.ok},
        "engine": engine_document(engine),
        "checks": [check._asdict() for check in checks],
    }


def _text(ok: bool, home: Home, checks: Sequence[Check], paper: Paper) -> list[str]:
    rows: list[tuple[Cell | str, ...]] = []
    for check in checks:
        unicode_sign, ascii_sign, colour = _SIGNS[check.status]
        sign = unicode_sign if paper.unicode else ascii_sign
        rows.append((Cell(f"{sign} {check.status}", colour), check.name, inert_line(check.message)))
        if check.fix is not None:
            rows.append(("", "", inert_line(f"→ {check.fix}" if paper.unicode else f"-> {check.fix}")))
    # Nothing is cut here: a fix that cannot be read to its end is none.
    whole = Paper(paper.now, paper.colours, paper.unicode, None)
    warned = any(check.status == "warning" for check in checks)
    verdict = (
        "Something is wrong; see above." if not ok else "All works; see the warnings." if warned else "All is well."
    )
    return [f"flowdeck {__version__}, home {home.path}", "", *table(("STATUS", "WHAT", ""), rows, whole), "", verdict]


# -- checks ------------------------------------------------------------------------------------------------------------


def _python() -> Iterator[Check]:
    version = f"Python {platform.python_version()} ({sys.executable})"
    if sys.version_info >= OLDEST_PYTHON:
        yield Check("python", "ok", version)
    else:
        yield Check("python", "error", version, "Use Python 3.11 or newer.")


def _sqlite() -> Iterator[Check]:
    version = f"SQLite {'.'.join(str(part) for part in sqlite.VERSION)} of {sqlite.MODULE}"
    if sqlite.WAL_RESET_FIXED:
        yield Check("sqlite", "ok", version)
    else:
        yield Check(
            "sqlite",
            "warning",
            f"{version} has the WAL-reset bug; flowdeck works around it by checkpointing by hand",
            "Where pysqlite3 has a wheel, `pip install pysqlite3` brings a SQLite without it.",
        )


def _home(home: Home) -> Iterator[Check]:
    path = home.path
    if not os.access(path, os.W_OK | os.X_OK):
        yield Check("home", "error", f"{path} cannot be written", "Set FLOWDECK_HOME to a folder you own.")
    else:
        yield Check("home", "ok", f"{path} can be written")
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            message = f"{path} may be entered by others (mode {mode:03o})"
            yield Check("home mode", "warning", message, f"chmod 700 {path}")
        else:
            yield Check("home mode", "ok", f"private (mode {mode:03o})")
    kind = filesystem(_existing(path))
    if kind in NETWORK_FILESYSTEMS:
        yield Check(
            "filesystem", "error", f"{path} is on a network file system ({kind})", "Put the home on a local disk."
        )
    else:
        yield Check("filesystem", "ok", f"local ({kind})")
    yield _space(home)
    logs_ok = os.access(home.logs, os.W_OK | os.X_OK)
    fix = None if logs_ok else f"chmod 700 {home.logs}"
    can = "can" if logs_ok else "cannot"
    yield Check("logs", "ok" if logs_ok else "error", f"{home.logs} {can} be written", fix)


def _space(home: Home) -> Check:
    free = _free_bytes(home.path)
    message = f"{free / (1 << 30):,.1f} GiB free" if free >= LITTLE_SPACE_BYTES else f"{free >> 20} MiB free"
    if free < NO_SPACE_BYTES:
        return Check("disk space", "error", message, f"Free some space on the disk of {home.path}.")
    status = "ok" if free >= LITTLE_SPACE_BYTES else "warning"
    return Check(
        "disk space", status, message, None if status == "ok" else "`flowdeck flow-run delete` removes old runs."
    )


def _store(home: Home, store: Store) -> Iterator[Check]:
    if store.problem is None:
        yield Check("store", "ok", f"{home.database} is sound, schema {store.schema_version}")
    else:
        damaged = os.access(home.path, os.W_OK | os.X_OK) and os.access(home.database, os.W_OK)
        fix = f"Keep a copy of {home.path}, then {restore_hint(home)}." if damaged else None
        yield Check("store", "error", store.problem, fix)


def _engine(home: Home, store: Store, engine: EngineStatus) -> Iterator[Check]:
    if engine.stalled is not None:
        message, _, fix = engine.stalled.partition(": ")
        yield Check("engine", "error", message, fix)
        return
    if engine.running:
        version = engine.version or "unknown"
        if version == __version__:
            yield Check("engine", "ok", f"runs (pid {engine.pid}, version {version})")
        else:
            message = f"runs (pid {engine.pid}), but is of version {version}"
            replace = "`flowdeck server start --background` replaces it."
            fix = replace if engine.is_older else "Use that version here too."
            yield Check("engine", "warning", message, fix)
        return
    if store.deck is not None and store.deck.flow_runs.count(RunQuery(filter=in_states(StateType.SCHEDULED))):
        message = "no engine runs, and runs are scheduled"
        yield Check("engine", "warning", message, f"`flowdeck server start`; its log is {home.engine_log}.")
    else:
        yield Check("engine", "ok", "none runs; one is started when it is needed")


def _folders(engine: EngineStatus) -> Iterator[Check]:
    missing = [folder for folder in engine.folders if not os.path.isdir(folder)]
    for folder in missing:
        yield Check("folder", "warning", f"the watched folder {folder} is gone", "Put it back, or leave it be.")
    if not missing:
        yield Check("folders", "ok", f"{len(engine.folders)} watched, all there")


def _files(deck: Deck) -> Iterator[Check]:
    entries = deck.flows.entries()
    broken = {(entry.folder, entry.file): entry for entry in entries if entry.status != "ok"}
    for (folder, file), entry in broken.items():
        place = f"{folder}/{file}"
        if entry.error is not None and entry.error.line is not None:
            place += f", line {entry.error.line}"
        message = f"{folder}/{file} cannot be imported: {error_line(entry.error)}"
        yield Check("flow file", "warning", message, f"Mend {place}; it is looked at again when it is saved.")
    if not broken:
        yield Check("flow files", "ok", f"{len(entries)} flows, every file can be imported")


def _standing(deck: Deck) -> Iterator[Check]:
    """Name the runs whose process is gone without a word."""
    live = deck.flow_runs.select(RunQuery(filter=_LIVE, limit=0))
    gone = [(run, reason) for run, reason in with_reasons(deck, live, now()) if reason and "is gone" in reason]
    for run, reason in gone:
        yield Check("run", "warning", f"run {run.name} ({run.id}): {reason}", "`flowdeck server start` tidies it up.")
    if not gone:
        yield Check("runs", "ok", f"{len(live)} not over, none without a process that it needs")


# -- facts -------------------------------------------------------------------------------------------------------------


def _open(home: Home) -> Store:
    """Open the home and let SQLite look through its pages."""
    try:
        deck = Deck(home.path)
    except (FlowdeckError, OSError) as error:
        return Store(None, str(error), ok=False, schema_version=None)
    try:
        problems, version = check_file(home.database)
    except sqlite.DatabaseError as error:
        deck.close()
        return Store(None, f"{home.database} cannot be read: {error}", ok=False, schema_version=None)
    if problems:
        deck.close()
        return Store(None, f"{home.database} is damaged: {'; '.join(problems)}", ok=False, schema_version=version)
    if version < SCHEMA_VERSION:
        problem = f"{home.database} has schema {version}; this flowdeck knows {SCHEMA_VERSION}"
        return Store(deck, problem, ok=False, schema_version=version)
    return Store(deck, None, ok=True, schema_version=version)


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(_existing(path)).free


def _existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


VERB: Final = Verb("check this installation and its home, and say how to fix what is wrong", add_json, _run)
