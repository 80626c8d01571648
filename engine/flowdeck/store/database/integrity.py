"""A look at a home's database file without `Database`: for a file that may be damaged, or of another schema."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from flowdeck.store.database import sqlite

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
