"""The engine as the store knows it: the lock that it holds, its one row, bringing it up and asking it to stop."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from flowdeck.rules.clock import MICROSECONDS_PER_SECOND, SYSTEM_CLOCK, to_datetime
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
FORCE_PATIENCE_SECONDS: Final = 3.0
"""How long an engine that is ended by force has to end by itself before it is killed."""
BEAT_SECONDS: Final = 5.0
"""How often an engine gives a sign of life: the time of its lock file, which no reader of the database is woken by."""
SILENCE_SECONDS: Final = 30.0
"""An engine that gave no sign of life for so long counts as hung."""
_STEP_SECONDS: Final = 0.02
_HOLDER_MAX_BYTES: Final = 1000

_spawned: Final[list[subprocess.Popen[bytes]]] = []
"""Engines that this process started: as long as they are kept, Python does not warn that they outlive it."""


class _Process(NamedTuple):
    pid: int
    token: str


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
        self._name_holder(descriptor)
        return True

    def release(self) -> None:
        """Let the next engine have it."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def _name_holder(self, descriptor: int) -> None:
        """Write who holds the lock into it: to be found even when the database is lost. A full disk prevents it."""
        pid = os.getpid()
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{pid}\n{processes.token(pid)}\n".encode(), 0)


def beat(home: Home) -> None:
    """Give the sign of life of this process, which holds the engine lock."""
    with suppress(OSError):  # a home that is gone is noticed elsewhere
        os.utime(home.engine_lock)


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
        spares_ready=spares_ready, started_by=started_by, stalled=_why_stalled(database.home, pid),
    )  # fmt: skip


def _why_stalled(home: Home, pid: int) -> str | None:
    """Say why an engine does nothing although its process is there, and what to do; None when it works."""
    if processes.is_stopped(pid):
        go_on = f"`kill -CONT {pid}` lets it go on, `flowdeck server stop --force` ends it"
        return f"the engine (pid {pid}) is stopped by a signal or a debugger: {go_on}"
    silence_seconds = _silence_seconds(home, pid)
    if silence_seconds < SILENCE_SECONDS:
        return None
    silent = f"the engine (pid {pid}) has given no sign of life for {silence_seconds:.0f} s"
    return f"{silent}: `flowdeck server stop --force` ends it, runs go on"


def _silence_seconds(home: Home, pid: int) -> float:
    """Return how long ago an engine gave its last sign of life; 0 for one of an older flowdeck, which gives none."""
    holder = _lock_holder(home)
    if holder is None or holder.pid != pid:
        return 0.0
    try:
        return SYSTEM_CLOCK.now_microseconds() / MICROSECONDS_PER_SECOND - home.engine_lock.stat().st_mtime
    except OSError:
        return 0.0


def _lock_holder(home: Home) -> _Process | None:
    """Return the living process that the lock file names as its holder; None when it names none."""
    try:
        with open(home.engine_lock, "rb") as file:
            pid, _, token = file.read(_HOLDER_MAX_BYTES).decode("ascii", "replace").strip().partition("\n")
    except OSError:
        return None
    if not (pid.isdecimal() and processes.is_alive(int(pid), token)):
        return None
    return _Process(int(pid), token)


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


def stop(database: Database, sleep: Callable[[float], None], *, force: bool = False) -> bool:
    """Send the engine SIGTERM and wait for its end; False when there was none.

    Args:
        database: database of the home.
        sleep: function that waits for seconds.
        force: let one that is stopped go on to its end, and kill one that does not come to it.

    Raises:
        RefusedError: it is stopped or hung and `force` is not given, or it did not end.
    """
    engine = _living(database)
    if engine is None:
        return False
    stalled = _why_stalled(database.home, engine.pid)
    if stalled is not None and not force:
        raise RefusedError(f"Nothing was stopped: {stalled}.")
    _signal(engine, signal.SIGTERM)
    if force:
        _signal(engine, signal.SIGCONT)
        if _has_ended(engine, FORCE_PATIENCE_SECONDS, sleep):
            return True
        _signal(engine, signal.SIGKILL)
    if _has_ended(engine, STOP_PATIENCE_SECONDS, sleep):
        return True
    hint = "" if force else " `flowdeck server stop --force` ends it; runs go on."
    raise RefusedError(f"The engine (pid {engine.pid}) did not stop within {STOP_PATIENCE_SECONDS:.0f} s.{hint}")


def _living(database: Database) -> _Process | None:
    """Return the process of the engine, by its row or, where that is lost, by its lock; None when there is none."""
    row = _row(database.reader())
    if row is not None and processes.is_alive(row[0], row[1]):
        return _Process(row[0], row[1])
    return _lock_holder(database.home)


def _signal(engine: _Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(engine.pid, number)


def _has_ended(engine: _Process, patience_seconds: float, sleep: Callable[[float], None]) -> bool:
    waited = 0.0
    while processes.is_alive(*engine):
        if waited >= patience_seconds:
            return False
        sleep(_STEP_SECONDS)
        waited += _STEP_SECONDS
    return True


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
