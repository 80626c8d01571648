"""Two screens, two engines, two ways to bring one up: on one home."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from flowdeck.rules.states import StateType
from tests.support.live_home import PREAMBLE, LiveHome

HERE = """
    @flow
    def here():
        print("said here")
    """
THERE = """
@flow
def there():
    print("said there")
"""


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A second folder of flows."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "there.py").write_text(PREAMBLE + THERE, encoding="utf-8")
    return folder


def test_two_screens_on_two_folders(live: LiveHome, other: Path) -> None:
    """Each has the flows of its folder, both see every run, and one engine serves both; one may go at any time."""
    live.flow(HERE)
    with live.screen() as first, live.screen(folder=other) as second:
        first.wait_for("here +flows.py")
        second.wait_for("there +there.py")
        engine = live.until(lambda: live.deck.engine.status().pid)
        for screen in (first, second):
            screen.press("3", "t", "enter")
        for screen in (first, second):
            screen.press("1")
            screen.wait_for(r"Completed +\S+ +here")
            screen.wait_for(r"Completed +\S+ +there")
        first.press("q")
        assert first.wait_for_exit() == 0
        assert live.deck.engine.status().pid == engine
        second.press("3", "t", "enter")
        second.wait_for(r"Completed +\S+ +there(.|\n)*Completed +\S+ +there")
    listed = json.loads(live.command("flow", "ls", "--json").stdout)
    assert {flow["name"]: flow["folder"] for flow in listed} == {"here": str(live.folder), "there": str(other)}
    assert [run.state_type for run in live.all_runs()] == [StateType.COMPLETED] * 3


def test_of_engines_started_at_once_one_serves(live: LiveHome) -> None:
    """The others say which one has won, and leave."""
    started = [live.start("flowdeck.service", "--started-by", "server") for _ in range(4)]
    winner = live.until(lambda: live.deck.engine.status().pid)
    losers = [engine for engine in started if engine.pid != winner]
    assert len(losers) == 3
    assert [engine.wait(30) for engine in losers] == [1, 1, 1]
    assert live.stderr().count(f"Another engine (pid {winner}) serves") == 3
    assert live.deck.engine.status().pid == winner


def test_server_start_beside_the_engine_of_a_screen(live: LiveHome, other: Path) -> None:
    """In the foreground it says who serves the home already; in the background that is what was asked for."""
    with live.screen() as terminal:
        terminal.wait_for("Flows")
        engine = live.until(lambda: live.deck.engine.status().pid)
        refused = live.command("server", "start", str(other))
        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"(pid {engine})" in refused.stderr
        shown = live.command("server", "start", "--background", "--json")
        assert shown.returncode == 0
        assert json.loads(shown.stdout)["pid"] == engine
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_screen_beside_a_server_leaves_it_alone(live: LiveHome) -> None:
    """A screen uses the engine that is there, and takes nothing with it when its line drops."""
    server = live.start(arguments=[sys.executable, "-m", "flowdeck", "server", "start", str(live.folder)])
    live.until(lambda: live.deck.engine.status().pid == server.pid)
    live.flow(HERE)
    with live.screen() as terminal:
        terminal.wait_for("here +flows.py")
        terminal.hang_up()
        terminal.wait_for_exit()
    assert server.poll() is None
    assert live.deck.engine.status().pid == server.pid
