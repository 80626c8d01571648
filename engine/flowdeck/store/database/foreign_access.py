"""Keeping other code of this process away from state.db: what it does there would undo the locks of our connections.

POSIX locks belong to a process, and closing any descriptor of a file drops all that the process has on it. SQLite knows
that and shares descriptors among its connections; another copy of SQLite, or a plain `open`, does not. The next process
that closes the database then believes to be the last, takes the write-ahead log away, and what this one commits from
then on is lost (seen: acknowledged rows vanished).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

from flowdeck.rules.exceptions import StoreError
from flowdeck.store.database import sqlite
from flowdeck.store.home import Home

_LOCKED_NAMES: Final = ("state.db", "state.db-shm")
"""The files on which SQLite holds locks."""
_OTHER_MODULE: Final = "_sqlite3"
"""The standard library's SQLite, once it is loaded."""

_WHY_NOT: Final = "That would undo the locks of flowdeck's own connections, and lose what is recorded."

_guarded: Final[set[str]] = set()
_hooked: Final[list[str]] = []
_trusted_threads: Final[set[int]] = set()


def guard(home: Home) -> None:
    """From now on, refuse the home's database to code of this process that is not ours.

    For processes in which code of users runs, and there are no others with it: an audit hook cannot be taken away
    again, and costs each audited event 0.1 µs, each `open` 0.3 µs.
    """
    _guarded.add(str(home.database))
    if not _hooked:
        _hooked.append(sqlite.MODULE)
        sys.addaudithook(_audit)


def check_not_open(home: Home) -> None:
    """Refuse to open a database that other code of this process has open.

    Raises:
        StoreError: it has.
    """
    if sqlite.MODULE == "sqlite3" or _OTHER_MODULE not in sys.modules:
        return  # there is only one copy of SQLite
    with suppress(OSError):
        wanted = os.stat(home.database)
        for descriptor in os.listdir("/dev/fd"):
            with suppress(OSError, ValueError):
                if os.path.samestat(os.fstat(int(descriptor)), wanted):
                    raise StoreError(
                        f"This process has {home.database} open already, without flowdeck. {_WHY_NOT} "
                        "Close it before flowdeck is used."
                    )


@contextmanager
def trusted() -> Generator[None]:
    """Let this thread open the files of a database as it likes; it knows what it does."""
    _trusted_threads.add(threading.get_ident())
    try:
        yield
    finally:
        _trusted_threads.discard(threading.get_ident())


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        name = arguments[0]
        if type(name) is str and name.endswith(_LOCKED_NAMES) and _is_guarded(name):
            raise StoreError(
                f"{name} may not be opened by a process that runs a flow. {_WHY_NOT} "
                "Let a process of its own do that (to copy the file: `cp`)."
            )
    elif event == "sqlite3.connect" and sqlite.MODULE != "sqlite3":
        name = _file_of(arguments[0])
        if name is not None and _is_guarded(name):
            raise StoreError(
                f"{name} may not be opened by `sqlite3` in a process that runs a flow: flowdeck has it open by another "
                f"SQLite library. {_WHY_NOT} Use `from {sqlite.MODULE} import dbapi2 as sqlite3`, or a process of its "
                "own."
            )


def _file_of(name: object) -> str | None:
    """Return the path of what `sqlite3.connect` was given; None when it is no file."""
    if not isinstance(name, str | bytes | os.PathLike):
        return None
    path = os.fsdecode(name)
    if not path.startswith("file:"):
        return path
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - for the few who open a database by its URI: 5 ms

    return unquote(urlsplit(path).path)


def _is_guarded(name: str) -> bool:
    """Tell whether a path leads to a guarded database, or to its shared memory, by whatever way."""
    if threading.get_ident() in _trusted_threads:
        return False
    with suppress(OSError, ValueError):
        status = os.stat(name)
        for database in _guarded:
            for path in (database, f"{database}-shm"):
                with suppress(OSError):
                    if os.path.samestat(status, os.stat(path)):
                        return True
    return False
