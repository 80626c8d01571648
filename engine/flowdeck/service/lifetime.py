"""How long an engine stays: as long as its home does; one of a front end until nobody looks and nothing is to do."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from flowdeck.rules.clock import SYSTEM_CLOCK, Clock
from flowdeck.store.database.database import Database
from flowdeck.store.database.doorbell import SUFFIX, short_path
from flowdeck.store.home import Home
from flowdeck.store.runs import process_claims


class Lifetime:
    """Knows since when an engine has been of no use to anybody."""

    def __init__(self, database: Database, clock: Clock = SYSTEM_CLOCK) -> None:
        """Begin with the full time.

        Args:
            database: database of the home.
            clock: the clock that tells the time.
        """
        self._database = database
        self._clock = clock
        self._needed_at = clock.monotonic_seconds()
        self.idle_seconds = database.settings.engine_idle_seconds

    @property
    def look_seconds(self) -> float:
        """How often `is_over` should be asked."""
        return min(1.0, max(0.05, self.idle_seconds / 4))

    def is_over(self) -> bool:
        """Tell whether the engine may go: for long enough no client was there and nothing ran or was scheduled."""
        now = self._clock.monotonic_seconds()
        if process_claims.any_live(self._database.reader()) or has_clients(self._database.home):
            self._needed_at = now
        return now - self._needed_at >= self.idle_seconds


class HomeWatch:
    """Knows whether a home is still the one that the engine began to serve."""

    def __init__(self, home: Home) -> None:
        """Remember the home as it is."""
        names = [home.engine_lock.name, *(f"{home.database.name}{suffix}" for suffix in ("", "-wal", "-shm"))]
        self._files = {home.path / name: _identity(home.path / name) for name in names}
        self._database, self._was_empty = home.database, _is_empty(home.database)

    def missing(self) -> list[str]:
        """Return the names of files that were removed, replaced or emptied: then locks protect nothing any more."""
        gone = [path.name for path, known in self._files.items() if known is None or _identity(path) != known]
        if not self._was_empty and _is_empty(self._database) and self._database.name not in gone:
            gone.append(self._database.name)
        return gone


def _is_empty(path: Path) -> bool:
    try:
        return os.stat(path).st_size == 0
    except OSError:
        return True


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def has_clients(home: Home) -> bool:
    """Tell whether another process listens for changes of this home: a terminal, or a command that watches."""
    own = f"{os.getpid()}-"
    try:
        descriptor = os.open(home.bells, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        names = [name for name in os.listdir(descriptor) if name.endswith(SUFFIX) and not name.startswith(own)]
        return any(_is_listened_to(short_path(home.bells, descriptor, name)) for name in names)
    finally:
        os.close(descriptor)


def _is_listened_to(path: str) -> bool:
    """Tell whether a process has this socket open: the file alone outlives a reader that was killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(path)
        return True
    return False
