"""Engines as real processes: what they start, what they survive, when they end."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowdeck.rules.states import StateType
from flowdeck.service.lifetime import has_clients
from flowdeck.store.home import locate
from tests.support.live_home import LiveHome

QUICK = """
    @flow
    def main(): pass
    """
WAITS_FOR_GO = """
    @flow
    def main():
        while not os.path.exists("go"): time.sleep(0.02)
        sys.stdout.write("went\\n")
    """


@pytest.fixture
def brief(tmp_path: Path) -> Iterator[LiveHome]:
    """A home whose engines leave after a fifth of a second without use."""
    home = LiveHome(tmp_path, {"FLOWDECK_ENGINE_IDLE_SECONDS": "0.2"})
    yield home
    home.close()


def test_engine_starts_what_is_due_and_waits_for_what_is_not(live: LiveHome) -> None:
    """A run that was scheduled before starts at once, a later one at its time, one of next year not."""
    first = live.create(QUICK)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    later = live.create(QUICK, scheduled_at=soon)
    never = live.create(QUICK, scheduled_at=soon + timedelta(days=365))
    live.start_engine()
    assert live.until_over(first).state_type is StateType.COMPLETED
    started_at = live.until_over(later).started_at
    assert started_at is not None
    assert started_at >= soon
    assert live.now(never).state_type is StateType.SCHEDULED


def test_run_survives_the_engine_and_the_next_one_sees_its_end(live: LiveHome) -> None:
    """An engine that is killed takes no run with it; the next one knows of it, and lets it end."""
    run = live.create(WAITS_FOR_GO)
    first = live.start_engine()
    live.until_named(run, "Running")
    first.kill()
    first.wait()
    assert not live.deck.engine.status().running
    live.start_engine()
    (live.folder / "go").touch()
    done = live.until_over(run)
    assert done.state_type is StateType.COMPLETED
    assert live.until(lambda: live.now(run).exit_code is not None)
    assert live.messages(run, "stdout") == ["went"]
    assert [state.state_name for state in live.deck.flow_runs.states(run.key)] == [
        "Scheduled",
        "Pending",
        "Running",
        "Completed",
    ]


def test_run_ends_with_no_engine_at_all(live: LiveHome) -> None:
    """Its host records the end although nobody supervises it."""
    run = live.create(WAITS_FOR_GO)
    engine = live.start_engine()
    live.until_named(run, "Running")
    engine.kill()
    engine.wait()
    (live.folder / "go").touch()
    assert live.until_over(run).state_type is StateType.COMPLETED


@pytest.mark.parametrize(("started_by", "code"), [("cli", 0), ("tui", 0), ("server", 1)])
def test_second_engine_says_so_and_leaves(live: LiveHome, started_by: str, code: int) -> None:
    """One engine a home; that another won the race is no failure for a front end, but is for `server start`."""
    first = live.start_engine()
    second = live.start_engine(started_by)
    assert second.wait(30) == code
    assert f"Another engine (pid {first.pid}) serves" in live.stderr()
    assert live.deck.engine.status().pid == first.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_engine_that_is_told_to_stop_leaves_runs_alive(live: LiveHome, number: signal.Signals) -> None:
    """It unregisters and ends well; what it had started goes on."""
    run = live.create(WAITS_FOR_GO)
    engine = live.start_engine()
    live.until_named(run, "Running")
    engine.send_signal(number)
    assert engine.wait(30) == 0
    assert live.database.reader().execute("SELECT count(*) FROM engine").fetchone() == (0,)
    (live.folder / "go").touch()
    assert live.until_over(run).state_type is StateType.COMPLETED


def test_engine_of_a_front_end_ends_when_nobody_needs_it(brief: LiveHome) -> None:
    """No client, nothing to do: it goes by itself."""
    assert brief.start_engine("cli").wait(30) == 0
    assert "Nobody has needed an engine" in brief.stderr()
    assert not brief.deck.engine.status().running


def test_engine_of_a_front_end_stays_for_clients_and_runs(brief: LiveHome) -> None:
    """As long as somebody listens or something is to be done it stays, a scheduled run included."""
    run = brief.create(WAITS_FOR_GO)
    with brief.deck.changes():
        engine = brief.start_engine("tui")
        (brief.folder / "go").touch()
        brief.until_over(run)
        time.sleep(0.6)
        assert engine.poll() is None
        scheduled = brief.create(QUICK, scheduled_at=datetime.now(UTC) + timedelta(hours=1))
    time.sleep(0.6)
    assert engine.poll() is None
    brief.deck.flow_runs.cancel(scheduled.id)
    assert engine.wait(30) == 0


def test_engine_that_was_started_as_a_server_stays(brief: LiveHome) -> None:
    """`server start` asked for it: being idle is no reason to go."""
    engine = brief.start_engine("server")
    time.sleep(0.6)
    assert engine.poll() is None


def test_bell_of_a_killed_reader_is_no_client(live: LiveHome) -> None:
    """A socket file that nobody listens to any more keeps no engine alive; an open one does."""
    home = locate(live.deck.home)
    assert not has_clients(home)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        os.chdir(home.bells)
        bell.bind("1-abcd.bell")
        assert has_clients(home)
    assert (home.bells / "1-abcd.bell").exists()
    assert not has_clients(home)


def test_no_more_runs_at_once_than_there_are_places(live: LiveHome) -> None:
    """The default limit holds, and a place that gets free is taken."""
    places = 2 * (os.cpu_count() or 1)
    runs = [live.create(WAITS_FOR_GO) for _ in range(places + 1)]
    live.start_engine()
    for run in runs[:-1]:
        live.until_named(run, "Running")
    assert live.now(runs[-1]).state_type is StateType.SCHEDULED
    (live.folder / "go").touch()
    for run in runs:
        assert live.until_over(run).state_type is StateType.COMPLETED


def test_folder_that_does_not_exist_is_refused(live: LiveHome) -> None:
    """One sentence, exit code 3, and no engine."""
    engine = live.start("flowdeck.service", "--folder", "/no/such/folder")
    assert engine.wait(30) == 3
    assert "There is no folder /no/such/folder." in live.stderr()


def test_home_that_cannot_be_used_is_refused(live: LiveHome) -> None:
    """One sentence, and no traceback of ours."""
    live.environment["FLOWDECK_ENGINE_IDLE_SECONDS"] = "soon"
    engine = live.start("flowdeck.service")
    assert engine.wait(30) == 1
    assert "'soon' is not a valid engine_idle_seconds" in live.stderr()
    assert "Traceback" not in live.stderr()
