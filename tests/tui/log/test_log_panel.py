"""The log below the runs: its title, the line that says why, and logs of any size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowdeck.deck import CallLine, FlowRun, RunError
from flowdeck.rules.states import StateType
from flowdeck_tui.app import FlowdeckApp
from flowdeck_tui.live.pump import Pace
from flowdeck_tui.log import log_panel
from flowdeck_tui.log.log_marks import Found, LogStatus
from flowdeck_tui.log.log_title import reason_of, status_of, title_of
from flowdeck_tui.text.present import UNICODE, Tone
from tests.tui.harness import line_with, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import NOW, Call, SeededHome

ERROR = RunError("ValueError", "bad city", "…", "/x/etl.py", 23)


def call_of(home: SeededHome, run: FlowRun) -> CallLine:
    return home.deck.task_runs.call_lines(run.key)[0]


def test_a_failed_run_says_its_error_and_place(home: SeededHome) -> None:
    """In one line, above the log."""
    run = home.run("a", state="Failed", error=ERROR)
    assert reason_of(run, None, waiting=None) == ("ValueError: bad city  (etl.py:23)", Tone.BAD)


def test_a_failed_call_says_its_own_message(home: SeededHome) -> None:
    """When the cursor stands on it."""
    run = home.run("a", state="Running", calls=[Call("load", "Failed", message="TimeoutError: page 2")])
    assert reason_of(run, call_of(home, run), waiting=None) == ("load-0: TimeoutError: page 2", Tone.BAD)


def test_a_run_that_waits_for_an_engine_says_so_and_how_to_get_one(home: SeededHome) -> None:
    """Nothing waits silently."""
    run = home.run("a", state="Scheduled")
    waiting = home.deck.flow_runs.waits().reason(run, NOW, remedy="`flowdeck server start`")
    reason = reason_of(run, None, waiting=waiting)
    assert reason == ("no engine runs for this home: `flowdeck server start`", Tone.WARN)
    assert reason_of(run, None, waiting=None) is None


def test_a_retry_says_that_all_tasks_run_again(home: SeededHome) -> None:
    """As long as it runs."""
    run = replace(home.run("a", state="Running"), attempt=2)
    reason = reason_of(run, None, waiting=None)
    assert reason is not None
    assert reason[0] == "attempt 2: what is recorded does not run again"
    done = replace(run, state_type=StateType.COMPLETED, state_name="Completed")
    assert reason_of(done, None, waiting=None) is None


def test_running_and_completed_runs_need_no_reason(home: SeededHome) -> None:
    """No line where there is nothing to say."""
    assert reason_of(home.run("a", state="Running"), None, waiting=None) is None
    assert reason_of(home.run("b"), None, waiting=None) is None


def test_the_title_names_run_flow_state_and_attempt(home: SeededHome) -> None:
    """Which log this is."""
    run = replace(home.run("calm-heron", "sync", "Running"), attempt=3)
    text = "".join(part for part, _ in title_of(run, UNICODE))
    assert text == "── calm-heron  sync  ● Running  attempt 3 "
    more = "".join(part for part, _ in title_of(run, UNICODE, subflow_runs=2, call_name="load-3"))
    assert more.endswith("attempt 3  +2 subflow runs  only load-3 ")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (LogStatus(1, 1), " follows ── 1 line ──"),
        (LogStatus(1204, 1204, follows=False), " paused ── 1,204 lines ──"),
        (LogStatus(9, 9, search=Found("x", 2, 7)), " /x 2 of 7 ── follows ── 9 lines ──"),
        (LogStatus(9, 9, search=Found("x", is_searching=True)), " /x none+ ── follows ── 9 lines ──"),
        (LogStatus(9, 9, errors=Found("errors", 1, 3)), " error 1 of 3 ── follows ── 9 lines ──"),
        (
            LogStatus(9, 2, filter=Found("ab|c"), least_level="WARNING", wraps=True, marked=3, selected=2),
            " & ab|c ── WARNING and above ── 2 selected ── 3 marked ── wrapped ── follows ── 2 of 9 lines ──",
        ),
        (LogStatus(9, 2, filter=Found("a", is_searching=True)), " & a ── follows ── 2+ of 9 lines ──"),
    ],
)
def test_the_title_says_where_in_the_log_one_is(status: LogStatus, text: str) -> None:
    """Following or not, how many lines, which match, what is hidden."""
    assert status_of(status, UNICODE)[0][0] == text


def test_the_title_names_what_is_wrong_with_a_pattern() -> None:
    """In red, before the rest."""
    spans = status_of(LogStatus(9, 9, filter=Found("(", problem="is no regular expression: \x1b[2Jx")), UNICODE)
    assert spans[0] == (" is no regular expression: x ──", Tone.BAD)


def test_the_end_of_a_run_that_is_over_is_neither_followed_nor_paused() -> None:
    """Nothing more comes; further up it is still said that the view stands still."""
    assert status_of(LogStatus(9, 9), UNICODE, is_over=True)[0][0] == " 9 lines ──"
    above = LogStatus(9, 9, follows=False, below=3)
    assert status_of(above, UNICODE, is_over=True)[0][0] == " paused ── 9 lines ──"


LONG_ERROR = RunError("TimeoutError", "knock 4, and it wakes after the fifth " * 4 + "at last", "…", "/x/flaky.py", 23)


@pytest.mark.asyncio
async def test_a_long_reason_is_read_to_its_end(home: SeededHome) -> None:
    """In up to three lines; the next run's log has its room back."""
    run = home.run("plain", ago_seconds=99)
    home.log(run, "of the plain one")
    home.run("bad", state="Failed", error=LONG_ERROR)
    async with running_app(home) as (_, pilot):
        await until_shown(pilot, "TimeoutError: knock 4", "at last  (flaky.py:23)")
        await press(pilot, "j")
        await until(pilot, lambda: "knock" not in screen_text(pilot) and "of the plain one" in screen_text(pilot))
        rows = screen_text(pilot).splitlines()
        title = next(number for number, row in enumerate(rows) if "── plain" in row)
        assert "of the plain one" in rows[title + 1]


