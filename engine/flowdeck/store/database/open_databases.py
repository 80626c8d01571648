"""The databases that this process has open, and what each is told when the process forks or ends."""

from __future__ import annotations

import atexit
import os
import select
import threading
import weakref
from contextlib import suppress
from typing import Final, Protocol

from flowdeck.store.database import sqlite
from flowdeck.store.home import Home

FORK_PATIENCE_SECONDS: Final = 1.0
"""How long a fork waits for a commit of another thread, and for its child to be ready."""


class OpenDatabase(Protocol):
    """What a process may ask of a database that it has open."""

    home: Home

    def before_fork(self) -> None:
        """Let a commit of another thread end."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Drop the connections of the parent."""

    def leave_foreign_files(self) -> None:
        """Never let SQLite close files that only have the numbers of ours."""


leaked: Final[list[sqlite.Connection | None]] = []
"""Connections of a parent, which its forked child keeps and never closes."""
_open: Final[weakref.WeakSet[OpenDatabase]] = weakref.WeakSet()
_forking = threading.local()


def add(database: OpenDatabase) -> None:
    """Take a database into account from now on."""
    _open.add(database)


def discard(database: OpenDatabase) -> None:
    """Forget a database, once its connections are closed."""
    _open.discard(database)


def has(home: Home) -> bool:
    """Tell whether a database of this home is open."""
    return any(database.home == home for database in list(_open))


def _before_fork() -> None:
    for database in list(_open):
        database.before_fork()
    _forking.ends = None
    with suppress(OSError):  # no descriptor left: then the parent does not wait
        _forking.ends = os.pipe() if _open else None


def _after_fork_in_parent() -> None:
    for database in list(_open):
        database.after_fork_in_parent()
    if _forking.ends is not None:
        # Until the child has its locks, the parent may not close: that is until it closes its ends of the pipe.
        reading, writing = _forking.ends
        os.close(writing)
        waiting = select.poll()
        waiting.register(reading, select.POLLIN)
        waiting.poll(FORK_PATIENCE_SECONDS * 1000)
        os.close(reading)


def _after_fork_in_child() -> None:
    for database in list(_open):
        database.after_fork_in_child()
    for end in _forking.ends or ():
        os.close(end)


def _at_exit() -> None:
    for database in list(_open):
        database.leave_foreign_files()


atexit.register(_at_exit)
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
