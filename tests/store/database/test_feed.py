"""The change feed: what a reader is told of, how soon, and what happens when it falls behind."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowdeck.rules.states import named
from flowdeck.store import engines
from flowdeck.store.calls import task_runs
from flowdeck.store.catalogue import Catalogue
from flowdeck.store.database import doorbell, feed, schema
from flowdeck.store.database.database import Database
from flowdeck.store.database.feed import ChangeFeed
from flowdeck.store.home import Home
from flowdeck.store.records import Changes
from flowdeck.store.runs import flow_runs
from tests.store.rows import make_call, make_run
from tests.support.scripts import Scripts


@pytest.fixture
def changes(database: Database) -> Iterator[ChangeFeed]:
    """A reader of the home."""
    with ChangeFeed(database) as opened:
        yield opened


def run_changes(*keys: int) -> Changes:
    return Changes(flow_runs=frozenset(keys))


# -- what is told ------------------------------------------------------------------------------------------------------


def test_what_was_before_is_not_told(database: Database) -> None:
    """A feed begins with the present."""
    make_run(database)
    with ChangeFeed(database) as changes:
        assert changes.wait(0) is None


def test_every_change_of_a_run_is_told(database: Database, changes: ChangeFeed) -> None:
    """Its making, its state, its calls, its counts, facts beside it, its end: always by its key."""
    key = make_run(database)
    assert changes.wait(1) == run_changes(key)
    task_run_id = make_call(database, key, 1)
    assert changes.wait(1) == run_changes(key)
    for change in (
        lambda connection: task_runs.set_final(connection, task_run_id, 1, named("Completed"), 1, None),
        lambda connection: flow_runs.add_log_counts(connection, key, 1, 0),
        lambda connection: flow_runs.set_columns(connection, key, {"exit_code": 0}),
        lambda connection: flow_runs.set_state(connection, key, named("Completed"), 1),
        lambda connection: flow_runs.delete(connection, [key]),
    ):
        database.write(change)
        assert changes.wait(1) == run_changes(key)
    assert changes.wait(0) is None


def test_changes_of_several_runs_come_together(database: Database, changes: ChangeFeed) -> None:
    """A reader that looks later is told once of each."""
    keys = [make_run(database) for _ in range(3)]
    make_call(database, keys[0], 1)
    assert changes.wait(1) == run_changes(*keys)


def test_catalogue_and_engine_are_told(database: Database, changes: ChangeFeed) -> None:
    """Flows and files; the engine's coming and going, and its folders."""
    catalogue = Catalogue(database)
    catalogue.watch_folder("/flows")
    assert changes.wait(1) == Changes(engine=True)
    catalogue.put_file("/flows", "a.py", "0", "python", "ok", None, [])
    assert changes.wait(1) == Changes(flows=True)
    engines.register(database, "1", "cli")
    assert changes.wait(1) == Changes(engine=True)
    engines.unregister(database)
    assert changes.wait(1) == Changes(engine=True)


def test_nothing_written_is_nothing_told(database: Database, changes: ChangeFeed) -> None:
    """A transaction that changes nothing wakes nobody for long."""
    database.write(lambda connection: flow_runs.set_state(connection, 99, named("Failed"), 1))
    assert changes.wait(0) is None


# -- falling behind ----------------------------------------------------------------------------------------------------


def flood(database: Database, count: int) -> None:
    """Write changes that nobody reads."""
    database.write(
        lambda connection: connection.executemany(
            "INSERT INTO change(kind, key) VALUES ('run', ?)", ((7,) for _ in range(count))
        )
    )


def test_reader_that_is_too_far_behind_reads_everything_again(database: Database, changes: ChangeFeed) -> None:
    """It is told so once, and then of what comes after."""
    flood(database, schema.CHANGES_KEPT + 2_048)
    assert changes.wait(1) == Changes(resync=True)
    key = make_run(database)
    assert changes.wait(1) == run_changes(key)


def test_feed_prunes_itself(database: Database, changes: ChangeFeed) -> None:
    """It keeps what it promises to keep, and not much more; who is just not too far behind misses nothing."""
    flood(database, schema.CHANGES_KEPT - 1_024)
    assert changes.wait(1) == run_changes(7)
    flood(database, 3 * 1_024)
    count = database.reader().execute("SELECT count(*) FROM change").fetchone()[0]
    assert schema.CHANGES_KEPT <= count <= schema.CHANGES_KEPT + 1_024


# -- how soon ----------------------------------------------------------------------------------------------------------


