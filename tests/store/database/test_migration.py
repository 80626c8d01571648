"""Homes of other versions: brought to this one with a copy first, while older processes go on, and newer ones used."""

from __future__ import annotations

import shutil
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

from flowdeck.rules.exceptions import StoreError
from flowdeck.store import processes
from flowdeck.store.database import foreign_access, migration, schema, sqlite
from flowdeck.store.database.database import Database
from flowdeck.store.database.version import KNOWN_REBUILDS, REBUILD, SCHEMA_VERSION
from flowdeck.store.home import Home, prepare
from flowdeck.store.runs import flow_run_queries
from tests.support.scripts import Scripts

FIRST_OF_SCHEMA_2 = "add_resource_use"
INSERT_RUN = """INSERT INTO flow_run(id, name, flow_name, state_type, state_name, attempt, incarnation, seq, created_at,
    state_at, parameters, tags, pid, pid_token)
    VALUES (?, ?, 'f', 'RUNNING', 'Running', 1, 1, 1, 1, 1, '{}', '[]', ?, ?)"""


def connect(home: Home) -> Any:
    return closing(sqlite.connect(home.database, isolation_level=None))


@pytest.fixture
def old_home(tmp_path: Path, clear_environment: None, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home as the first version made it, with one run of no process."""
    home = Home(tmp_path / "old")
    prepare(home)
    with connect(home) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        schema.migrations.apply(sqlite_utils.Database(connection), stop_before=FIRST_OF_SCHEMA_2)
        connection.execute("PRAGMA user_version = 1")
        connection.execute(INSERT_RUN, ("0191", "old-otter", None, None))
    # The connections that stand here for another process's are not of the other library, which sqlite-utils loads.
    monkeypatch.setattr(foreign_access, "_OTHER_MODULE", "no such module")
    return home


@pytest.fixture
def rebuild(monkeypatch: pytest.MonkeyPatch) -> str:
    """A migration after all others that does more than add."""
    name = f"{REBUILD}runs"
    monkeypatch.setattr(schema.migrations, "_migrations", list(schema.migrations._migrations))
    schema.migrations(name=name)(lambda db: db.execute("ALTER TABLE flow_run RENAME COLUMN hooks TO ends"))
    return name


def columns(home: Home) -> set[str]:
    with connect(home) as connection:
        return {row[1] for row in connection.execute("PRAGMA table_info(flow_run)").fetchall()}


def version(path: Path) -> int:
    with closing(sqlite.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def test_older_home_is_migrated_and_keeps_its_rows(old_home: Home) -> None:
    """What the first version wrote is read by this one."""
    with closing(Database(old_home)) as database:
        (run,) = flow_run_queries.by_keys(database.reader(), [1])
    assert (run.id, run.name, run.state_name) == ("0191", "old-otter", "Running")
    assert version(old_home.database) == SCHEMA_VERSION
    assert "peak_rss_bytes" in columns(old_home)


def test_older_home_is_copied_first(old_home: Home) -> None:
    """The copy is whole, private, of the old schema, and the only file that is left over."""
    before = {path.name for path in old_home.path.iterdir()}
    Database(old_home).close()
    backup = old_home.path / "state.db.schema-1.backup"
    assert {path.name for path in old_home.path.iterdir()} - before == {backup.name, "migration.lock"}
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert version(backup) == 1
    with closing(sqlite.connect(backup)) as connection:
        assert connection.execute("SELECT name FROM flow_run").fetchall() == [("old-otter",)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_new_and_current_homes_are_not_copied(home: Home) -> None:
    """There is nothing that could be lost."""
    Database(home).close()
    assert not list(home.path.glob("*.backup*"))


def test_two_newest_copies_are_kept(old_home: Home) -> None:
    """By the number of their schema, not by their names; files of others stay."""
    (old_home.path / "mine.backup").touch()
    with connect(old_home) as connection:
        for number in (2, 9, 10, 11):
            migration.back_up(old_home, connection, number)
    names = {path.name for path in old_home.path.glob("*.backup")}
    assert names == {"mine.backup", "state.db.schema-10.backup", "state.db.schema-11.backup"}


def test_no_room_for_the_copy(old_home: Home, small_disk: Path) -> None:
    """Then nothing is changed, and no half copy is left."""
    home = Home(small_disk / "home")
    shutil.copytree(old_home.path, home.path)
    free_bytes = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(b"x" * (free_bytes - home.database.stat().st_size // 2))
    with pytest.raises(StoreError, match=r"could not be copied to state\.db\.schema-1\.backup .* Nothing was changed"):
        Database(home)
    assert not list(home.path.glob("*.backup*"))
    assert version(home.database) == 1
    (small_disk / "filler").unlink()
    Database(home).close()
    assert version(home.database) == SCHEMA_VERSION


def test_older_process_goes_on_through_a_migration(old_home: Home, scripts: Scripts) -> None:
    """It writes before, during and after with what it has prepared, and may even open the home anew."""
    script = scripts.start(
        f"""
        from flowdeck.store.database import connections
        from flowdeck.store.database.database import Database
        connections.SCHEMA_VERSION = 1
        database = Database()
        def add(number):
            values = (f"r{{number}}", f"n{{number}}", None, None)
            database.write(lambda connection: connection.execute({INSERT_RUN!r}, values))
        stop, count = threading.Event(), 0
        threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
        while not stop.is_set():
            add(count := count + 1)
            if count == 50: print("writes", flush=True)
        assert database.reader().execute("PRAGMA user_version").fetchone() == (2,)
        for _ in range(50):
            add(count := count + 1)
        database.close()
        database = Database()
        add(count := count + 1)
        print(count)
        """,
        environment={"FLOWDECK_HOME": str(old_home.path)},
    )
    assert script.line() == "writes"
    with closing(Database(old_home)) as database:
        script.tell()
        ended = script.end()
        assert (ended.code, ended.err) == (0, "")
        (count,) = database.reader().execute("SELECT count(*) FROM flow_run WHERE crash_retries = 0").fetchone()
        assert count == int(ended.out) + 1
        assert database.reader().execute("SELECT count(*) FROM state").fetchone() == (count,)


def test_home_of_a_newer_version_that_only_added_is_used(home: Home) -> None:
    """Its version stays what it is."""
    with connect(home) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    Database(home).close()
    assert version(home.database) == SCHEMA_VERSION + 1


def test_home_that_a_newer_version_rebuilt_is_refused(home: Home) -> None:
    """A database of a later flowdeck is not touched."""
    with connect(home) as connection:
        connection.execute("INSERT INTO _sqlite_migrations VALUES (99, 'flowdeck', ?, '')", (f"{REBUILD}all",))
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match="was written by a newer flowdeck"):
        Database(home)


def test_rebuilds_are_known() -> None:
    """The list that needs no sqlite-utils says the same as the migrations."""
    names = {wanted.name for wanted in schema.migrations._migrations}
    assert {name for name in names if name.startswith(REBUILD)} == KNOWN_REBUILDS


def test_rebuild_of_a_home_that_nobody_uses(old_home: Home, rebuild: str) -> None:
    """It is made, and the home is as usable afterwards as any."""
    with closing(Database(old_home)) as database, closing(Database(old_home)):
        assert database.reader().execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert "ends" in columns(old_home)
    assert (old_home.path / "state.db.schema-1.backup").exists()


@pytest.mark.parametrize("what", ["engine", "run"])
def test_rebuild_waits_for_engine_and_runs(
    old_home: Home, rebuild: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names them, nothing was changed, and no copy was made."""
    pid, token = 1, processes.token(1)
    monkeypatch.setattr(processes, "is_alive", lambda *process: process == (pid, token))
    with connect(old_home) as connection:
        if what == "engine":
            connection.execute("INSERT INTO engine VALUES (1, ?, ?, 1, '0.0.1', 'server', 0)", (pid, token))
        else:
            connection.execute(INSERT_RUN, ("0192", "busy-bee", pid, token))
    named = "the engine" if what == "engine" else "run busy-bee"
    with pytest.raises(StoreError, match=rf"while it is used: by {named} \(pid 1\)\. Let that end"):
        Database(old_home)
    assert "hooks" not in columns(old_home)
    assert version(old_home.database) == 1
    assert not list(old_home.path.glob("*.backup*"))


def test_rebuild_waits_for_whoever_has_the_home_open(old_home: Home, rebuild: str) -> None:
    """A screen or a script stands in no row; SQLite knows of it all the same."""
    with connect(old_home) as other:
        other.execute("SELECT count(*) FROM flow_run").fetchone()
        with pytest.raises(StoreError, match="a screen, a command or a script that has it open"):
            Database(old_home)
        other.execute(INSERT_RUN, ("0193", "new-newt", None, None))
    Database(old_home).close()
    assert "ends" in columns(old_home)


def test_nobody_comes_in_between_while_a_home_is_rebuilt(old_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the moment at which it was alone, the rebuilding process stays alone."""
    refused: list[str] = []

    def look(db: sqlite_utils.Database) -> None:
        del db
        with closing(sqlite.connect(old_home.database, timeout=0)) as other:
            try:
                other.execute("SELECT count(*) FROM flow_run").fetchone()
            except sqlite.OperationalError as error:
                refused.append(str(error))

    monkeypatch.setattr(schema.migrations, "_migrations", list(schema.migrations._migrations))
    schema.migrations(name=f"{REBUILD}look")(look)
    Database(old_home).close()
    assert refused == ["database is locked"]


def test_locked_by_another_program_is_one_sentence(old_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration waits for a program that writes, but not for ever."""
    monkeypatch.setattr(migration, "LOCK_PATIENCE_SECONDS", 0.05)
    with connect(old_home) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=f"{old_home.database} is locked by another program"):
            Database(old_home)
