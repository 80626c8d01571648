"""A look at a home's database file without `Database`: for a file that may be damaged, or of another schema."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from flowdeck.store.database import sqlite

if TYPE_CHECKING:
    from pathlib import Path

    from flowdeck.store.home import Home

_PROBLEMS_SHOWN: Final = 3


class FileCheck(NamedTuple):
    """What SQLite finds in a database file."""

    problems: tuple[str, ...]
    """Sentences of SQLite about damaged pages; empty when there are none."""
    schema_version: int


def check_file(path: Path) -> FileCheck:
    """Let SQLite look through the pages of a database file.

    Raises:
        sqlite.DatabaseError: the file cannot be read as a database.
    """
    with closing(sqlite.connect(path)) as connection:
        found = [row[0] for row in connection.execute(f"PRAGMA quick_check({_PROBLEMS_SHOWN})").fetchall()]
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return FileCheck(() if found == ["ok"] else tuple(found), version)


def is_damage(error: Exception) -> bool:
    """Tell whether an error of SQLite says that the content of the file is not what it wrote."""
    text = str(error)
    return isinstance(error, sqlite.DatabaseError) and ("malformed" in text or "not a database" in text)


def explain_damage(home: Home, error: Exception) -> str:
    """Say in one sentence that state.db is damaged, and what to do.

    Args:
        home: home of the file.
        error: error of SQLite for which `is_damage` holds.
    """
    return (
        f"{home.database} is damaged ({error}): `flowdeck doctor` says more; keep a copy of {home.path}, then "
        f"{restore_hint(home)}, or set FLOWDECK_HOME to another folder."
    )


def restore_hint(home: Home) -> str:
    """Return the advice on how state.db is put back, with the names of the backups that lie beside it."""
    backups = ", ".join(sorted(path.name for path in home.path.glob("*.backup")))
    return f"copy a backup to state.db (here are {backups})" if backups else "put a copy back (no backup is here)"
