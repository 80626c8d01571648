"""Connections to state.db: one that writes, shared by the threads of a process, and one for reading per thread.

A thread that writes commits by itself and takes along what other threads have queued meanwhile: measured with the rows
of a task call, that is several times faster than handing the work to a writer thread (figures in DESIGN.md).

A signal handler may raise between any two steps of the thread that commits. So nothing that others rely on is only in
a local variable: a ticket is marked done inside of its transaction, and who writes next looks whether that is open yet.
"""

from __future__ import annotations

import functools
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from flowdeck.rules.exceptions import FilesRemovedError, StoreError
from flowdeck.store.database import (
    connections,
    descriptor_guard,
    foreign_access,
    forks,
    integrity,
    open_databases,
    sqlite,
    suspend_guard,
)
from flowdeck.store.database.doorbell import Ringer
from flowdeck.store.home import Home, locate, prepare
from flowdeck.store.settings import Settings, load

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
    __slots__ = ("done", "error", "operation", "result", "withdrawn")

    def __init__(self, operation: Operation[Any]) -> None:
        self.operation = operation
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.withdrawn = False


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
        self._batch: list[_Ticket] = []
        """The tickets of the transaction that is open, or was the last one."""
        self._readers = threading.local()
        self._open_readers: weakref.WeakSet[connections.Reader] = weakref.WeakSet()
        self._commits = 0
        self._committing_thread = 0
        self._deferred: BaseException | None = None
        self._paused = False
        self._shared_memory: forks.Identity | None = None
        self._orphaned = False
        self._closed = False
        self._is_saved = False
        self._ringer = Ringer(self.home.bells)
        self._descriptors: dict[int, int] = {}  # of writers: this process's, and one inherited in a fork
        self._writer: sqlite.Connection | None = None
        with descriptor_guard.opening:  # another thread that is about to open this home is not foreign code
            if not open_databases.has(self.home):
                foreign_access.check_not_open(self.home)
            self._writer = self._open_writer()
            open_databases.add(self)

    # -- writing -------------------------------------------------------------------------------------------------

    def write(self, operation: Operation[T]) -> T:
        """Run `operation` in a transaction and return its result once that is committed.

        Raises:
            StoreError: another program held the lock for 30 s, or the disk is full.
        """
        ticket = _Ticket(operation)
        try:
            self._pending.append(ticket)
            with self._lock:
                try:
                    self._committing_thread = threading.get_ident()
                    if not ticket.done:
                        self._commit_pending()
                finally:
                    self._committing_thread = 0
        except BaseException:
            # A signal handler raised in this thread. What its caller takes for not done shall not be done later.
            ticket.withdrawn = True
            raise
        return self._result(ticket)

    def try_write(self, operation: Operation[T]) -> T:
        """Like `write`, but never wait for a lock: for event loops.

        Raises:
            Busy: the lock is held elsewhere; call `write` from a thread that may wait.
        """
        # Not `acquire(blocking=False)`: a handler that raises right behind it would leave the lock locked for ever.
        if self._lock.locked():
            raise Busy
        ticket = _Ticket(operation)
        with self._lock:
            try:
                self._committing_thread = threading.get_ident()
                self._recover()
                self._commit([ticket], patience_seconds=0.0)
            except Busy:
                self._raise_deferred()
                raise
            except Exception as error:  # noqa: BLE001 - explained to the caller
                ticket.error = self._explain(error)
            finally:
                self._committing_thread = 0
        return self._result(ticket)

    def interrupt(self, error: BaseException) -> None:
        """Raise `error` from a signal handler: now, or once the commit that this thread is in the middle of is done."""
        if self._committing_thread == threading.get_ident():
            self._deferred = error
        else:
            raise error

    def _result(self, ticket: _Ticket) -> Any:
        if self._deferred is not None:
            self._raise_deferred()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def _raise_deferred(self) -> None:
        if self._deferred is not None and threading.current_thread() is threading.main_thread():
            error, self._deferred = self._deferred, None
            raise error

    def _commit_pending(self) -> None:
        """Commit everything queued, the caller's ticket among it. The lock is held."""
        self._recover()
        while batch := self._next_batch():
            try:
                self._commit(batch, LOCK_PATIENCE_SECONDS)
            except Exception as error:  # noqa: BLE001 - handed to those whom it concerns
                self._blame(batch, error)

    def _next_batch(self) -> list[_Ticket]:
        """Return tickets that are to be done. They stay queued: a thread interrupted here loses none of them."""
        pending = self._pending
        while pending and (pending[0].done or pending[0].withdrawn):
            pending.popleft()
        if len(pending) < 2:
            return list(pending)
        return [ticket for ticket in pending.copy() if not (ticket.done or ticket.withdrawn)][:BATCH_MAX]

    def _commit(self, batch: list[_Ticket], patience_seconds: float) -> None:
        """Do the tickets in one transaction, and mark them done in it."""
        try:
            suspend_guard.hold()
            self._transact(batch, patience_seconds)
        finally:
            suspend_guard.release()

    def _transact(self, batch: list[_Ticket], patience_seconds: float) -> None:
        self._batch = batch
        writer = self._begin(patience_seconds)
        try:
            for ticket in batch:
                ticket.result = ticket.operation(writer)
            for ticket in batch:
                ticket.done = True
            writer.execute("COMMIT")
        except sqlite.DatabaseError:
            for ticket in batch:  # SQLite may have rolled back by itself, then `_recover` sees nothing to do
                ticket.done = False
            self._recover()
            raise
        except BaseException:
            self._recover()
            raise
        self._ringer.ring()
        self._commits += 1
        if not sqlite.WAL_RESET_FIXED and self._commits % COMMITS_PER_CHECKPOINT == 0:
            self._checkpoint(writer)

    def _recover(self) -> None:
        """End a transaction that was left open; its tickets are to be done again. Nothing to do is the usual case."""
        if self._writer is not None and self._writer.in_transaction:
            for ticket in self._batch:
                ticket.done = False
            self._writer.rollback()

    def _blame(self, batch: list[_Ticket], error: Exception) -> None:
        """One of the operations failed: each gets a transaction of its own, so that only the guilty one fails."""
        if isinstance(error, StoreError):  # no transaction could be begun: that concerns them all
            for ticket in batch:
                ticket.error, ticket.done = type(error)(str(error)), True
            return
        if len(batch) == 1:
            batch[0].error, batch[0].done = self._explain(error), True
            return
        for ticket in batch:
            if not (ticket.done or ticket.withdrawn):
                try:
                    self._commit([ticket], LOCK_PATIENCE_SECONDS)
                except Exception as own:  # noqa: BLE001 - handed to the caller whose operation it was
                    ticket.error, ticket.done = self._explain(own), True
        if all(ticket.error is None for ticket in batch):
            raise error  # no operation's: a signal handler of the author's raised it in this thread

    def _begin(self, patience_seconds: float) -> sqlite.Connection:
        """Take SQLite's write lock, waiting for other processes up to `patience_seconds`."""
        self._check_usable()
        if self._writer is None:
            self._writer = self._open_writer()
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
            else:
                return self._writer
            self._raise_deferred()
            suspend_guard.release()
            time.sleep(pause_seconds)
            suspend_guard.hold()
            pause_seconds = min(pause_seconds * 2, 0.02)

    def _checkpoint(self, writer: sqlite.Connection, mode: str = "RESTART") -> bool:
        # RESTART and TRUNCATE hold the writer's lock throughout, so that no other commit can reset the WAL meanwhile.
        with suppress(sqlite.OperationalError):  # the rows are safe without it; the next one tries again
            return not writer.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()[0]
        return False

    def _explain(self, error: Exception) -> Exception:
        if isinstance(error, sqlite.OperationalError) and "full" in str(error):
            return StoreError(f"The disk that holds {self.home.path} is full; nothing was written.")
        if integrity.is_damage(error):
            return StoreError(integrity.explain_damage(self.home, error))
        if isinstance(error, sqlite.DatabaseError) and not isinstance(error, sqlite.IntegrityError):
            return StoreError(f"{self.home.database} cannot be written: {error}.")
        return error

    # -- reading -------------------------------------------------------------------------------------------------

    def reader(self) -> sqlite.Connection:
        """Return this thread's connection for reading. Keep no cursor of it open: a long read stops checkpoints."""
        self._check_usable()
        reader: connections.Reader | None = getattr(self._readers, "reader", None)
        if reader is None or reader.connection is None:
            reader = self._readers.reader = connections.Reader(self.new_reader())
            self._open_readers.add(reader)
        assert reader.connection is not None
        return reader.connection

    def new_reader(self) -> sqlite.Connection:
        """Return a connection for reading that the caller closes."""
        self._check_usable()
        return connections.open_reader(self.home)

    def checkpoint(self) -> bool:
        """Copy the write-ahead log into state.db, and empty it; False when a reader or writer was in the way.

        Raises:
            StoreError: the files cannot be used any more.
        """
        with self._lock:
            self._check_usable()
            return self._writer is None or self._checkpoint(self._writer, "TRUNCATE")

    def close(self) -> None:
        """Close what this process has open; a later call of any method fails."""
        with self._lock, descriptor_guard.opening:
            self.leave_foreign_files()
            self._descriptors = {}
            for reader in list(self._open_readers):
                reader.close()
            self._closed = True
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            open_databases.discard(self)
        self._ringer.close()

    def _open_writer(self) -> sqlite.Connection:
        full = self.settings.durability == "full"
        connect = functools.partial(connections.open_writer, self.home, full_durability=full)
        writer, opened = descriptor_guard.opened_by(self.home, connect)
        self._descriptors |= opened
        return writer

    def _save_what_was_removed(self) -> None:
        """Copy the rows of a removed write-ahead log into state.db, if that harms nobody; once is enough."""
        writer, was_saved, self._is_saved = self._writer, self._is_saved, True
        if was_saved or writer is None or not descriptor_guard.can_be_saved(self.home, self._descriptors):
            return
        with suppress(sqlite.DatabaseError):
            writer.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def leave_foreign_files(self) -> None:
        """If our files were closed under us, never let SQLite close those that have their numbers now."""
        if descriptor_guard.are_intact(self._descriptors):
            return
        for connection in (*open_databases.leaked, self._writer, *(reader.connection for reader in self._open_readers)):
            descriptor_guard.leave_open(connection)
        self._writer = None
        for reader in self._open_readers:
            reader.connection = None

    # -- forking -------------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Let a commit of another thread end: a child must not inherit it half done."""
        if self._committing_thread != threading.get_ident():
            self._paused = self._lock.acquire(timeout=open_databases.FORK_PATIENCE_SECONDS)
        self._shared_memory = forks.shared_memory_of(self.home.database)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._paused:
            self._paused = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Drop the connections without closing them, which would touch the parent's; new ones come when needed."""
        for reader in list(self._open_readers):
            open_databases.leaked.append(reader.connection)
            reader.connection = None
        open_databases.leaked.append(self._writer)
        self._writer = None
        self._readers = threading.local()
        self._open_readers = weakref.WeakSet()
        self._lock = threading.Lock()
        self._paused = False
        self._pending.clear()
        self._batch = []
        self._committing_thread = 0
        self._deferred = None
        self._orphaned = not forks.take_locks(self.home.database, self._shared_memory)

    def _check_usable(self) -> None:
        if self._closed:
            raise StoreError(f"{self.home.database} was closed in this process.")
        try:
            descriptor_guard.check(self.home, self._descriptors)
        except FilesRemovedError:
            self._save_what_was_removed()
            raise
        if self._orphaned:
            raise StoreError(
                f"This process was forked from one that has ended, and cannot use {self.home.path} safely. "
                "Start it as a process of its own (with multiprocessing: the start method 'spawn')."
            )
