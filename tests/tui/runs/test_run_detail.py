"""A run opened: its tabs, values in full, at 80×24, 160×48 and 60×15."""

from __future__ import annotations

import pytest

from flowdeck_tui.widgets.tab_bar import Tab
from tests.tui.failed_runs import seed_failed, show_tab
from tests.tui.harness import LARGE, SMALL, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import SeededHome

pytestmark = pytest.mark.asyncio
TINY = (60, 15)
BOTH_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
ALL_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE, TINY], ids=["80x24", "160x48", "60x15"])


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


async def test_a_filter_that_keeps_no_run_leaves_no_detail(home: SeededHome) -> None:
    """What stood there is of no run of the list any more."""
    home.run("lazy-fox")
    async with running_app(home) as (_, pilot):
        await press(pilot, "[", "[")
        await until_shown(pilot, "[states]", "interpreter")
        await press(pilot, "/", *"zzzz", "enter")
        await until_shown(pilot, "No run matches the filter.")
        await until(pilot, lambda: "interpreter" not in screen_text(pilot))


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
