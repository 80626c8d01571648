"""A run opened: its tabs, its calls, the items of a map, values in full, at 80×24, 160×48 and 60×15."""

from __future__ import annotations

import pytest

from flowdeck.deck import FlowRun, RunError
from flowdeck.rules.clock import to_microseconds
from flowdeck.rules.states import State, StateType, named
from flowdeck.store import task_runs
from flowdeck.store.run_facts import CALLS_PER_RUN, error_to_json
from flowdeck_tui.widgets.tab_bar import Tab
from tests.tui.harness import LARGE, SMALL, AppPilot, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import NOW, Call, SeededHome

pytestmark = pytest.mark.asyncio
TINY = (60, 15)
BOTH_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
ALL_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE, TINY], ids=["80x24", "160x48", "60x15"])
ERROR = RunError(
    "ValueError",
    "no row\nin table t",
    'Traceback (most recent call last):\n  File "flows.py", line 7, in load\n    raise ValueError\nValueError: no row',
    "/x/flows.py",
    7,
)


def seed_failed(home: SeededHome, items: int = 12) -> FlowRun:
    """A failed run: a call, a map of which the fourth and the eighth item failed, a call, a subflow run."""
    load = [Call("load", group=1) for _ in range(items)]
    for index in (3, 7):
        load[index] = Call("load", "Failed", group=1, message="ValueError: no row")
    run = home.run(
        "calm-heron",
        state="Failed",
        calls=[Call("extract"), *load, Call("notify")],
        error=ERROR,
        message="ValueError: no row",
        parameters={"days": 3, "text": "a\x1b[31mb\nc", "rows": list(range(200))},
    )
    home.log(run, *[f"before {number}" for number in range(60)])
    home.log(run, "it broke here", level=40)
    home.log(run, *[f"after {number}" for number in range(60)])
    home.run("tidy-dune", "checks", parent=run)
    return run


def many_items(home: SeededHome, run: FlowRun, count: int) -> None:
    """Give a run a map of so many items, every thousandth of which failed."""
    first, at = run.key * CALLS_PER_RUN, to_microseconds(NOW)

    def write(connection: object) -> None:
        for number in range(1, count + 1):
            new = task_runs.NewTaskRun(
                id=first + number, flow_run_key=run.key, flow_attempt=1, incarnation=1, task_name="load",
                index=number - 1, name=None, group=1, parent_id=None, task_key="flows.load", input_key=None,
                occurrence=0, upstream=None, tags=None,
            )  # fmt: skip
            task_runs.insert(connection, new, named("Running"), at, at, "thread-1")  # type: ignore[arg-type]
            failed = State(StateType.FAILED, "Failed", "ValueError: no row")
            final = named("Completed") if number % 1000 else failed
            task_runs.set_final(connection, first + number, 1, final, at + number, None)  # type: ignore[arg-type]

    home.database.write(write)


async def show_tab(pilot: AppPilot, tab: Tab) -> None:
    """Press ] until the tab is shown."""
    detail = pilot.app.runs_pane.detail
    for _ in Tab:
        if detail.view.tab is tab:
            return
        await press(pilot, "]")
    raise AssertionError(f"] never came to {tab}")


# -- opening -----------------------------------------------------------------------------------------------------------


@BOTH_SIZES
async def test_a_failed_run_opens_at_its_first_failure_and_its_first_error(
    home: SeededHome, size: tuple[int, int]
) -> None:
    """The call that failed is under the cursor, the log below stands at the first error line."""
    seed_failed(home)
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "[tasks]", "load ×12", "10/12", "extract-0", "notify-13", "tidy-dune")
        assert line_with(pilot, "load ×12").startswith(">▸ ✗ Failed")
        await until_shown(pilot, "it broke here")


async def test_on_a_low_screen_the_calls_stand_alone(home: SeededHome) -> None:
    """At 60×15; l shows the log, esc comes back step by step."""
    seed_failed(home)
    async with running_app(home, TINY) as (app, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "[tasks]", "load ×12", "extract-0")
        assert "it broke here" not in screen_text(pilot)
        await press(pilot, "l")
        await until_shown(pilot, "[log]", "it broke here")
        await press(pilot, "escape", "escape")  # no error is gone through any more; back to the calls
        await until_shown(pilot, "[tasks]", "load ×12")
        await press(pilot, "escape")
        await until(pilot, lambda: app.runs_pane.table.has_focus)


async def test_a_run_without_calls_opens_at_its_log(home: SeededHome) -> None:
    """There is nothing else to see."""
    run = home.run("lazy-fox")
    home.log(run, "what it wrote")
    async with running_app(home) as (app, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "[log]", "what it wrote")
        assert app.focused is app.runs_pane.log_panel.log_view
        await press(pilot, "escape")
        await until_shown(pilot, "all runs")