@pytest.mark.asyncio
async def test_parameters_stand_above_the_log_when_nothing_else_does(home: SeededHome) -> None:
    """Inert, in one line; at 160 columns beside an error."""
    given = {"limit": 100, "with_tests": False, "output": "out\x1b[2J.csv", "note": "a b"}
    home.run("bad", state="Failed", error=ERROR, parameters=given)
    home.run("good", parameters=given)
    async with running_app(home) as (_, pilot):
        await until_shown(pilot, 'limit=100  with_tests=false  output=out.csv  note="a b"')
        await press(pilot, "j")
        await until_shown(pilot, "ValueError: bad city")
        assert "limit=100" not in screen_text(pilot)
        await pilot.resize_terminal(160, 48)
        await until(pilot, lambda: "limit=100" in line_with(pilot, "(etl.py:23)    "))


@pytest.mark.asyncio
async def test_escape_ends_the_search_first(home: SeededHome) -> None:
    """And a text that is nowhere does not stop following."""
    run = home.run("one", state="Running")
    home.log(run, *[f"line {number}" for number in range(60)])
    async with running_app(home) as (app, pilot):
        await press(pilot, "l", "/", *"line nowhere", "enter")
        await until_shown(pilot, "/line nowhere none ── follows", "line 59")
        await press(pilot, "escape")
        assert "nowhere" not in screen_text(pilot)
        assert app.runs_pane.log_panel.log_view.has_focus
        await press(pilot, "/", *"line 3", "enter", "escape")
        assert "paused ── 60 lines" in screen_text(pilot)
        await press(pilot, "escape")
        await until_shown(pilot, "all runs, newest first")


