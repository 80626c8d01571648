"""Connections to state.db: one that writes, shared by the threads of a process, and one for reading per thread.

A thread that writes commits by itself and takes along what other threads have queued meanwhile: measured with the rows
of a task call, that is several times faster than handing the work to a writer thread (figures in DESIGN.md).
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from flowdeck.rules.exceptions import StoreError
from flowdeck.store import sqlite
from flowdeck.store.doorbell import Ringer
from flowdeck.store.home import Home, locate, prepare
from flowdeck.store.settings import Settings, load
from flowdeck.store.version import SCHEMA_VERSION

T = TypeVar("T")
Operation = Callable[[sqlite.Connection], T]
"""What a writer does inside a transaction; it may run twice when another operation of its batch fails."""

LOCK_PATIENCE_SECONDS: Final = 30.0
"""How long a write waits for another process's lock before it gives up with a sentence."""
BATCH_MAX: Final = 256
COMMITS_PER_CHECKPOINT: Final = 2_000
"""Used only with a SQLite that has the WAL-reset bug, where automatic checkpoints are off."""


class Busy(Exception):  # noqa: N818 - a signal between `try_write` and its caller, not an error
    """The lock is held elsewhere; nothing was written."""


class _Ticket:
    __slots__ = ("done", "error", "operation", "result")

    def __init__(self, operation: Operation[Any]) -> None:
        self.operation = operation
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False


