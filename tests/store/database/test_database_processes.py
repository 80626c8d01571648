"""state.db between processes: homes that are made at once, kills, and forks."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from flowdeck.rules.exceptions import StoreError
from flowdeck.store.database import forks
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home
from tests.support.scripts import Scripts


def test_processes_make_a_home_at_once(scripts: Scripts, tmp_path: Path) -> None:
    """They do not hinder each other: all of them can use it."""
    body = """
        from flowdeck.store.database import database, schema
        print("ready", flush=True)
        sys.stdin.readline()
        opened = database.Database()
        note = lambda connection: connection.execute("INSERT INTO watched_folder VALUES (?, 1)", (str(os.getpid()),))
        opened.write(note)
        print(opened.reader().execute("SELECT count(*) FROM _sqlite_migrations").fetchone()[0])
    """
    environment = {"FLOWDECK_HOME": str(tmp_path / "new")}
    started = [scripts.start(body, environment=environment, name=f"maker_{number}.py") for number in range(4)]
    assert [script.line() for script in started] == ["ready"] * 4
    for script in started:
        script.tell()
    ended = [script.end() for script in started]
    assert [(end.code, end.err) for end in ended] == [(0, "")] * 4
    assert len({end.out for end in ended}) == 1
    opened = Database(Home(tmp_path / "new"))
    assert opened.reader().execute("SELECT count(*) FROM watched_folder").fetchone() == (4,)
    opened.close()


def test_kill_in_the_middle_of_making_a_home(scripts: Scripts, tmp_path: Path) -> None:
    """The next process goes on where the killed one was."""
    environment = {"FLOWDECK_HOME": str(tmp_path / "new")}
    ended = scripts.run(
        """
        from flowdeck.store.database import schema
        from flowdeck.store.database.database import Database
        third = schema.migrations._migrations[2]
        make = third.fn
        def die(db):
            make(db)
            os.kill(os.getpid(), signal.SIGKILL)
        third.fn = die
        Database()
        """,
        environment=environment,
    )
    assert ended.code == -signal.SIGKILL
    opened = Database(Home(tmp_path / "new"))
    assert opened.reader().execute("SELECT count(*) FROM state").fetchone() == (0,)
    opened.close()


@pytest.mark.parametrize("first", ["", "add(2)"], ids=["child opens late", "child opens early"])
def test_forked_child_keeps_what_it_commits(scripts: Scripts, tmp_path: Path, empty_home: Path, first: str) -> None:
    """When its parent closes the database, no row of the child's ends in a write-ahead log that is deleted."""
    shutil.copytree(empty_home, tmp_path / "other")
    ended = scripts.run(
        f"""
        from flowdeck.store.database.database import Database
        database = Database()
        insert = "INSERT INTO watched_folder VALUES (?, ?)"
        add = lambda number: database.write(lambda connection: connection.execute(insert, (str(number), number)))
        add(1)
        (opened, tell_opened), (closed, tell_closed) = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            {first}
            os.write(tell_opened, b"x")
            os.read(closed, 1)
            add(3)
            os.kill(os.getpid(), signal.SIGKILL)
        os.read(opened, 1)
        database.close()
        os.write(tell_closed, b"x")
        os.waitpid(child, 0)
        """,
        environment={"FLOWDECK_HOME": str(tmp_path / "other")},
    )
    assert ended.code == 0, ended.err
    opened = Database(Home(tmp_path / "other"))
    paths = [path for (path,) in opened.reader().execute("SELECT path FROM watched_folder ORDER BY path")]
    opened.close()
    assert paths == (["1", "2", "3"] if first else ["1", "3"])


def test_fork_while_another_thread_commits(scripts: Scripts) -> None:
    """The child inherits no lock of a thread that it does not have."""
    ended = scripts.run("""
        from flowdeck.store.database.database import Database
        database = Database()
        database.write(lambda connection: connection.execute("CREATE TABLE seen(number INTEGER)"))
        insert = "INSERT INTO seen VALUES (?)"
        add = lambda number: database.write(lambda connection: connection.execute(insert, (number,)))
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                add(0)
        threading.Thread(target=busy, daemon=True).start()
        for number in range(10):
            child = os.fork()
            if child == 0:
                add(1)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        print(database.reader().execute("SELECT sum(number) FROM seen").fetchone()[0])
    """)
    assert (ended.code, ended.out) == (0, "10\n"), ended.err


def test_orphan_of_a_closed_database_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that came too late to take the locks does not write where nobody would find it."""
    before = forks.shared_memory_of(database.home.database)
    assert before is not None
    monkeypatch.setattr(forks, "shared_memory_of", lambda _: (0, 0))
    assert not forks.take_locks(database.home.database, before)
    monkeypatch.setattr(database, "_orphaned", True)
    with pytest.raises(StoreError, match="forked from one that has ended"):
        database.new_reader()
