"""Stretches of a run's calls: order, filter, the items of a map."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowdeck.deck import CallQuery, FlowRun
from tests.tui.seeded_home import NOW, Call, SeededHome


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SeededHome]:
    """An empty home."""
    folder = tmp_path / "flows"
    folder.mkdir()
    seeded = SeededHome(tmp_path / "home", folder)
    yield seeded
    seeded.close()


@pytest.fixture
def run(home: SeededHome) -> FlowRun:
    """A run of a call, a map of four of which one failed, a failed call, a call that waits."""
    calls = [
        Call("extract"),
        Call("load", group=1),
        Call("load", group=1),
        Call("load", "Failed", group=1),
        Call("load", group=1),
        Call("check", "Failed"),
        Call("publish", "Pending"),
    ]
    return home.run("calm-heron", state="Running", calls=calls)


def names(home: SeededHome, run: FlowRun, query: CallQuery) -> list[str]:
    return [line.name for line in home.deck.task_runs.call_page(run.key, query).lines]


def test_all_calls_stand_with_each_map_as_one_line(home: SeededHome, run: FlowRun) -> None:
    """In the order in which they were made; the same lines as below a run in the list."""
    page = home.deck.task_runs.call_page(run.key, CallQuery(order="call"))
    assert [line.name for line in page.lines] == ["extract-0", "load ×4", "check-5", "publish-6"]
    assert (page.total, list(page.lines)) == (4, home.deck.task_runs.call_lines(run.key))


def test_failures_come_first(home: SeededHome, run: FlowRun) -> None:
    """Maps with a failed item too; all else stays in order."""
    assert names(home, run, CallQuery()) == ["load ×4", "check-5", "extract-0", "publish-6"]
    assert names(home, run, CallQuery(group=1)) == ["load-3", "load-1", "load-2", "load-4"]


def test_slowest_come_first(home: SeededHome) -> None:
    """What still runs counts up to now; what has not begun comes last."""
    run = home.run("calm-heron", state="Running", calls=[Call("a"), Call("b", "Pending"), Call("c", "Running")])
    assert names(home, run, CallQuery(order="slowest")) == ["c-2", "a-0", "b-1"]


def test_a_stretch_tells_how_many_there_are(home: SeededHome, run: FlowRun) -> None:
    """Whatever its limit; behind the end it is empty."""
    page = home.deck.task_runs.call_page(run.key, CallQuery(group=1, order="call", offset=1, limit=2))
    assert ([line.name for line in page.lines], page.total) == (["load-2", "load-3"], 4)
    assert home.deck.task_runs.call_page(run.key, CallQuery(offset=9, limit=2)).lines == ()


def test_a_text_in_the_name(home: SeededHome, run: FlowRun) -> None:
    """Case does not matter, and nothing in it is a wildcard."""
    assert names(home, run, CallQuery(text="CHECK")) == ["check-5"]
    assert names(home, run, CallQuery(group=1, text="-3")) == ["load-3"]
    assert names(home, run, CallQuery(text="%")) == []


def test_items_have_their_own_state_and_count_as_one(home: SeededHome, run: FlowRun) -> None:
    """A line of an item is like that of a call."""
    (failed,) = home.deck.task_runs.call_page(run.key, CallQuery(group=1, limit=1)).lines
    assert (failed.group, failed.counts.total, failed.state_name) == (None, 1, "Failed")


def test_only_the_current_attempt_counts(home: SeededHome, run: FlowRun) -> None:
    """A retry begins anew."""
    home.set_state(run.key, "Failed", NOW)
    (home.folder / "flows.py").write_text("")
    home.deck.flow_runs.retry(run.id)
    assert home.deck.task_runs.call_page(run.key, CallQuery()).total == 0