@pytest.mark.asyncio
async def test_f_on_a_run_that_is_over_explains(home: SeededHome) -> None:
    """There is nothing to follow."""
    home.log(home.run("one"), "words")
    async with running_app(home) as (app, pilot):
        await until_shown(pilot, "words")
        await press(pilot, "f")
        assert app.status.text.strip() == "This run is over; G goes to the end of its log."
        assert "follows" not in screen_text(pilot)


@pytest.mark.asyncio
async def test_a_large_log_is_counted_beside_the_screen(home: SeededHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is shown once the lines are counted; keys act meanwhile."""
    monkeypatch.setattr(log_panel, "LARGE_LOG_BYTES", 1000)
    other = home.run("small")
    run = home.run("large")
    home.log(other, "of the small one")
    home.log(run, *[f"line {number}" for number in range(500)])
    async with running_app(home) as (_, pilot):
        await until_shown(pilot, "line 499", "500 lines")
        await press(pilot, "j")
        await until_shown(pilot, "of the small one")
        await press(pilot, "k")
        await until_shown(pilot, "line 499")


@pytest.mark.asyncio
async def test_moving_on_shows_the_log_of_the_run_one_comes_to(home: SeededHome) -> None:
    """However fast one moves, title and lines belong together."""
    for number in range(8):
        home.log(home.run(f"run-{number}"), f"lines of run-{number}")
    async with running_app(home) as (_, pilot):
        await press(pilot, *"jjjj")
        await until_shown(pilot, "── run-3  etl", "lines of run-3")


@pytest.mark.asyncio
async def test_a_log_that_begins_late_is_found(home: SeededHome) -> None:
    """The file need not exist when the run is looked at."""
    run = home.run("slow", state="Running")
    async with running_app(home) as (_, pilot):
        await until_shown(pilot, "Nothing logged yet.")
        home.log(run, "first words")
        await until_shown(pilot, "first words", "1 line")


@pytest.mark.asyncio
async def test_first_lines_do_not_wait_for_their_turn(home: SeededHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a run is going, and its first own words, are shown at once; what follows comes at the pace of the line."""
    monkeypatch.setattr(log_panel, "EAGER_SECONDS", 1000.0)
    monkeypatch.setattr(FlowdeckApp, "pace", Pace(delivery_seconds=0.05, log_seconds=1000.0))
    run = home.run("new", state="Running")
    async with running_app(home) as (app, pilot):
        await until_shown(pilot, "Nothing logged yet.")
        home.log(run, "the run started")
        await until_shown(pilot, "the run started")
        home.log(run, "own words")
        await until_shown(pilot, "own words")
        assert app.runs_pane.log_panel.log_view.status.count == log_panel.FIRST_LINES


@pytest.mark.asyncio
async def test_a_log_is_opened_at_once_unless_one_is_on_the_way(
    home: SeededHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step shows a log; of those that follow fast, only the last one, when the cursor stands still."""
    monkeypatch.setattr(log_panel, "SETTLE_SECONDS", 1000.0)
    for number in range(3):
        home.log(home.run(f"run-{number}"), f"lines of run-{number}")
    async with running_app(home) as (_, pilot):
        await until_shown(pilot, "── run-2  etl", "lines of run-2")
        await press(pilot, "j")
        await until_shown(pilot, "── run-1  etl")
        assert "lines of run-2" in screen_text(pilot)


@pytest.mark.asyncio
async def test_the_last_lines_of_a_run_are_shown_after_its_end(home: SeededHome) -> None:
    """Its state may be seen before its last words are."""
    run = home.run("ending", state="Running")
    async with running_app(home) as (_, pilot):
        home.log(run, "first words")
        await until_shown(pilot, "first words")
        home.set_state(run.key, "Completed", NOW)
        await until(pilot, lambda: "✓ Completed" in line_with(pilot, "ending"))
        home.log(run, "last words")
        await until_shown(pilot, "last words")
