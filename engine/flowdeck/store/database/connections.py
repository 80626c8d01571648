"""Opening state.db: making the file, bringing its tables to this version, and what each connection is told."""

from __future__ import annotations

import os

from flowdeck.rules.exceptions import StoreError
from flowdeck.store.database import descriptor_guard, integrity, sqlite
from flowdeck.store.database.version import KNOWN_REBUILDS, REBUILD, SCHEMA_VERSION
from flowdeck.store.home import Home

READ_PATIENCE_SECONDS = 5.0
"""How long a read waits for a lock; with a write-ahead log that is only while another process recovers it."""


class Reader:
    """A thread's connection for reading; it is closed when its thread has ended."""

    __slots__ = ("__weakref__", "connection")

    def __init__(self, connection: sqlite.Connection) -> None:
        self.connection: sqlite.Connection | None = connection

    def close(self) -> None:
        """Close it; nothing happens if it is closed."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    __del__ = close


def open_reader(home: Home) -> sqlite.Connection:
    """Return a connection for reading that the caller closes."""
    with descriptor_guard.opening:
        connection = _connect(home)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA schema_version").fetchone()  # opens all its files, which SQLite does when it reads
    return connection


def open_writer(home: Home, *, full_durability: bool) -> sqlite.Connection:
    """Return the connection that writes; make the file, or bring it to this version, where needed.

    Raises:
        StoreError: the file cannot be used, or is of a newer flowdeck.
    """
    _create_private(home)
    connection: sqlite.Connection | None = None
    try:
        connection = _connect(home)
        _set_up(home, connection, full_durability)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite.DatabaseError):
            raise _explained(home, error) from None
        raise
    return connection


def _connect(home: Home) -> sqlite.Connection:
    return sqlite.connect(home.database, isolation_level=None, check_same_thread=False, timeout=READ_PATIENCE_SECONDS)


def _create_private(home: Home) -> None:
    """Make the file before SQLite does, for the mode: the write-ahead log gets the same."""
    if _has_content(home):
        return
    _check_not_lost(home)
    try:
        os.close(os.open(home.database, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass  # another process was faster
    except OSError as error:
        raise StoreError(f"{home.database} cannot be created: {error.strerror}.") from None


def _has_content(home: Home) -> bool:
    try:
        return home.database.stat().st_size > 0
    except OSError:  # not there, or hidden: opening it says more
        return False


def _check_not_lost(home: Home) -> None:
    """Refuse to begin anew in a home that has had runs: a new database would look as if there had been none."""
    try:
        logs = [name for name in os.listdir(home.logs) if name.endswith(".log")]
    except OSError:
        logs = []
    if not logs or _has_content(home):  # another process may have made it and run a flow meanwhile
        return
    what = "is empty" if home.database.exists() else "is missing"
    raise StoreError(
        f"{home.database} {what}, but {home.logs} has the logs of {len(logs)} run(s), so their rows were lost: "
        f"{integrity.restore_hint(home)}, or move logs, results and state.db* away to begin anew."
    )


def _set_up(home: Home, connection: sqlite.Connection, full_durability: bool) -> None:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA_VERSION and _is_rebuilt(connection):
        raise StoreError(
            f"{home.database} was written by a newer flowdeck (schema {found}; this one knows {SCHEMA_VERSION}). "
            "Use that version, or set FLOWDECK_HOME to another folder."
        )
    if found < SCHEMA_VERSION:
        _migrate(home, connection)
    connection.execute(f"PRAGMA synchronous = {'FULL' if full_durability else 'NORMAL'}")
    connection.execute("PRAGMA secure_delete = ON")  # an environment that was stored for a start may hold secrets
    connection.execute("PRAGMA busy_timeout = 0")  # `Database` waits by itself: it may be told to stop meanwhile
    if not sqlite.WAL_RESET_FIXED:
        connection.execute("PRAGMA wal_autocheckpoint = 0")


def _is_rebuilt(connection: sqlite.Connection) -> bool:
    """Tell whether a newer flowdeck did more to the tables than to add to them."""
    names = {name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations").fetchall()}
    return any(name.startswith(REBUILD) for name in names - KNOWN_REBUILDS)


def _explained(home: Home, error: Exception) -> StoreError:
    if sqlite.is_busy(error):
        return StoreError(f"{home.database} is locked by another program; close that program and try again.")
    if integrity.is_damage(error):
        return StoreError(integrity.explain_damage(home, error))
    if not os.access(home.database, os.R_OK | os.W_OK):
        return StoreError(
            f"{home.database} may not be written by this user (uid {os.geteuid()}). "
            "Set FLOWDECK_HOME to a folder you own."
        )
    return StoreError(f"{home.database} cannot be opened: {error}. See `flowdeck doctor`.")


def _migrate(home: Home, connection: sqlite.Connection) -> None:
    try:
        from flowdeck.store.database import migration  # noqa: PLC0415 - for a new or older home only: sqlite-utils costs 0.1 s
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{home.path} is new or of an older flowdeck, and this Python has no {error.name} to set it up with. "
            "Open it once with `flowdeck doctor`, or install flowdeck with its dependencies here."
        ) from None
    migration.migrate(home, connection)