async def test_the_open_run_stays_though_the_list_changes_behind_it(home: SeededHome) -> None:
    """A new run on top, or another one deleted, is no reason to look elsewhere; what r and x mean stays too."""
    seed_failed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "load ×12")
        for number in range(3):
            home.run(f"newer-{number}")
        await until(pilot, lambda: len(app.runs_pane.tree_rows) == 4)
        assert "calm-heron" in line_with(pilot, "[tasks]")
        assert app.runs_pane.run is not None
        assert app.runs_pane.run.name == "calm-heron"


# -- tabs --------------------------------------------------------------------------------------------------------------


@ALL_SIZES
async def test_brackets_go_through_the_tabs(home: SeededHome, size: tuple[int, int]) -> None:
    """Forth and back, around the ends; the keyboard comes along."""
    seed_failed(home)
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "[tasks]", "load ×12")
        for tab, shown in (
            ("parameters", "PARAMETER"),
            ("states", "triggered by"),
            ("error", "no row"),
            ("log", "it broke here"),
            ("tasks", "load ×12"),
        ):
            await press(pilot, "]")
            await until_shown(pilot, f"[{tab}]", shown)
            assert app.focused is app.runs_pane.detail.focus_target
        await press(pilot, "[", "[")
        await until_shown(pilot, "[error]")


async def test_tabs_show_below_the_list_too(home: SeededHome) -> None:
    """The list keeps the keyboard; the next run is shown on the same tab."""
    home.run("lazy-fox", parameters={"city": "Oslo"})
    seed_failed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "]", "]")
        await until_shown(pilot, "[parameters]", "rows", "list of 200", "all runs")
        assert app.runs_pane.table.has_focus
        await press(pilot, "j")
        await until_shown(pilot, "city", "Oslo")
        await press(pilot, "[", "[")
        await until(pilot, lambda: "[parameters]" not in screen_text(pilot))


@BOTH_SIZES
async def test_states_tell_when_how_long_and_why(home: SeededHome, size: tuple[int, int]) -> None:
    """Each on a line, of all attempts, and the facts of the run below."""
    run = seed_failed(home)
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "enter")
        await show_tab(pilot, Tab.STATES)
        await until_shown(pilot, "12:05:10.000  ● Running", "12:05:22.000  ✗ Failed", "ValueError: no row", run.id)
        assert "12s" in line_with(pilot, "● Running")


@BOTH_SIZES
async def test_the_error_shows_type_message_place_and_traceback(home: SeededHome, size: tuple[int, int]) -> None:
    """And that e opens the line."""
    seed_failed(home)
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "enter")
        await show_tab(pilot, Tab.ERROR)
        await until_shown(pilot, "ValueError", "in table t", "/x/flows.py, line 7   e opens it", "raise ValueError")


async def test_a_run_without_an_error_says_so(home: SeededHome) -> None:
    """Instead of an empty page."""
    home.run("lazy-fox")
    async with running_app(home) as (_, pilot):
        await press(pilot, "enter")
        await show_tab(pilot, Tab.ERROR)
        await until_shown(pilot, "No error.")
        await show_tab(pilot, Tab.PARAMETERS)
        await until_shown(pilot, "This run was given no parameters.")
        await show_tab(pilot, Tab.TASKS)
        await until_shown(pilot, "This run has called no task.")


async def test_a_click_on_a_tab_shows_it(home: SeededHome) -> None:
    """The mouse does what ] does."""
    seed_failed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "enter")
        await until_shown(pilot, "[tasks]")
        x = line_with(pilot, "[tasks]").index("states")
        await pilot.click("#detail-tabs", offset=(x, 0))
        await until_shown(pilot, "[states]")


# -- parameters --------------------------------------------------------------------------------------------------------


@ALL_SIZES
async def test_enter_shows_a_value_in_full(home: SeededHome, size: tuple[int, int]) -> None:
    """On its own page that scrolls; escapes in it do nothing; esc comes back to the list."""
    seed_failed(home)
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "enter")
        await show_tab(pilot, Tab.PARAMETERS)
        await until_shown(pilot, "days", "ab␊c")
        await press(pilot, "G", "enter")
        await until_shown(pilot, "▸ rows")
        await press(pilot, "G")
        await until_shown(pilot, "199")
        await press(pilot, "escape")
        await until_shown(pilot, "PARAMETER")
        await press(pilot, "k", "enter")
        await until_shown(pilot, "▸ text", " ab", " c")


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


# -- the editor --------------------------------------------------------------------------------------------------------


async def test_e_says_what_is_missing(home: SeededHome) -> None:
    """No file, no editor: one sentence."""
    seed_failed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "e")
        assert app.status.text.strip() == "/x/flows.py is gone."
    home.run("lazy-fox")
    (home.folder / "flows.py").write_text("")
    async with running_app(home) as (app, pilot):
        await press(pilot, "e")
        assert app.status.text.strip().startswith("No editor is set: put its name into VISUAL or EDITOR")
