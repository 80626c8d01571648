"""Bringing state.db to this version: one process at a time, a copy first, and never under the feet of an older process.

A migration only adds (tables, columns, indexes, triggers), so that processes of an older flowdeck which have the home
open go on working, and new ones of theirs can still open it. One whose name begins with `REBUILD` does more; it waits
until nobody else uses the home. All else in the store names the columns that it writes, or this would not hold.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import sqlite_utils

from flowdeck.rules.exceptions import StoreError
from flowdeck.store import processes
from flowdeck.store.database import sqlite
from flowdeck.store.database.index_expressions import LIVE_RUNS
from flowdeck.store.database.schema import migrations
from flowdeck.store.database.version import REBUILD, SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from flowdeck.store.database.sqlite import Connection
    from flowdeck.store.home import Home

LOCK_PATIENCE_SECONDS: Final = 30.0
"""How long a migration waits for a process that writes."""
BACKUPS_KEPT: Final = 2
NAMED_MAX: Final = 5
"""So many of the processes in the way are named."""


def migrate(home: Home, connection: Connection) -> None:
    """Bring the schema to this version; other processes that want to do the same wait for it.

    Raises:
        StoreError: older processes are in the way of a rebuild, or there is no room for the backup.
        DatabaseError: another program held the lock for too long.
    """
    descriptor = os.open(home.migration_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        connection.execute(f"PRAGMA busy_timeout = {LOCK_PATIENCE_SECONDS * 1000:.0f}")
        connection.execute("PRAGMA journal_mode = WAL")
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if found < SCHEMA_VERSION:  # else somebody else has done it, perhaps to a still newer version
            _migrate_from(found, home, connection)
    finally:
        os.close(descriptor)


def _migrate_from(found: int, home: Home, connection: Connection) -> None:
    database = sqlite_utils.Database(connection)
    rebuilds = [wanted.name for wanted in migrations.pending(database) if wanted.name.startswith(REBUILD)]
    is_new = found == 0
    if rebuilds and not is_new:
        _check_unused(home, connection, found)
    if not is_new:
        back_up(home, connection, found)
    if rebuilds and not is_new:
        _lock_out_others(home, connection, found)
    migrations.apply(database)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("PRAGMA locking_mode = NORMAL")
    connection.execute("PRAGMA journal_mode = WAL")


# -- the copy ----------------------------------------------------------------------------------------------------------


def back_up(home: Home, connection: Connection, found: int) -> Path:
    """Copy the database as it is beside itself; of such copies the newest two are kept.

    Raises:
        StoreError: there is no room for it.
    """
    backup = home.path / f"state.db.schema-{found}.backup"
    partial = home.path / f"{backup.name}.partial"
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        copy = sqlite.connect(partial)
        try:
            connection.backup(copy)
        finally:
            copy.close()
        partial.replace(backup)
    except (OSError, sqlite.DatabaseError) as error:
        for leftover in (partial, home.path / f"{partial.name}-wal", home.path / f"{partial.name}-shm"):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else error
        raise StoreError(
            f"{home.database} is of an older flowdeck, and could not be copied to {backup.name} before it is brought "
            f"to this version: {reason}. Nothing was changed; make room on its disk and try again."
        ) from None
    _drop_old_backups(home)
    return backup


def _drop_old_backups(home: Home) -> None:
    numbered = [(path.name.split("-")[-1].removesuffix(".backup"), path) for path in home.path.glob("*.backup")]
    ours = sorted((int(number), path) for number, path in numbered if number.isdecimal())
    for _, path in ours[:-BACKUPS_KEPT]:
        path.unlink(missing_ok=True)


# -- a migration that does not only add --------------------------------------------------------------------------------


def _check_unused(home: Home, connection: Connection, found: int) -> None:
    """Refuse a rebuild while an engine or a run of the home is alive; the sentence names them."""
    rows = connection.execute(
        f"""SELECT 'the engine', pid, pid_token FROM engine
            UNION ALL SELECT 'run ' || name, pid, pid_token FROM flow_run WHERE {LIVE_RUNS}
            UNION ALL SELECT 'the host of run ' || name, host_pid, host_token FROM flow_run
            WHERE {LIVE_RUNS}"""
    ).fetchall()
    others = [row for row in rows if row[1] != os.getpid() and processes.is_alive(row[1], row[2])]
    alive = [f"{what} (pid {pid})" for what, pid, _ in others]
    if alive:
        more = f" and {len(alive) - NAMED_MAX} more" if len(alive) > NAMED_MAX else ""
        raise _in_use(home, found, f"{', '.join(alive[:NAMED_MAX])}{more}")


def _lock_out_others(home: Home, connection: Connection, found: int) -> None:
    """Take the database for this connection alone, until its locking mode is normal again.

    Leaving the write-ahead log is what SQLite does only for somebody who is alone: it also sees screens and scripts,
    of which no row tells.
    """
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite.OperationalError as error:
        if not sqlite.is_busy(error):
            raise
        raise _in_use(home, found, "a screen, a command or a script that has it open") from None


def _in_use(home: Home, found: int, by: str) -> StoreError:
    return StoreError(
        f"{home.database} is of an older flowdeck (schema {found}, this one needs {SCHEMA_VERSION}) and cannot be "
        f"brought to this version while it is used: by {by}. Let that end (`flowdeck server stop` stops an engine), "
        "then try again."
    )
