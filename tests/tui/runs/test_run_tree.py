"""The rows of the Runs pane."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from flowdeck.deck import FlowRun
from flowdeck.rules.runs.run_order import RunOrder, place_of
from flowdeck_tui.runs.run_tree import CALL, RUN, RunTree, merge
from flowdeck_tui.text.present import UNICODE, Tone
from flowdeck_tui.text.render_context import RenderContext
from flowdeck_tui.text.row_source import RowKey
from tests.tui.seeded_home import NOW, Call, SeededHome

CONTEXT = RenderContext(lambda: NOW, UTC, UNICODE)


@pytest.fixture
def family(home: SeededHome) -> dict[str, FlowRun]:
    """Three roots; the middle one has calls, a map and a subflow with a call of its own."""
    old = home.run("old-root", ago_seconds=900)
    parent = home.run(
        "parent",
        state="Running",
        calls=[Call("extract"), *[Call("load", "Running", group=1)] * 3, Call("end", "Pending")],
    )
    child = home.run("child", "checks", "Running", ago_seconds=30, parent=parent, calls=[Call("check")])
    return {"old": old, "parent": parent, "child": child, "new": home.run("new-root", state="Scheduled")}


def tree_of(home: SeededHome, family: dict[str, FlowRun], *opened: str) -> RunTree:
    tree = RunTree(CONTEXT)
    tree.extend([family["new"], family["parent"], family["old"]])
    for name in opened:
        key = family[name].key
        tree.set_children(key, merge(home.deck.task_runs.call_lines(key), home.deck.flow_runs.subflows(key)))
        tree.set_open(key, True)
    return tree


def names(tree: RunTree) -> list[str]:
    return [tree.row(index).cells["name"].text for index in range(len(tree))]


def test_roots_stand_newest_first(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """The newest run is the first row."""
    assert names(tree_of(home, family)) == ["new-root", "parent", "old-root"]


def test_an_open_run_shows_calls_maps_and_subflows_in_their_order(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """A map is one line; a subflow opens like a run."""
    tree = tree_of(home, family, "parent")
    assert names(tree) == ["new-root", "parent", "extract-0", "load ×3", "end-4", "child", "old-root"]
    rows = [tree.row(index) for index in range(len(tree))]
    assert [row.guides for row in rows] == ["", "", "├ ", "├ ", "├ ", "└ ", ""]
    assert [row.is_open for row in rows] == [False, True, None, False, None, False, False]
    assert rows[3].cells["tasks"].text == "0/3"


def test_a_subflow_opens_below_its_parent(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """The lines of the tree lead down to it."""
    tree = tree_of(home, family, "parent", "child")
    assert names(tree)[5:7] == ["child", "check-0"]
    assert tree.row(6).guides == "  └ "
    assert len(tree) == 8


def test_closing_takes_everything_below_away(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """What was open below stays open for the next time."""
    tree = tree_of(home, family, "parent", "child")
    tree.set_open(family["parent"].key, False)
    assert len(tree) == 3
    tree.set_open(family["parent"].key, True)
    assert len(tree) == 8


def test_every_row_is_found_by_its_key(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """Position and key lead to each other."""
    tree = tree_of(home, family, "parent", "child", "old")
    for index in range(len(tree)):
        key = tree.key(index)
        assert tree.index(key) == index
        assert tree.row(index).key == key
    assert tree.index((RUN, 999)) is None
    assert tree.index((CALL, 999)) is None


def test_a_call_leads_to_its_run_and_up(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """The log below a call is that of its run."""
    tree = tree_of(home, family, "parent", "child")
    check: RowKey = tree.key(6)
    run = tree.run_of(check)
    assert run is not None
    assert run.name == "child"
    assert tree.parent_of(check) == (RUN, family["child"].key)
    assert tree.parent_of((RUN, family["child"].key)) == (RUN, family["parent"].key)
    assert tree.parent_of((RUN, family["parent"].key)) is None


def test_updates_reach_nested_rows_too(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """A subflow that ends is seen to end."""
    tree = tree_of(home, family, "parent")
    tree.update([replace(family["child"], name="renamed")])
    assert names(tree)[5] == "renamed"


def test_runs_that_are_not_shown_are_not_taken_up(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """A change of a run elsewhere adds no row."""
    tree = tree_of(home, family)
    tree.update([replace(family["child"], name="renamed")])
    assert len(tree) == 3


def test_deleted_runs_go_with_their_branch(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """And unknown keys are no mistake."""
    tree = tree_of(home, family, "parent")
    tree.remove([family["parent"].key, 12345])
    assert names(tree) == ["new-root", "old-root"]


def test_older_pages_are_put_below(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """The list goes on at its end; what is there already stays once."""
    tree = RunTree(CONTEXT)
    tree.extend([family["new"]])
    tree.extend([family["old"], family["new"], family["parent"]])
    assert names(tree) == ["new-root", "parent", "old-root"]
    assert tree.window.last == place_of(family["old"], RunOrder.NEWEST)


def test_waiting_calls_keep_their_place_before_a_later_subflow(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """Calls stay in call order, whether they have started or not."""
    key = family["parent"].key
    merged = merge(home.deck.task_runs.call_lines(key), home.deck.flow_runs.subflows(key))
    assert [child.name for child in merged] == ["extract-0", "load ×3", "end-4", "child"]


def test_a_row_says_state_by_sign_word_and_tone(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """Three ways, so that colour is never needed."""
    row = tree_of(home, family).row(1)
    assert row.lead is not None
    assert (row.lead.text, row.lead.tone) == ("● Running", Tone.ACTIVE)
    assert row.cells["duration"].text == "1m00s"
    assert row.cells["start"].text == "12:05:10"


def test_running_rows_are_known_by_range(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """Clocks are drawn only where one runs on the screen."""
    tree = tree_of(home, family)
    assert tree.is_any_running(0, 3)
    assert not tree.is_any_running(2, 3)
    assert not tree.is_any_running(5, 9)


def test_hidden_runs_stay_out_however_they_come(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """Until they are hidden no more."""
    tree = tree_of(home, family, "parent")
    tree.hide(frozenset({family["parent"].key}))
    tree.put(family["parent"])
    tree.extend([family["parent"]])
    tree.update([family["parent"]])
    assert names(tree) == ["new-root", "old-root"]
    tree.hide(frozenset())
    tree.put(family["parent"])
    assert names(tree)[:2] == ["new-root", "parent"]


def test_a_run_that_leaves_the_list_stays_below_its_parent(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """A filtered list may hold a subflow run as a row of its own."""
    tree = tree_of(home, family, "parent")
    tree.put(family["child"])
    assert names(tree).count("child") == 2
    tree.drop([family["child"].key])
    assert names(tree) == ["new-root", "parent", "extract-0", "load ×3", "end-4", "child", "old-root"]


def test_rows_that_are_let_go_leave_nothing_behind(
    home: SeededHome, family: dict[str, FlowRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But what an open run shows stays."""
    monkeypatch.setattr("flowdeck_tui.runs.run_window.ROWS_MOST", 2)
    tree = tree_of(home, family, "parent")
    tree.trim(keep_start=True)
    assert tree.run(family["old"].key) is None
    assert names(tree) == ["new-root", "parent", "extract-0", "load ×3", "end-4", "child"]


def test_marks_and_reasons_stand_on_the_row(home: SeededHome, family: dict[str, FlowRun]) -> None:
    """Nothing waits silently."""
    tree = tree_of(home, family)
    tree.marks = frozenset({family["new"].key})
    waits = home.deck.flow_runs.waits()
    tree.reason_of = lambda run: waits.reason(run, NOW)
    rows = [tree.row(index) for index in range(3)]
    assert [row.is_marked for row in rows] == [True, False, False]
    assert rows[0].cells["message"].text.startswith("no engine runs for this home")
    assert rows[2].cells["message"].text == ""


def test_a_hundred_thousand_rows_cost_no_more_than_ten(home: SeededHome) -> None:
    """Rows are found by bisection: a screen full of them takes milliseconds, wherever it is."""
    one = home.run("one")
    runs = [replace(one, key=key, started_at=NOW - timedelta(seconds=key)) for key in range(1, 100_001)]
    tree = RunTree(CONTEXT)
    tree.extend(runs)
    for key in (5, 50_000, 99_999):
        tree.set_open(key, True)
    started = time.perf_counter()
    for first in (0, 50_000, 99_960):
        for index in range(first, first + 40):
            assert tree.index(tree.row(index).key) == index
    assert time.perf_counter() - started < 0.5


def long_tree(home: SeededHome, *calls: Call) -> tuple[RunTree, FlowRun]:
    run = home.run("digest", state="Running", calls=calls)
    tree = RunTree(CONTEXT)
    tree.extend([run])
    tree.set_children(run.key, home.deck.task_runs.call_lines(run.key))
    tree.set_open(run.key, True)
    return tree, run


def test_earlier_calls_stand_in_one_line(home: SeededHome) -> None:
    """The last eight that are over stay, and all that run, wait or have failed."""
    calls = [Call("step", "Failed" if number == 3 else "Completed") for number in range(20)]
    tree, run = long_tree(home, *calls, Call("now", "Running"), Call("then", "Pending"))
    shown = ["step-3", *[f"step-{number}" for number in range(12, 20)], "now-20", "then-21"]
    assert names(tree) == ["digest", "… 11 earlier calls", *shown]
    assert tree.row(1).is_open is False
    for index in range(len(tree)):
        assert tree.index(tree.key(index)) == index
    assert tree.run_of(tree.key(1)) == run
    assert tree.parent_of(tree.key(1)) == (RUN, run.key)


def test_earlier_calls_are_unfolded_until_the_run_is_closed(home: SeededHome) -> None:
    """All of them, in their order."""
    tree, run = long_tree(home, *[Call("step")] * 20)
    tree.unfold(run.key)
    assert names(tree) == ["digest", *[f"step-{number}" for number in range(20)]]
    tree.set_open(run.key, False)
    tree.set_open(run.key, True)
    assert len(tree) == 10


def test_nine_calls_are_not_folded(home: SeededHome) -> None:
    """A line that stands for one line says less than that line."""
    assert len(long_tree(home, *[Call("step")] * 9)[0]) == 10


def test_the_call_under_the_cursor_stays(home: SeededHome) -> None:
    """While others come and end, the cursor's row is never folded away."""
    tree, run = long_tree(home, *[Call("step")] * 8)
    first = tree.key(1)
    tree.hold(first)
    for _ in range(5):
        home.call(run.key, Call("step"), 0)
    tree.set_children(run.key, home.deck.task_runs.call_lines(run.key))
    assert tree.index(first) == 2
    assert names(tree)[1] == "… 4 earlier calls"
