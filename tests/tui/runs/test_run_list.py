"""The list of runs at the keyboard: filter, order, paging."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.tui.harness import LARGE, SMALL, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.listed_runs import listed, seed, until_listed
from tests.tui.seeded_home import NOW, SeededHome

pytestmark = pytest.mark.asyncio
BOTH_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])


# -- filter ------------------------------------------------------------------------------------------------------------


@BOTH_SIZES
async def test_the_list_follows_the_filter_as_it_is_typed(home: SeededHome, size: tuple[int, int]) -> None:
    """Subflow runs too; the filter is shown while it holds, escape takes it away."""
    seed(home)
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "/", *"dune")
        await until_listed(pilot, "tidy-dune")
        await press(pilot, "enter")
        await until_shown(pilot, "/dune   esc all runs", "newest first  1 run")
        assert app.runs_pane.table.has_focus
        assert app.status.text.strip() == "$ flowdeck flow-run ls --all --filter dune"
        await press(pilot, "escape")
        await until_shown(pilot, "all runs, newest first", "calm-heron", "5 runs")
        await press(pilot, "/", *"zzz")
        await until_shown(pilot, "No run matches the filter.")
        await press(pilot, "escape")
        await until_shown(pilot, "calm-heron")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("state:failed,crashed", ["bold-crab", "calm-heron"]),
        ("flow:etl !state:scheduled", ["brave-otter", "bold-crab"]),
        ("parent:brave-otter", ["tidy-dune"]),
        ("duration:>1m !state:running", ["calm-heron"]),
        ("/^(calm|bold)/", ["bold-crab", "calm-heron"]),
    ],
)
async def test_the_grammar_acts(home: SeededHome, text: str, names: list[str]) -> None:
    """The same as on the command line."""
    seed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "/", *text, "enter")
        await until_listed(pilot, *names)


async def test_tab_completes_keys_states_and_flows(home: SeededHome) -> None:
    """What there is stands in the line above the list."""
    seed(home)
    home.flow("etl")
    async with running_app(home) as (app, pilot):
        await press(pilot, "/", *"st", "tab", *"f", "tab")
        await until_listed(pilot, "calm-heron")
        await press(pilot, *" fl", "tab")
        await until_shown(pilot, "tab  etl  sync")
        await press(pilot, *"sy", "tab", "enter")
        await until_shown(pilot, "/state:failed flow:sync")
        assert listed(pilot) == ["calm-heron"]
        assert app.runs_pane.listing.filter.text == "state:failed flow:sync"


async def test_a_filter_that_cannot_be_read_changes_nothing_and_is_told(home: SeededHome) -> None:
    """While it is typed above the list, at its end on the status line; / brings it back to be mended."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "/", *"state:failed stat:x")
        await until_shown(pilot, "has a key that there is not")
        await press(pilot, "enter")
        assert "Did you mean state?" in app.status.text
        await press(pilot, "/")
        assert "state:failed stat:x" in screen_text(pilot)


async def test_the_filter_is_kept_while_other_panes_are_looked_at(home: SeededHome) -> None:
    """And can be changed when one is back."""
    seed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "/", *"state:failed", "enter")
        await until_listed(pilot, "calm-heron")
        await press(pilot, "3", "1")
        await until_listed(pilot, "calm-heron")
        await press(pilot, "/", *",crashed", "enter")
        await until_listed(pilot, "bold-crab", "calm-heron")


async def test_runs_come_and_go_as_they_begin_and_cease_to_match(home: SeededHome) -> None:
    """The one under the cursor stays until the cursor leaves it: its end is what one waited for."""
    runs = seed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "/", *"state:running", "enter")
        await until_listed(pilot, "tidy-dune", "brave-otter")
        home.set_state(runs["tidy-dune"].key, "Failed", NOW)
        await until(pilot, lambda: "✗ Failed" in line_with(pilot, "tidy-dune"))
        home.set_state(runs["quiet-lynx"].key, "Running", NOW)
        await until_listed(pilot, "quiet-lynx", "tidy-dune", "brave-otter")
        await press(pilot, "j")
        await until_listed(pilot, "quiet-lynx", "brave-otter")
        home.set_state(runs["quiet-lynx"].key, "Completed", NOW)
        await until_listed(pilot, "brave-otter")


# -- order -------------------------------------------------------------------------------------------------------------