def test_bell_wakes_within_milliseconds(
    database: Database, changes: ChangeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader does not wait for its next look."""
    monkeypatch.setattr(feed, "POLL_SECONDS", 60.0)
    assert changes.wait(0) is None
    threading.Timer(0.02, make_run, [database]).start()
    assert changes.wait(30) is not None


def test_bell_rings_between_processes(
    database: Database, changes: ChangeFeed, scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script in another shell wakes an open screen."""
    monkeypatch.setattr(feed, "POLL_SECONDS", 60.0)
    script = scripts.start("""
        @flow
        def f():
            pass
        f()
    """)
    assert changes.wait(30) is not None
    assert script.end().code == 0


def test_without_bell_the_reader_looks_by_itself(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no socket can be bound, a change is seen at the next look."""

    def refuse(*_: Any) -> None:
        raise OSError

    monkeypatch.setattr(feed, "Bell", refuse)
    with ChangeFeed(database) as changes:
        assert changes.fileno() is None
        assert changes.wait(0) is None
        timer = threading.Timer(0.02, make_run, [database])
        timer.start()
        started = time.monotonic()
        assert changes.wait(30) is not None
        assert time.monotonic() - started < 5
        changes.drain()


def test_home_with_a_long_path_has_bells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket's path may have about 100 characters; a home's may have more."""
    monkeypatch.setattr(feed, "POLL_SECONDS", 60.0)
    database = Database(Home(tmp_path / ("long-" * 20) / ("longer-" * 20)))
    with ChangeFeed(database) as changes:
        assert changes.fileno() is not None
        assert changes.wait(0) is None
        threading.Timer(0.02, make_run, [database]).start()
        assert changes.wait(30) is not None
    database.close()


def test_bells_are_private(database: Database) -> None:
    """Whatever the umask: nobody else may ring them."""
    before = os.umask(0)
    try:
        with ChangeFeed(database):
            assert [path.stat().st_mode & 0o777 for path in database.home.bells.iterdir()] == [0o600]
    finally:
        os.umask(before)


def test_two_bells_hung_at_the_same_moment_both_ring(database: Database) -> None:
    """The clock of a file system may be coarse: then a second bell does not change the time of the folder."""
    bells = database.home.bells
    with ChangeFeed(database):
        database._ringer.ring()
        moment_ns = bells.stat().st_mtime_ns
        with ChangeFeed(database) as second:
            os.utime(bells, ns=(moment_ns, moment_ns))
            database._ringer.ring()
            assert second._bell is not None
            assert second._bell.socket.recv(16) == b"!"


def test_wake_ends_a_wait(changes: ChangeFeed) -> None:
    """From any thread; also one that came before the wait; never after the end."""
    threading.Timer(0.02, changes.wake).start()
    assert changes.wait(None) is None
    changes.wake()
    assert changes.wait(None) is None
    changes.close()
    changes.wake()


def test_feed_may_be_made_in_another_thread(database: Database) -> None:
    """The thread that made it may be gone by the time another one waits on it."""
    made: list[ChangeFeed] = []
    thread = threading.Thread(target=lambda: made.append(ChangeFeed(database)))
    thread.start()
    thread.join()
    del thread
    make_run(database)
    with made[0] as changes:
        assert changes.wait(1) is not None


# -- bells -------------------------------------------------------------------------------------------------------------


def bells(database: Database) -> list[str]:
    return os.listdir(database.home.bells)


def test_bell_is_taken_away_at_the_end(database: Database) -> None:
    """A reader leaves nothing behind."""
    changes = ChangeFeed(database)
    assert len(bells(database)) == 1
    changes.close()
    assert bells(database) == []


def test_bell_of_a_killed_reader_is_removed(database: Database, scripts: Scripts) -> None:
    """The next writer finds nobody there and takes it away."""
    script = scripts.start("""
        from flowdeck.deck import Deck
        changes = Deck().changes()
        print("hung", flush=True)
        time.sleep(60)
    """)
    assert script.line() == "hung"
    assert len(bells(database)) == 1
    script.process.kill()
    script.process.wait()
    make_run(database)
    assert bells(database) == []


def test_full_bell_is_left_alone(database: Database) -> None:
    """A reader that does not look has been rung already; it keeps its bell."""
    with ChangeFeed(database) as changes:
        for _ in range(2_000):
            database._ringer.ring()
        assert len(bells(database)) == 1
        changes.drain()
        database._ringer.ring()
        assert changes.wait(1) is None


def test_ringing_never_fails(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit is no less a commit because nobody could be told of it."""
    with ChangeFeed(database):

        def none_left() -> socket.socket:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(doorbell, "_datagram_socket", none_left)
        assert make_run(database)
        database.home.bells.rename(database.home.path / "elsewhere")
        assert make_run(database)
        (database.home.path / "elsewhere").rename(database.home.bells)
