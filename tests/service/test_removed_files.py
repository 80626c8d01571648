"""Files of the database that are removed while an engine and scripts have them open."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flowdeck.rules.exceptions import FilesRemovedError
from flowdeck.store.catalogue import Catalogue
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home
from tests.service.test_home_of_an_engine import OneEngine
from tests.support.live_home import PATIENCE_SECONDS

REMOVED = {
    "log": ("state.db-wal",),
    "shared memory": ("state.db-shm",),
    "both": ("state.db-wal", "state.db-shm"),
    "all": ("state.db", "state.db-wal", "state.db-shm"),
}


@pytest.fixture
def one(tmp_path: Path, clear_environment: None) -> Iterator[OneEngine]:
    made = OneEngine(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("names", REMOVED.values(), ids=REMOVED)
def test_engine_stops_and_says_so(one: OneEngine, names: tuple[str, ...]) -> None:
    """It ends within seconds, exit code 1; the next engine serves the home."""
    first = one.start("--started-by", "server")
    one.until(lambda: f"(pid {first.pid}) serves" in one.said())
    for name in names:
        (one.home.path / name).unlink()
    removed_at = time.monotonic()
    assert first.wait(PATIENCE_SECONDS) == 1
    assert time.monotonic() - removed_at < 10
    assert f"{' and '.join(names)} of the home {one.home.path} w" in one.said()
    second = one.start("--started-by", "server")
    one.until(lambda: f"(pid {second.pid}) serves" in one.said())
    assert "Traceback" not in one.said()


@pytest.mark.parametrize("names", [REMOVED["log"], REMOVED["both"]], ids=["log", "both"])
def test_removed_rows_are_saved_and_no_more_are_acknowledged(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Whoever had them open copies what was committed into state.db, and refuses to commit what would be lost."""
    home = Home(tmp_path)
    database = Database(home)
    Catalogue(database).watch_folder("/before")
    for name in names:
        (home.path / name).unlink()
    with pytest.raises(FilesRemovedError, match=f"{' and '.join(names)} of "):
        Catalogue(database).watch_folder("/after")
    with pytest.raises(FilesRemovedError):
        database.reader()
    database.close()
    assert not (home.path / "state.db-wal").exists()
    with closing(sqlite3.connect(shutil.copy(home.database, tmp_path / "copy.db"))) as copy:
        assert copy.execute("SELECT path FROM watched_folder").fetchall() == [("/before",)]


def test_log_that_another_process_has_made_anew_is_left_alone(tmp_path: Path) -> None:
    """Nothing is copied, nothing is removed: the new files belong to others."""
    home = Home(tmp_path)
    database = Database(home)
    Catalogue(database).watch_folder("/before")
    for name in ("state.db-wal", "state.db-shm"):
        (home.path / name).unlink()
        (home.path / name).write_bytes(b"")
    size = home.database.stat().st_size
    with pytest.raises(FilesRemovedError):
        Catalogue(database).watch_folder("/after")
    database.close()
    assert home.database.stat().st_size == size
    assert (home.path / "state.db-wal").read_bytes() == b""


def test_copy_of_an_idle_database_has_the_rows(one: OneEngine, tmp_path: Path) -> None:
    """The engine checkpoints when nothing happens: `cp state.db` is a backup then."""
    first = one.start("--started-by", "server")
    one.until(lambda: f"(pid {first.pid}) serves" in one.said())
    database = Database(one.home)
    Catalogue(database).watch_folder(str(tmp_path))

    def is_copied() -> bool:
        with closing(sqlite3.connect(shutil.copy(one.home.database, tmp_path / "copy.db"))) as copy:
            try:
                return copy.execute("SELECT path FROM watched_folder").fetchall() == [(str(tmp_path),)]
            except sqlite3.DatabaseError:
                return False  # copied in the middle of a checkpoint, or from before the tables were

    one.until(is_copied)
    database.close()