async def test_s_goes_through_the_orders(home: SeededHome) -> None:
    """Each is named above the list; live changes find their place in it."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        for words, names in (
            ("oldest first", ["lazy-fox", "calm-heron", "bold-crab", "brave-otter", "quiet-lynx"]),
            ("longest first", ["brave-otter", "calm-heron", "bold-crab", "lazy-fox", "quiet-lynx"]),
            ("by name", ["bold-crab", "brave-otter", "calm-heron", "lazy-fox", "quiet-lynx"]),
            ("by state", ["brave-otter", "quiet-lynx", "bold-crab", "calm-heron", "lazy-fox"]),
        ):
            await press(pilot, "s")
            await until_listed(pilot, *names)
            assert f"all runs, {words}" in screen_text(pilot)
        assert app.status.text.strip().endswith("$ flowdeck flow-run ls --sort state")
        home.set_state(runs["brave-otter"].key, "Failed", NOW)
        await until_listed(pilot, "quiet-lynx", "bold-crab", "brave-otter", "calm-heron", "lazy-fox")
        home.run("tidy-dune", "etl", "Running", ago_seconds=1)
        await until_listed(pilot, "tidy-dune", "quiet-lynx", "bold-crab", "brave-otter", "calm-heron", "lazy-fox")


# -- paging ------------------------------------------------------------------------------------------------------------


async def test_the_list_is_read_as_one_goes_along_and_let_go_behind(
    home: SeededHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down, up, to either end: the rows are there, and never more of them than a window holds."""
    monkeypatch.setattr("flowdeck_tui.runs.run_list.FIRST_PAGE_RUNS", 30)
    monkeypatch.setattr("flowdeck_tui.live.run_lister.FIRST_PAGE_RUNS", 30)
    monkeypatch.setattr("flowdeck_tui.runs.run_list.PAGE_RUNS", 20)
    monkeypatch.setattr("flowdeck_tui.runs.run_list.RunList._load.__defaults__", (20,))
    monkeypatch.setattr("flowdeck_tui.runs.run_list.FEW_ROWS", 20)
    monkeypatch.setattr("flowdeck_tui.runs.run_window.ROWS_MOST", 60)
    monkeypatch.setattr("flowdeck_tui.widgets.tree_table.NEAR_EDGE_ROWS", 15)
    runs = [home.run(f"run-{number:03}") for number in range(300)]
    async with running_app(home) as (app, pilot):
        rows = app.runs_pane.tree_rows

        async def go_to(key: str, number: int) -> None:
            await until(pilot, lambda: runs[number].key in rows.window)  # it was asked for in time
            await press(pilot, key)
            await until(pilot, lambda: line_with(pilot, f"run-{number:03}").startswith(">"))

        await until_shown(pilot, "run-299", "300 runs")
        for number in range(298, 100, -1):
            await go_to("j", number)
            assert len(rows) <= 60
        assert not rows.window.is_at_start
        await press(pilot, "G")
        await until(pilot, lambda: line_with(pilot, "run-000").startswith(">"))
        for number in range(1, 90):
            await go_to("k", number)
        await press(pilot, "g")
        await until(pilot, lambda: line_with(pilot, "run-299").startswith(">"))
        home.run("run-300")
        await until_shown(pilot, "run-300", "301 runs")


async def test_an_old_run_is_gone_to_wherever_it_stands(home: SeededHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its neighbours above and below."""
    monkeypatch.setattr("flowdeck_tui.live.run_lister.FIRST_PAGE_RUNS", 30)
    runs = [home.run(f"run-{number:03}") for number in range(300)]
    async with running_app(home) as (app, pilot):
        await until_shown(pilot, "run-299")
        app.runs_pane.reveal(runs[50])
        await until_shown(pilot, "run-051")
        assert line_with(pilot, "run-050").startswith(">")
        await press(pilot, "j")
        await until(pilot, lambda: line_with(pilot, "run-049").startswith(">"))


async def test_since_counts_back_from_now(home: SeededHome) -> None:
    """With the clock of the machine."""
    now = datetime.now(UTC)
    home.run("lazy-fox", ago_seconds=7200, now=now)
    home.run("calm-heron", ago_seconds=60, now=now - timedelta(seconds=1))
    async with running_app(home) as (_, pilot):
        await press(pilot, "/", *"since:1h", "enter")
        await until_listed(pilot, "calm-heron")
