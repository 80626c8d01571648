"""A run opened: its calls, the items of a map, the runs that it started."""

from __future__ import annotations

import pytest

from flowdeck.rules.clock import to_microseconds
from flowdeck.rules.states import State, StateType
from flowdeck.store.calls import task_runs
from flowdeck.store.run_values import CALLS_PER_RUN, error_to_json
from tests.tui.failed_runs import ERROR, many_items, seed_failed
from tests.tui.harness import LARGE, SMALL, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import NOW, Call, SeededHome

pytestmark = pytest.mark.asyncio
TINY = (60, 15)
BOTH_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
ALL_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE, TINY], ids=["80x24", "160x48", "60x15"])


# -- calls -------------------------------------------------------------------------------------------------------------


@BOTH_SIZES
async def test_a_map_opens_to_its_items_failures_first(home: SeededHome, size: tuple[int, int]) -> None:
    """Each with state and time; esc comes back to the map among the other calls."""
    seed_failed(home)
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "load ×12")
        await press(pilot, "enter")
        await until_shown(pilot, "calm-heron ▸ load ×12", "load-4", "load-8", "load-1 ")
        lines = screen_text(pilot).splitlines()
        names = ("load-4", "load-8", "load-1")
        places = [next(i for i, line in enumerate(lines) if f" {name} " in line) for name in names]
        assert places == sorted(places)
        assert lines[places[0]].startswith(">  ✗ Failed")
        await press(pilot, "escape")
        await until(pilot, lambda: line_with(pilot, "10/12").startswith(">▸ ✗ Failed"))


async def test_s_puts_the_calls_into_another_order(home: SeededHome) -> None:
    """Failures first, as they were made, the slowest first."""
    seed_failed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "load ×12")
        await press(pilot, "s")
        await until(pilot, lambda: line_with(pilot, "extract-0").startswith(">"))
        assert app.status.text.strip() == "Calls: in order."
        await press(pilot, "s")
        await until_shown(pilot, "slowest first")


async def test_slash_keeps_calls_by_their_name(home: SeededHome) -> None:
    """Among the items of a map as well; esc takes the filter away, then leaves the map."""
    seed_failed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "load ×12")
        await press(pilot, "enter")
        await until_shown(pilot, "load-9")
        await press(pilot, "/", *"-12", "enter")
        await until(pilot, lambda: "load-4 " not in screen_text(pilot) and "load-12" in screen_text(pilot))
        await press(pilot, "escape")
        await until_shown(pilot, "load-4 ", "▸ load ×12")
        await press(pilot, "escape")
        await until_shown(pilot, "extract-0")


@BOTH_SIZES
async def test_a_call_opens_to_all_that_is_known_of_it(home: SeededHome, size: tuple[int, int]) -> None:
    """Times, result, error with its traceback."""
    run = home.run("calm-heron", state="Running", calls=[Call("extract")])
    failed = home.call(run.key, Call("load", "Running"), to_microseconds(NOW))
    final = State(StateType.FAILED, "Failed", "ValueError: no row")
    ended_at = to_microseconds(NOW) + 2_000_000
    home.database.write(
        lambda connection: task_runs.set_final(connection, failed, 1, final, ended_at, error_to_json(ERROR))
    )
    home.set_state(run.key, "Failed", error=ERROR)
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "enter")
        await until(pilot, lambda: line_with(pilot, "load-1").startswith(">"))
        await press(pilot, "enter")
        await until_shown(pilot, "▸ load-1", "✗ Failed  2.0s", "raise ValueError", "flows.py, line 7")
        place = app.runs_pane.detail.place
        assert place is not None
        assert (place.file, place.line) == ("/x/flows.py", 7)
        await press(pilot, "escape")
        await until_shown(pilot, "extract-0")


async def test_enter_on_a_call_of_the_list_opens_that_call(home: SeededHome) -> None:
    """And on a map, its items."""
    seed_failed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "right")
        await until_shown(pilot, "extract-0", "load ×12")
        await press(pilot, "j", "enter")
        await until_shown(pilot, "▸ extract-0", "✓ Completed  1.5s")
        await press(pilot, "escape")
        await until(pilot, lambda: line_with(pilot, "extract-0").startswith(">"))
        await press(pilot, "escape", "j", "enter")
        await until_shown(pilot, "▸ load ×12", "load-4")


async def test_the_log_below_is_that_of_the_call_under_the_cursor(home: SeededHome) -> None:
    """l gives it the screen; esc brings the lines of the whole run back."""
    run = home.run("calm-heron", calls=[Call("extract"), Call("load")])
    home.log(run, "of the flow")
    for number, name in ((1, "extract-0"), (2, "load-1")):
        home.log_of_call(run, number, name, f"line of {name}")
    async with running_app(home) as (_, pilot):
        await press(pilot, "enter")
        await until(pilot, lambda: line_with(pilot, "extract-0").startswith(">"))
        await until(
            pilot, lambda: "line of extract-0" in screen_text(pilot) and "of the flow" not in screen_text(pilot)
        )
        await press(pilot, "j")
        await until(pilot, lambda: "line of load-1" in screen_text(pilot) and "of extract" not in screen_text(pilot))
        await press(pilot, "l")
        await until(pilot, lambda: "[log]" in screen_text(pilot) and "line of load-1" in screen_text(pilot))
        assert "of the flow" not in screen_text(pilot)
        await press(pilot, "escape")
        await until_shown(pilot, "of the flow", "line of extract-0", "line of load-1")


async def test_a_run_that_it_started_opens_and_esc_comes_back(home: SeededHome) -> None:
    """From run to run, and the same way back."""
    seed_failed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "tidy-dune")
        await press(pilot, "G", "enter")
        await until(pilot, lambda: "tidy-dune" in line_with(pilot, "[log]"))
        await press(pilot, "escape")
        await until(pilot, lambda: "calm-heron" in line_with(pilot, "[tasks]"))
        await press(pilot, "escape")
        await until_shown(pilot, "all runs")


async def test_a_hundred_thousand_items_are_read_page_by_page(home: SeededHome) -> None:
    """The first and the last are there at once, and never all of them in memory."""
    run = home.run("calm-heron", state="Running")
    many_items(home, run, 100_000)
    async with running_app(home) as (app, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "load ×100000")
        await press(pilot, "enter")
        await until(pilot, lambda: line_with(pilot, " load-999 ").startswith(">  ✗ Failed"))
        await press(pilot, "G")
        await until(pilot, lambda: line_with(pilot, " load-99998 ").startswith(">"))
        assert len(app.runs_pane.detail._rows._lines) <= 400
        await press(pilot, "g")
        await until(pilot, lambda: line_with(pilot, " load-999 ").startswith(">"))


async def test_calls_of_a_running_run_appear_and_change_by_themselves(home: SeededHome) -> None:
    """The open run is followed live."""
    run = home.run("brave-otter", state="Running", calls=[Call("extract", "Running")])
    async with running_app(home) as (_, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "[tasks]", "extract-0")
        home.finish_call(run.key * CALLS_PER_RUN + 1)
        await until(pilot, lambda: "✓ Completed" in line_with(pilot, "extract-0"))
        home.call(run.key, Call("load", "Running"), to_microseconds(NOW))
        await until_shown(pilot, "load-1")
        home.set_state(run.key, "Completed", NOW)
        await until(pilot, lambda: "✓ Completed" in line_with(pilot, "[tasks]"))
