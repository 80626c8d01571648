"""The engine as the store knows it: the lock that it holds, its one row, bringing it up and asking it to stop."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Final

from flowdeck.rules.clock import SYSTEM_CLOCK, to_datetime
from flowdeck.rules.exceptions import RefusedError
from flowdeck.store import processes
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.home import Home
from flowdeck.store.records import EngineStatus

STAYS: Final = "server"
"""An engine of this origin stays until it is told to go."""
START_PATIENCE_SECONDS: Final = 15.0
STOP_PATIENCE_SECONDS: Final = 15.0
_STEP_SECONDS: Final = 0.02

_spawned: Final[list[subprocess.Popen[bytes]]] = []
"""Engines that this process started: as long as they are kept, Python does not warn that they outlive it."""


class EngineLock:
    """At most one engine a home: a file lock that the kernel drops when its holder dies, however it dies."""

    def __init__(self, home: Home) -> None:
        """Args: home: the home to serve."""
        self._path = home.engine_lock
        self._descriptor: int | None = None

    def acquire(self, *, wait: bool = False) -> bool:
        """Take the lock; False when another engine holds it.

        Args:
            wait: for the end of the one that does, which costs no processor; False then means that the home is gone.
        """
        # O_CLOEXEC: a run host that outlives its engine must not keep the lock.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        if wait and not (self._path.exists() and os.path.samestat(os.fstat(descriptor), os.stat(self._path))):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let the next engine have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def register(database: Database, version: str, started_by: str) -> None:
    """Note that this process is the home's engine."""
    pid = os.getpid()
    row = (pid, processes.token(pid), SYSTEM_CLOCK.now_microseconds(), version, started_by)
    database.write(
        lambda connection: connection.execute(
            """INSERT OR REPLACE INTO engine(id, pid, pid_token, started_at, version, started_by, spares_ready)
            VALUES (1, ?, ?, ?, ?, ?, 0)""",
            row,
        )
    )


def unregister(database: Database) -> None:
    """Note that there is no engine any more."""
    pid = os.getpid()
    database.write(lambda connection: connection.execute("DELETE FROM engine WHERE pid = ?", (pid,)))


def note_spares(database: Database, ready: int) -> None:
    """Note how many spares this process, the home's engine, has ready."""
    pid = os.getpid()
    database.write(
        lambda connection: connection.execute("UPDATE engine SET spares_ready = ? WHERE pid = ?", (ready, pid))
    )


def status(database: Database) -> EngineStatus:
    """Tell what is known of the engine; a row whose process is gone counts as none."""
    connection = database.reader()
    folders = tuple(
        path for (path,) in connection.execute("SELECT path FROM watched_folder ORDER BY added_at, path").fetchall()
    )
    row = _row(connection)
    if row is None or not processes.is_alive(row[0], row[1]):
        return EngineStatus(running=False, folders=folders)
    pid, _, started_at, version, spares_ready, started_by = row
    return EngineStatus(
        running=True, pid=pid, folders=folders, started_at=to_datetime(started_at), version=version,
        spares_ready=spares_ready, started_by=started_by,
    )  # fmt: skip


def ensure(
    database: Database,
    interpreter: str,
    started_by: str,
    sleep: Callable[[float], None],
    *,
    replace_older: bool = False,
) -> EngineStatus:
    """Start an engine process if none runs, and wait until one serves the home.

    Args:
        database: database of the home.
        interpreter: path of the Python to start it with.
        started_by: `tui`, `cli` or `server`.
        sleep: function that waits for seconds.
        replace_older: let an engine of an older flowdeck end first; the new one adopts its runs, and stays if that did.
    """
    current = status(database)
    if current.running and not (replace_older and current.is_older):
        return current
    if current.running:
        stop(database, sleep)
        started_by = STAYS if current.started_by == STAYS else started_by
    process = _spawn(database.home, interpreter, started_by)
    waited = 0.0
    while waited < START_PATIENCE_SECONDS:
        # Asked before the look: one that lost the race to another engine ends after that one has said that it serves.
        has_failed = process.poll() not in (None, 0)
        current = status(database)
        if current.running:
            return current
        if has_failed:
            break
        sleep(_STEP_SECONDS)
        waited += _STEP_SECONDS
    raise RefusedError(f"The engine did not come up. Its log says why: {database.home.engine_log}")


def stop(database: Database, sleep: Callable[[float], None]) -> bool:
    """Send the engine SIGTERM and wait for its end; False when there was none."""
    row = _row(database.reader())
    if row is None or not processes.is_alive(row[0], row[1]):
        return False
    pid, token = row[0], row[1]
    os.kill(pid, signal.SIGTERM)
    waited = 0.0
    while waited < STOP_PATIENCE_SECONDS:
        if not processes.is_alive(pid, token):
            return True
        sleep(_STEP_SECONDS)
        waited += _STEP_SECONDS
    raise RefusedError(f"The engine (pid {pid}) did not stop within {STOP_PATIENCE_SECONDS:.0f} s.")


def _row(connection: Connection) -> tuple[int, str, int, str, int, str] | None:
    return connection.execute(
        "SELECT pid, pid_token, started_at, version, spares_ready, started_by FROM engine WHERE id = 1"
    ).fetchone()


def _spawn(home: Home, interpreter: str, started_by: str) -> subprocess.Popen[bytes]:
    """Start an engine that outlives this process and its terminal."""
    environment = {**os.environ, "FLOWDECK_HOME": str(home.path)}
    environment.pop(processes.RUN_ID_VARIABLE, None)  # started by a flow, it is not of that flow's run
    with open(home.engine_log, "ab", opener=_private) as log:
        process = subprocess.Popen(
            [interpreter, "-P", "-m", "flowdeck.service", "--started-by", started_by],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    _spawned.append(process)
    return process


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
