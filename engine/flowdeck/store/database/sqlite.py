"""Which SQLite library this process uses, decided once: two copies in one process lose each other's locks.

pysqlite3 where it is installed (it carries a current SQLite), else the one of the standard library. SQLite 3.7.0 to
3.51.2 can corrupt a database when two connections checkpoint close together (the WAL-reset bug, sqlite.org/wal.html);
with such a version flowdeck checkpoints by hand, see `Database`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3 as _chosen  # the same interface; only the standard module carries types
else:
    try:
        import pysqlite3.dbapi2 as _chosen
    except ImportError:
        import sqlite3 as _chosen

MODULE: Final[str] = _chosen.__name__.partition(".")[0]
VERSION: Final[tuple[int, ...]] = tuple(_chosen.sqlite_version_info)
WAL_RESET_FIXED: Final[bool] = VERSION >= (3, 51, 3)

Connection = _chosen.Connection
connect = _chosen.connect
OperationalError: type[Exception] = _chosen.OperationalError
DatabaseError: type[Exception] = _chosen.DatabaseError
IntegrityError: type[Exception] = _chosen.IntegrityError


def data_version(connection: Connection) -> int:
    """Return a number that differs once another connection has committed: a look of a few microseconds."""
    return connection.execute("PRAGMA data_version").fetchone()[0]


def is_busy(error: Exception) -> bool:
    """Tell whether an error only says that another process holds the lock."""
    return "locked" in str(error) or "busy" in str(error)
