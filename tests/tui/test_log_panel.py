"""The log below the runs: its title, the line that says why, and logs of any size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowdeck.deck import CallLine, FlowRun, RunError
from flowdeck.rules.states import StateType
from flowdeck_tui.panes import log_panel
from flowdeck_tui.panes.log_panel import reason_of, status_of, title_of
from flowdeck_tui.present import UNICODE, Tone
from flowdeck_tui.widgets.log_view import LogStatus
from tests.tui.harness import line_with, press, running_app, until, until_shown
from tests.tui.seeded_home import NOW, Call, SeededHome

ERROR = RunError("ValueError", "bad city", "…", "/x/etl.py", 23)


def call_of(home: SeededHome, run: FlowRun) -> CallLine:
    return home.deck.call_lines(run.key)[0]


def test_a_failed_run_says_its_error_and_place(home: SeededHome) -> None:
    """In one line, above the log."""
    run = home.run("a", state="Failed", error=ERROR)
    assert reason_of(run, None, has_engine=True) == ("ValueError: bad city  (etl.py:23)", Tone.BAD)


def test_a_failed_call_says_its_own_message(home: SeededHome) -> None:
    """When the cursor stands on it."""
    run = home.run("a", state="Running", calls=[Call("load", "Failed", message="TimeoutError: page 2")])
    assert reason_of(run, call_of(home, run), has_engine=True) == ("load-0: TimeoutError: page 2", Tone.BAD)


def test_a_run_that_waits_for_an_engine_says_so_and_how_to_get_one(home: SeededHome) -> None:
    """Nothing waits silently."""
    run = home.run("a", state="Scheduled")
    reason = reason_of(run, None, has_engine=False)
    assert reason == ("waits for an engine: flowdeck server start", Tone.WARN)
    assert reason_of(run, None, has_engine=True) is None


def test_a_retry_says_that_all_tasks_run_again(home: SeededHome) -> None:
    """As long as it runs."""
    run = replace(home.run("a", state="Running"), attempt=2)
    reason = reason_of(run, None, has_engine=True)
    assert reason is not None
    assert reason[0] == "attempt 2: all tasks run again, those that had completed too"
    done = replace(run, state_type=StateType.COMPLETED, state_name="Completed")
    assert reason_of(done, None, has_engine=True) is None


def test_running_and_completed_runs_need_no_reason(home: SeededHome) -> None:
    """No line where there is nothing to say."""
    assert reason_of(home.run("a", state="Running"), None, has_engine=True) is None
    assert reason_of(home.run("b"), None, has_engine=True) is None


def test_the_title_names_run_flow_state_attempt_and_call(home: SeededHome) -> None:
    """Which log this is."""
    run = replace(home.run("calm-heron", "sync", "Running", calls=[Call("load")]), attempt=3)
    text = "".join(part for part, _ in title_of(run, call_of(home, run), UNICODE))
    assert text == "── calm-heron  sync  ● Running  attempt 3  at load-0 "


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (LogStatus(count=1), " follows ── 1 line ──"),
        (LogStatus(count=1204, follows=False), " paused ── 1,204 lines ──"),
        (LogStatus(count=9, search="x", match=2, matches=7), " /x 2 of 7 ── follows ── 9 lines ──"),
        (LogStatus(count=9, search="x", is_searching=True), " /x none+ ── follows ── 9 lines ──"),
    ],
)
def test_the_title_says_where_in_the_log_one_is(status: LogStatus, text: str) -> None:
    """Following or not, how many lines, which match."""
    assert status_of(status, UNICODE)[0][0] == text


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