class Database:
    """state.db of one home, as one process uses it. Thread-safe."""

    def __init__(self, home: Home | None = None) -> None:
        """Open it; create or migrate it where needed.

        Raises:
            StoreError: the home cannot be used, or the database is of a newer flowdeck.
            UsageError: a setting cannot be used.
        """
        self.home = home or locate()
        prepare(self.home)
        self.settings: Settings = load(self.home)
        self._lock = threading.Lock()
        self._pending: deque[_Ticket] = deque()
        self._readers = threading.local()
        self._open_readers: list[sqlite.Connection] = []
        self._commits = 0
        self._committing_thread = 0
        self._deferred: BaseException | None = None
        self._ringer = Ringer(self.home.bells)
        self._writer = self._open_writer()
        _OPEN.add(self)

    # -- writing -------------------------------------------------------------------------------------------------

    def write(self, operation: Operation[T]) -> T:
        """Run `operation` in a transaction and return its result once that is committed.

        Raises:
            StoreError: another program held the lock for 30 s, or the disk is full.
        """
        ticket = _Ticket(operation)
        self._pending.append(ticket)
        with self._lock:
            self._committing_thread = threading.get_ident()
            try:
                if not ticket.done:
                    self._commit_pending(LOCK_PATIENCE_SECONDS)
            finally:
                self._committing_thread = 0
        self._raise_deferred()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def try_write(self, operation: Operation[T]) -> T:
        """Like `write`, but never wait for a lock: for event loops.

        Raises:
            Busy: the lock is held elsewhere; call `write` from a thread that may wait.
        """
        if not self._lock.acquire(blocking=False):
            raise Busy
        try:
            ticket = _Ticket(operation)
            self._begin(0.0)
            self._run_batch([ticket])
        finally:
            self._lock.release()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def interrupt(self, error: BaseException) -> None:
        """Raise `error` from a signal handler: now, or once the commit that this thread is in the middle of is done."""
        if self._committing_thread == threading.get_ident():
            self._deferred = error
        else:
            raise error

    def _raise_deferred(self) -> None:
        if self._deferred is not None and threading.current_thread() is threading.main_thread():
            error, self._deferred = self._deferred, None
            raise error

    def _commit_pending(self, patience_seconds: float) -> None:
        """Commit everything queued, the caller's ticket among it. The lock is held."""
        while self._pending:
            batch: list[_Ticket] = []
            while self._pending and len(batch) < BATCH_MAX:
                batch.append(self._pending.popleft())
            try:
                self._begin(patience_seconds)
            except BaseException as error:  # noqa: BLE001 - handed to each caller
                for ticket in batch:
                    ticket.error, ticket.done = error, True
                return
            self._run_batch(batch)

    def _begin(self, patience_seconds: float) -> None:
        """Take SQLite's write lock, waiting for other processes up to `patience_seconds`."""
        deadline = time.monotonic() + patience_seconds
        pause_seconds = 0.0005
        while True:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite.OperationalError as error:
                if not sqlite.is_busy(error):
                    raise self._explain(error) from None
                if patience_seconds == 0:
                    raise Busy from None
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"{self.home.database} was locked by another program for {patience_seconds:.0f} s. "
                        "Nothing was written; close that program and try again."
                    ) from None
                time.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, 0.02)
            else:
                return

    def _run_batch(self, batch: list[_Ticket]) -> None:
        try:
            for ticket in batch:
                ticket.result = ticket.operation(self._writer)
            self._writer.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - handed to the caller whose operation it was
            self._writer.rollback()
            if len(batch) == 1 or isinstance(error, sqlite.OperationalError):
                explained = self._explain(error)
                for ticket in batch:
                    ticket.error, ticket.done = explained, True
                return
            # One operation of several failed: each gets a transaction of its own, so that only the guilty one fails.
            for ticket in batch:
                self._begin(LOCK_PATIENCE_SECONDS)
                self._run_batch([ticket])
            return
        except BaseException:
            # Not from an operation: a signal handler raised in this thread. What others queued is for the next writer.
            self._writer.rollback()
            self._pending.extendleft(reversed(batch))
            raise
        for ticket in batch:
            ticket.done = True
        self._ringer.ring()
        self._commits += 1
        if not sqlite.WAL_RESET_FIXED and self._commits % COMMITS_PER_CHECKPOINT == 0:
            # RESTART holds the writer's lock throughout, so that no other commit can reset the WAL meanwhile.
            self._writer.execute("PRAGMA wal_checkpoint(RESTART)")

    def _explain(self, error: BaseException) -> BaseException:
        if isinstance(error, sqlite.OperationalError) and "full" in str(error):
            return StoreError(f"The disk that holds {self.home.path} is full; nothing was written.")
        if isinstance(error, sqlite.OperationalError | sqlite.DatabaseError) and not isinstance(
            error, sqlite.IntegrityError
        ):
            return StoreError(f"{self.home.database} cannot be written: {error}.")
        return error

    # -- reading -------------------------------------------------------------------------------------------------

    def reader(self) -> sqlite.Connection:
        """Return this thread's connection for reading. Keep no cursor of it open: a long read stops checkpoints."""
        connection: sqlite.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._readers.connection = connection
            self._open_readers.append(connection)
        return connection

    def close(self) -> None:
        """Close what this process has open; a later call of any method fails."""
        _OPEN.discard(self)
        with self._lock:
            for connection in (*self._open_readers, self._writer):
                connection.close()
            self._open_readers.clear()
        self._ringer.close()

    # -- opening -------------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite.Connection:
        return sqlite.connect(self.home.database, isolation_level=None, check_same_thread=False, timeout=5.0)

    def _open_writer(self) -> sqlite.Connection:
        new = not self.home.database.exists()
        try:
            connection = self._connect()
            found: int = connection.execute("PRAGMA user_version").fetchone()[0]
            if found > SCHEMA_VERSION:
                raise StoreError(
                    f"{self.home.database} was written by a newer flowdeck (schema {found}; this one knows "
                    f"{SCHEMA_VERSION}). Use that version, or set FLOWDECK_HOME to another folder."
                )
            if found < SCHEMA_VERSION:
                _create(self.home, connection)
            if new:
                os.chmod(self.home.database, 0o600)
            full = self.settings.durability == "full"
            connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            connection.execute("PRAGMA busy_timeout = 0")
            if not sqlite.WAL_RESET_FIXED:
                connection.execute("PRAGMA wal_autocheckpoint = 0")
        except sqlite.DatabaseError as error:
            raise StoreError(f"{self.home.database} cannot be opened: {error}. See `flowdeck doctor`.") from None
        return connection

    def forget_after_fork(self) -> None:
        """Drop the connections without closing them: in a forked child, closing would drop the parent's locks."""
        _LEAKED.extend((self._writer, *self._open_readers))
        self._open_readers = []
        self._readers = threading.local()
        self._lock = threading.Lock()
        self._pending.clear()
        self._writer = self._open_writer()


def _create(home: Home, connection: sqlite.Connection) -> None:
    from flowdeck.store import schema  # noqa: PLC0415 - only for a new or older home: it imports sqlite-utils (0.1 s)

    connection.execute("PRAGMA journal_mode = WAL")
    schema.migrate(home, connection)


_OPEN: weakref.WeakSet[Database] = weakref.WeakSet()
_LEAKED: list[sqlite.Connection] = []


def _after_fork_in_child() -> None:
    for database in list(_OPEN):
        database.forget_after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
