"""Other code of a process that uses state.db is kept away from it: it would undo SQLite's locks."""

from __future__ import annotations

import pytest

from flowdeck.deck import Deck
from flowdeck.store.database import sqlite
from tests.support.scripts import Scripts

needs_two_libraries = pytest.mark.skipif(sqlite.MODULE == "sqlite3", reason="there is one SQLite library only")
DATABASE = 'os.path.join(os.environ["FLOWDECK_HOME"], "state.db")'


@needs_two_libraries
@pytest.mark.parametrize(
    "name",
    ["{0}", "os.path.relpath({0})", "{0}.encode()", "pathlib.Path({0})", "link"],
)
def test_flow_that_opens_the_store_with_the_other_library_fails_with_a_sentence(
    scripts: Scripts, deck: Deck, name: str
) -> None:
    """Whatever way leads there; the run says so, and what was recorded is still there."""
    ended = scripts.run(f"""
        import pathlib, sqlite3
        @task
        def recorded(): return 1
        @flow
        def main():
            recorded()
            link = "link.db"
            os.symlink({DATABASE}, link)
            sqlite3.connect({name.format(DATABASE)})
        main()
        """)
    assert ended.code == 1
    (run,) = deck.flow_runs.select()
    assert run.error is not None
    assert (run.state_name, run.task_counts.completed) == ("Failed", 1)
    assert run.error.type.endswith("StoreError")
    assert "may not be opened by `sqlite3` in a process that runs a flow" in run.error.message
    assert "Use `from pysqlite3 import dbapi2 as sqlite3`, or a process of its own." in run.error.message


@needs_two_libraries
def test_uri_of_the_store_is_refused(scripts: Scripts) -> None:
    """`mode=ro` does not help: the locks go when it is closed."""
    ended = scripts.run(f"""
        import sqlite3
        @flow
        def main():
            try:
                sqlite3.connect("file:" + {DATABASE} + "?mode=ro", uri=True)
            except Exception as error:
                print(type(error).__name__)
        main()
        """)
    assert (ended.code, ended.out) == (0, "StoreError\n")


@pytest.mark.parametrize(
    "way", ["open({0}, 'rb')", "shutil.copy({0}, 'copy.db')", "os.open({0} + '-shm', os.O_RDONLY)"]
)
def test_plain_opening_of_the_store_is_refused(scripts: Scripts, way: str) -> None:
    """A flow that copies the home would undo the locks all the same."""
    ended = scripts.run(f"""
        import shutil
        @flow
        def main():
            try:
                {way.format(DATABASE)}
            except Exception as error:
                print(type(error).__name__, "to copy the file: `cp`" in str(error))
        main()
        """)
    assert (ended.code, ended.out) == (0, "StoreError True\n")


def test_everything_else_may_be_opened(scripts: Scripts) -> None:
    """A database of the author's own, one of the same name included, is nobody's business but his."""
    ended = scripts.run("""
        import sqlite3
        @flow
        def main():
            for name in ("state.db", "mine.db", ":memory:", b"bytes.db"):
                sqlite3.connect(name).execute("CREATE TABLE t(a)")
            open("state.db").close()
            open("other.txt", "w").close()
            open(os.open("other.txt", os.O_RDONLY)).close()
        main()
        """)
    assert (ended.code, ended.out) == (0, ""), ended.err


def test_same_library_may_be_used(scripts: Scripts) -> None:
    """The sentence says what to do, and that works."""
    ended = scripts.run(f"""
        from {sqlite.MODULE} import dbapi2 as sqlite3
        @flow
        def main():
            with sqlite3.connect({DATABASE}) as connection:
                print(connection.execute("SELECT state_name FROM flow_run").fetchone()[0])
        main()
        """)
    assert (ended.code, ended.out) == (0, "Running\n"), ended.err


@needs_two_libraries
def test_store_that_was_open_before_is_refused(scripts: Scripts, deck: Deck) -> None:
    """A script that opened it by itself is told to close it; closed, nothing is in the way."""
    body = f"""
        import sqlite3
        @flow
        def main(): print("ran")
        connection = sqlite3.connect({DATABASE})
        connection.execute("SELECT count(*) FROM flow_run").fetchone()
        {{}}
        main()
        """
    ended = scripts.run(body.format(""))
    assert (ended.code, ended.out) == (1, "")
    assert f"This process has {deck.home}/state.db open already, without flowdeck." in ended.err
    assert "Close it before flowdeck is used." in ended.err
    assert scripts.run(body.format("connection.close()")).out == "ran\n"


@needs_two_libraries
def test_databases_of_our_own_are_not_taken_for_others(scripts: Scripts) -> None:
    """Several in one process, one after the other and in a fork, with the other library loaded."""
    ended = scripts.run("""
        import sqlite3
        from flowdeck.deck import Deck
        first, second = Deck(), Deck()
        @flow
        def main():
            third = Deck()
            child = os.fork()
            if child == 0:
                fourth = Deck()
                os._exit(len(fourth.flow_runs()))
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            third.close()
        main()
        first.close(); second.close()
        Deck().close()
        """)
    assert (ended.code, ended.out) == (0, "1\n"), ended.err
