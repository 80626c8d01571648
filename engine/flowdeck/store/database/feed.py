"""The change feed as readers see it: wait for the bell (or look ten times a second), then read rows by sequence."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from typing import Final

from flowdeck.store.database.database import Database
from flowdeck.store.database.doorbell import Bell
from flowdeck.store.database.sqlite import data_version
from flowdeck.store.records import Changes

POLL_SECONDS: Final = 0.1
"""How often a reader looks by itself, in case a ring was lost: PRAGMA data_version, a few microseconds."""


class ChangeFeed:
    """Tells one reader what has changed since it last asked. Owned by one thread, except `wake`."""

    def __init__(self, database: Database) -> None:
        """Start from now: what was committed before is not reported."""
        self._database = database
        # A connection of its own: data_version tells only of commits made through other connections, and the thread
        # that makes a feed need not be the one that waits on it.
        self._connection = database.new_reader()
        self._last_seq = self._newest()
        self._version = -1
        self._wake_lock = threading.Lock()
        self._wake_read, self._wake_write = _pipe()
        self._bell: Bell | None = None
        with contextlib.suppress(OSError):
            self._bell = Bell(database.home.bells)

    def wait(self, timeout_seconds: float | None) -> Changes | None:
        """Block until something has changed; None after `timeout_seconds` or when woken."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            changes = self.poll()
            if changes is not None:
                return changes
            left = POLL_SECONDS if deadline is None else min(POLL_SECONDS, deadline - time.monotonic())
            if left < 0 or self._sleep(left):
                return None

    def poll(self) -> Changes | None:
        """Return what has changed, without waiting; None when nothing has."""
        version = data_version(self._connection)
        if version == self._version:
            return None
        self._version = version
        return self._read()

    def wake(self) -> None:
        """Make a blocked `wait` return None; from any thread."""
        # Under a lock: once closed, the number of the descriptor may stand for a file of somebody else.
        with self._wake_lock, contextlib.suppress(OSError):
            os.write(self._wake_write, b"w")

    def fileno(self) -> int | None:
        """Return the bell's descriptor for an event loop to watch; None where there is only polling."""
        return self._bell.socket.fileno() if self._bell is not None else None

    def drain(self) -> None:
        """Take the rings that wait, for an event loop that watches `fileno`."""
        if self._bell is not None:
            self._bell.drain()

    def close(self) -> None:
        """Take the bell away."""
        if self._bell is not None:
            self._bell.close()
            self._bell = None
        with self._wake_lock:
            for descriptor in (self._wake_read, self._wake_write):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            self._wake_read = self._wake_write = -1
        self._connection.close()

    def __enter__(self) -> ChangeFeed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sleep(self, seconds: float) -> bool:
        """Wait for the bell; True when `wake` was called."""
        waiting = select.poll()  # select() takes no descriptor above 1023
        waiting.register(self._wake_read, select.POLLIN)
        if self._bell is not None:
            waiting.register(self._bell.socket.fileno(), select.POLLIN)
        ready = [descriptor for descriptor, _ in waiting.poll(seconds * 1000)]
        self.drain()
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 64)
            return True
        return False

    def _newest(self) -> int:
        return self._connection.execute("SELECT coalesce(max(seq), 0) FROM change").fetchone()[0]

    def _read(self) -> Changes | None:
        rows = self._connection.execute(
            "SELECT seq, kind, key FROM change WHERE seq > ? ORDER BY seq", (self._last_seq,)
        ).fetchall()
        if not rows:
            return None
        resync = rows[0][0] != self._last_seq + 1
        self._last_seq = rows[-1][0]
        if resync:
            return Changes(resync=True)
        kinds = {kind for _, kind, _ in rows}
        return Changes(
            flow_runs=frozenset(key for _, kind, key in rows if kind == "run"),
            flows="flow" in kinds,
            engine="engine" in kinds,
        )


def _pipe() -> tuple[int, int]:
    """Make a pipe that blocks nobody and that no child inherits; macOS has no pipe2."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends
