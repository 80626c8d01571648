"""What of a run is looked at, as a question to the pump and as a title; a run's texts; rows that are not in memory."""

from __future__ import annotations

import dataclasses
from datetime import UTC, timedelta

from flowdeck.deck import CallQuery, FlowRun, RunError, StateRecord
from flowdeck.rules.states import StateType
from flowdeck_tui.live.detail_reading import Detail, DetailQuery, read_detail
from flowdeck_tui.runs import detail_text
from flowdeck_tui.runs.call_rows import STRETCH, CallRows, ParameterRows, preview
from flowdeck_tui.runs.detail_view import CallPage, DetailView, ValuePage
from flowdeck_tui.text.present import UNICODE
from flowdeck_tui.text.render_context import RenderContext
from flowdeck_tui.widgets.tab_bar import Tab
from tests.tui.seeded_home import NOW, Call, SeededHome

CONTEXT = RenderContext(lambda: NOW, UTC, UNICODE)


def text_of(spans: object) -> str:
    return "".join(text for text, _ in spans)  # type: ignore[attr-defined]


def seed(home: SeededHome, count: int = 3) -> FlowRun:
    return home.run("calm-heron", calls=[Call("load", group=1) for _ in range(count)])


def test_only_what_the_row_does_not_tell_is_asked_for(home: SeededHome) -> None:
    """Nothing for the log, the parameters and the error."""
    run = seed(home)
    for tab in (Tab.LOG, Tab.PARAMETERS, Tab.ERROR):
        assert DetailView(tab).query(run) is None
    assert DetailView(Tab.STATES).query(run) == DetailQuery(run.key, wants_states=True)
    (group,) = home.deck.task_runs.call_lines(run.key)
    view = DetailView(Tab.TASKS, group, CallPage(7, "x"), "call", "te", 20)
    assert view.query(run) == DetailQuery(run.key, False, True, 1, "te", "call", 20, STRETCH, 7)


def test_the_title_tells_how_deep_one_is(home: SeededHome) -> None:
    """Run, map, item; filter and order."""
    run = seed(home)
    (group,) = home.deck.task_runs.call_lines(run.key)
    view = DetailView(Tab.TASKS, group, CallPage(7, "load-0"))
    assert text_of(view.title(run, UNICODE)).strip() == "calm-heron ▸ load ×3 ▸ load-0  ✓ Completed"
    view = DetailView(Tab.TASKS, text="lo", order="slowest")
    assert text_of(view.title(run, UNICODE)).strip() == "calm-heron ▸ /lo  ✓ Completed  slowest first"
    view = DetailView(Tab.PARAMETERS, group, ValuePage("days"))
    assert text_of(view.title(run, UNICODE)).strip() == "calm-heron ▸ days  ✓ Completed"


def test_orders_come_round(home: SeededHome) -> None:
    """Each begins at the first call."""
    view = DetailView(offset=5)
    assert [view.next_order() for _ in range(3)] == ["in order", "slowest first", "failures first"]
    assert view.offset == 0


def test_the_stretch_in_memory_lies_around_what_is_looked_at() -> None:
    """It is asked for once."""
    view = DetailView()
    assert not view.look_around(10)
    assert view.look_around(5000)
    assert not view.look_around(5000)
    assert view.offset == 5000 - STRETCH // 2


def test_a_detail_of_a_run_that_is_gone_is_empty(home: SeededHome) -> None:
    """It may be deleted while one looks at it."""
    run = seed(home)
    home.deck.flow_runs.delete(run.id)
    detail = read_detail(home.deck, DetailQuery(run.key, True, True, call_id=run.key * 100_000_000 + 1))
    assert (list(detail.states), detail.call, list(detail.subflows)) == ([], None, [])
    assert detail.calls is not None
    assert detail.calls.total == 0


# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_row_that_is_not_in_memory_is_asked_for(home: SeededHome) -> None:
    """And stands there without its text until it comes; keys find only what is in memory."""
    run = seed(home, 10)
    wanted: list[int] = []
    rows = CallRows(CONTEXT, wanted.append)
    query = DetailQuery(run.key, wants_calls=True, group=1, order="call", offset=4, limit=3)
    page = home.deck.task_runs.call_page(run.key, CallQuery(group=1, order="call", offset=4, limit=3))
    rows.take(Detail(query, calls=page))
    assert len(rows) == 10
    assert [rows.row(index).cells["name"].text for index in range(3, 8)] == ["…", "load-4", "load-5", "load-6", "…"]
    assert wanted == [3, 7]
    assert rows.key(0) == ("place", 0)
    assert rows.index(("place", 0)) == 0
    assert rows.index(rows.key(5)) == 5
    assert rows.line(rows.key(0)) is None
    rows.clear()
    assert len(rows) == 0


def test_runs_that_a_run_started_stand_behind_its_calls(home: SeededHome) -> None:
    """Each found by its key."""
    run = seed(home)
    child = home.run("tidy-dune", parent=run)
    rows = CallRows(CONTEXT, lambda _: None)
    rows.take(read_detail(home.deck, DetailQuery(run.key, wants_calls=True, limit=STRETCH)))
    assert len(rows) == 2
    assert rows.run(rows.key(1)) == child
    assert rows.index(rows.key(1)) == 1
    assert rows.run(rows.key(0)) is None


def test_parameters_are_previewed_without_being_walked() -> None:
    """A value of megabytes costs what its line costs; nothing in it is obeyed."""
    rows = ParameterRows()
    rows.replace({"days": 3, "text": "a\x1b[2J\nb", "rows": [{"n": number} for number in range(200_000)], "none": None})
    cells = [rows.row(index).cells for index in range(len(rows))]
    assert [cell["value"].text[:9] for cell in cells] == ["3", "a␊b", '[{"n": 0}', "null"]
    assert [cell["kind"].text for cell in cells] == ["whole number", "text", "list of 200,000", "null"]
    assert len(cells[2]["value"].text) < 1000
    assert preview("x" * 10_000_000) == "x" * 500


# -- texts -------------------------------------------------------------------------------------------------------------


def texts(lines: list[detail_text.Line]) -> list[str]:
    return [text for text, _ in lines]


def test_states_are_told_by_attempt(home: SeededHome) -> None:
    """When each began, how long it lasted, its reason on as many lines as it has."""
    run = dataclasses.replace(seed(home), attempt=2)
    shown = ((1, StateType.RUNNING, None, 0), (1, StateType.FAILED, "a\nb", 5), (2, StateType.SCHEDULED, "asked", 65))
    states = [
        StateRecord(n, None, kind, kind.value.title(), message, NOW + timedelta(seconds=after - 70), attempt)
        for n, (attempt, kind, message, after) in enumerate(shown)
    ]
    lines = texts(detail_text.state_lines(dataclasses.replace(run, state_type=StateType.SCHEDULED), states, CONTEXT))
    assert lines[:5] == [
        "12:05:00.000  ● Running         5.0s",
        "12:05:05.000  ✗ Failed         1m00s  a",
        " " * 37 + "b",
        "attempt 2",
        "12:06:05.000  ◷ Scheduled         5s  asked",
    ]


def test_a_moment_of_another_day_has_its_day() -> None:
    """Runs are looked at the morning after."""
    assert detail_text.moment_text(NOW, CONTEXT) == "12:06:10.000"
    assert detail_text.moment_text(NOW - timedelta(days=1), CONTEXT) == "2026-05-03 12:06:10.000"


def test_an_error_is_written_without_its_escapes() -> None:
    """A message may hold anything."""
    error = RunError("Odd\x1b[1m", "one\x1b]0;t\x07\ntwo", "Traceback\n  x\x1b[2J", "/x/a.py", None)
    lines = texts(detail_text.error_lines(error, None))
    assert lines[:3] == ["Odd", "one", "two"]
    assert "/x/a.py   e opens it in an editor" in lines
    assert not any("\x1b" in line for line in lines)


def test_what_crashed_without_an_error_says_what_is_known() -> None:
    """The message of its state."""
    assert texts(detail_text.error_lines(None, "Killed by signal 9.")) == ["Killed by signal 9."]
    assert texts(detail_text.error_lines(None, None)) == ["No error."]


def test_a_value_is_written_whole_up_to_a_length() -> None:
    """Beyond it the pager shows the rest."""
    assert texts(detail_text.value_lines({"a": [1]})) == ["{", '  "a": [', "    1", "  ]", "}"]
    assert texts(detail_text.value_lines("a\x1b[31m\nb")) == ["a", "b"]
    lines = texts(detail_text.value_lines("x" * 150_000))
    assert lines[-1] == "50,000 more characters: o shows all in the pager."
