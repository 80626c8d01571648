"""The list of runs at the keyboard: filter, order, marks, what is done to many, deletes that can be undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowdeck.deck import Deck, FlowRun
from flowdeck.rules.exceptions import NotFoundError
from flowdeck.rules.states import StateType
from flowdeck_tui.app import FlowdeckApp
from tests.tui.harness import LARGE, SMALL, AppPilot, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import NOW, SeededHome

pytestmark = pytest.mark.asyncio
BOTH_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])


def seed(home: SeededHome) -> dict[str, FlowRun]:
    """Five roots and a subflow, newest last."""
    runs = {
        "lazy-fox": home.run("lazy-fox", "report", ago_seconds=7000, took_seconds=3),
        "calm-heron": home.run("calm-heron", "sync", "Failed", ago_seconds=3600, took_seconds=182),
        "bold-crab": home.run("bold-crab", "etl", "Crashed", ago_seconds=900, took_seconds=20),
        "brave-otter": home.run("brave-otter", "etl", "Running", ago_seconds=133),
    }
    runs["tidy-dune"] = home.run("tidy-dune", "checks", "Running", ago_seconds=30, parent=runs["brave-otter"])
    runs["quiet-lynx"] = home.run("quiet-lynx", "etl", "Scheduled", ago_seconds=0)
    return runs


NAMES = ("lazy-fox", "calm-heron", "bold-crab", "brave-otter", "tidy-dune", "quiet-lynx")


def listed(pilot: AppPilot) -> list[str]:
    """Return the runs on the screen, from top to bottom; below the list the log is named after one of them."""
    lines = [line for line in screen_text(pilot).splitlines() if line[1:2] in "▸▾"]
    return [name for line in lines for name in NAMES if name in line]


async def until_listed(pilot: AppPilot, *names: str) -> None:
    await until(pilot, lambda: listed(pilot) == list(names))


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
    monkeypatch.setattr("flowdeck_tui.panes.run_list.FIRST_PAGE_RUNS", 30)
    monkeypatch.setattr("flowdeck_tui.run_lister.FIRST_PAGE_RUNS", 30)
    monkeypatch.setattr("flowdeck_tui.panes.run_list.PAGE_RUNS", 20)
    monkeypatch.setattr("flowdeck_tui.panes.run_list.RunList._load.__defaults__", (20,))
    monkeypatch.setattr("flowdeck_tui.panes.run_list.FEW_ROWS", 20)
    monkeypatch.setattr("flowdeck_tui.run_window.ROWS_MOST", 60)
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
    monkeypatch.setattr("flowdeck_tui.run_lister.FIRST_PAGE_RUNS", 30)
    runs = [home.run(f"run-{number:03}") for number in range(300)]
    async with running_app(home) as (app, pilot):
        await until_shown(pilot, "run-299")
        app.runs_pane.reveal(runs[50])
        await until_shown(pilot, "run-051")
        assert line_with(pilot, "run-050").startswith(">")
        await press(pilot, "j")
        await until(pilot, lambda: line_with(pilot, "run-049").startswith(">"))


# -- marks -------------------------------------------------------------------------------------------------------------


def marked(app: FlowdeckApp) -> set[str]:
    rows = app.runs_pane.tree_rows
    return {run.name for key in rows.marks if (run := rows.run(key)) is not None}


async def test_space_range_and_star_mark_and_escape_takes_marks_away(home: SeededHome) -> None:
    """The marks are seen and counted."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "space", "j", "space")
        assert marked(app) == {"quiet-lynx", "bold-crab"}
        assert "2 marked" in screen_text(pilot)
        assert "*" in line_with(pilot, "◷ Scheduled")
        await press(pilot, "*")
        await until(pilot, lambda: marked(app) == {"brave-otter", "calm-heron", "lazy-fox"})
        await press(pilot, "escape")
        assert marked(app) == set()
        await press(pilot, "g", "j", "V", "j", "j", "V")
        await until(pilot, lambda: marked(app) == {"brave-otter", "bold-crab", "calm-heron"})
        await press(pilot, "k", "k", "k", "space")
        assert len(marked(app)) == 4


async def test_marks_go_with_the_filter_and_with_their_runs(home: SeededHome) -> None:
    """Nothing is done to a run that one does not see."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "G", "space")
        assert marked(app) == {"lazy-fox"}
        home.deck.delete(runs["lazy-fox"].id)
        await until(pilot, lambda: not app.runs_pane.tree_rows.marks)
        await press(pilot, "g", "space", "/", *"etl", "enter")
        await until(pilot, lambda: not app.runs_pane.tree_rows.marks)


async def test_marked_runs_are_cancelled_after_y_with_their_number(home: SeededHome) -> None:
    """What came of each is counted in one line."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "space", "space", "space", "x")
        assert "Cancel 3 runs?" in screen_text(pilot)
        await press(pilot, "n")
        assert home.deck.flow_run(runs["quiet-lynx"].id).state_type is StateType.SCHEDULED
        await press(pilot, "x", "y")
        await until_shown(pilot, "2 cancelled, 1 already over")
        assert home.deck.flow_run(runs["quiet-lynx"].id).state_type is StateType.CANCELLED
        assert home.deck.flow_run(runs["brave-otter"].id).state_type is StateType.CANCELLING
        assert not app.runs_pane.tree_rows.marks


async def test_marked_runs_are_retried_after_y(home: SeededHome) -> None:
    """Those that can be; of the others is said why not."""
    runs = seed(home)
    (home.folder / "flows.py").write_text("")
    async with running_app(home) as (_, pilot):
        await press(pilot, "G", "*")
        await until_shown(pilot, "5 marked")
        await press(pilot, "r")
        await until_shown(pilot, "Retry 5 runs? What is recorded does not run again.")
        await press(pilot, "y")
        await until_shown(pilot, "2 retried, 1 completed, 2 not over")
        assert home.deck.flow_run(runs["calm-heron"].id).attempt == 2


# -- delete and undo ---------------------------------------------------------------------------------------------------


class Timers:
    """Timers that come when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], Any]] = []

    def start(self, seconds: float, callback: Callable[[], Any]) -> Timers._Timer:
        assert seconds == pytest.approx(10.0)
        self.waiting.append(callback)
        return Timers._Timer(self, callback)

    def ring(self) -> None:
        for callback in [*self.waiting]:
            callback()

    class _Timer:
        def __init__(self, timers: Timers, callback: Callable[[], Any]) -> None:
            self.timers, self.callback = timers, callback

        def stop(self) -> None:
            if self.callback in self.timers.waiting:
                self.timers.waiting.remove(self.callback)


def timers_of(app: FlowdeckApp) -> Timers:
    timers = Timers()
    app.runs_pane.deletions._start_timer = timers.start
    return timers


def is_there(home: SeededHome, run: FlowRun) -> bool:
    try:
        home.deck.flow_run(run.id)
    except NotFoundError:
        return False
    return True


@BOTH_SIZES
async def test_capital_d_takes_the_row_away_and_deletes_later(home: SeededHome, size: tuple[int, int]) -> None:
    """The log goes with the run; until then all is still there."""
    runs = seed(home)
    home.log(runs["lazy-fox"], "line")
    log = home.home.log_file(runs["lazy-fox"].id)
    async with running_app(home, size) as (app, pilot):
        timers = timers_of(app)
        await press(pilot, "G", "D")
        await until_shown(pilot, "lazy-fox is deleted: u undoes it", "4 runs")
        assert "lazy-fox" not in listed(pilot)
        assert is_there(home, runs["lazy-fox"])
        assert log.exists()
        timers.ring()
        await until(pilot, lambda: not is_there(home, runs["lazy-fox"]))
        await until(pilot, lambda: not log.exists())
        await until_shown(pilot, "4 runs")
        await press(pilot, "u")
        assert "There is nothing to undo" in app.status.text


async def test_u_brings_back_what_was_deleted_last(home: SeededHome) -> None:
    """One step after the other; nothing was ever touched."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        timers = timers_of(app)
        await press(pilot, "G", "D", "D")
        await until_listed(pilot, "quiet-lynx", "brave-otter", "bold-crab")
        await press(pilot, "u")
        await until_listed(pilot, "quiet-lynx", "brave-otter", "bold-crab", "calm-heron")
        assert "calm-heron is back; nothing was deleted." in app.status.text
        await press(pilot, "u")
        await until_shown(pilot, "lazy-fox", "5 runs")
        assert timers.waiting == []
    assert all(is_there(home, run) for run in runs.values())


async def test_marked_runs_are_deleted_after_y_with_their_number(home: SeededHome) -> None:
    """Those that are not over are kept, and their rows come back."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        timers = timers_of(app)
        await press(pilot, "*")
        await until_shown(pilot, "5 marked")
        await press(pilot, "D")
        assert "Delete 5 runs with their logs and results?" in screen_text(pilot)
        await press(pilot, "y")
        await until_shown(pilot, "5 runs are deleted: u undoes it")
        timers.ring()
        await until_listed(pilot, "quiet-lynx", "brave-otter")
        assert "3 deleted, 2 not over" in app.status.text
    assert [is_there(home, runs[name]) for name in ("lazy-fox", "quiet-lynx")] == [False, True]


async def test_a_run_that_was_started_again_meanwhile_is_kept(home: SeededHome) -> None:
    """Somebody else's retry counts for more than a delete that waits."""
    runs = seed(home)
    (home.folder / "flows.py").write_text("")
    async with running_app(home) as (app, pilot):
        timers = timers_of(app)
        await press(pilot, "j", "j", "j", "D")
        await until_shown(pilot, "calm-heron is deleted")
        home.deck.retry(runs["calm-heron"].id)
        timers.ring()
        await until(pilot, lambda: "calm-heron" in listed(pilot))
        assert "calm-heron is not over (Scheduled); x cancels it first." in app.status.text
    assert is_there(home, runs["calm-heron"])


async def test_leaving_by_a_key_carries_deletes_out(home: SeededHome) -> None:
    """What was asked for is done."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        timers_of(app)
        await press(pilot, "G", "D", "q")
        await until(pilot, lambda: not app.is_running)
    assert not is_there(home, runs["lazy-fox"])


async def test_a_screen_that_ends_by_itself_has_deleted_nothing(home: SeededHome) -> None:
    """A lost line, a signal: nobody said that it shall be done now."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        timers_of(app)
        await press(pilot, "G", "D")
        await until_shown(pilot, "lazy-fox is deleted")
        app.exit()
        await until(pilot, lambda: not app.is_running)
    assert is_there(home, runs["lazy-fox"])


async def test_an_error_while_deleting_brings_the_row_back(home: SeededHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever went wrong."""
    seed(home)
    async with running_app(home) as (app, pilot):
        timers = timers_of(app)
        await press(pilot, "G", "D")
        await until_shown(pilot, "lazy-fox is deleted")

        def fail(deck: Deck, key: int) -> None:
            raise OSError("the disk had a moment")

        monkeypatch.setattr(Deck, "flow_run_by_key", fail)
        timers.ring()
        await until(pilot, lambda: "lazy-fox" in listed(pilot))
        assert "the disk had a moment" in app.status.text


# -- many --------------------------------------------------------------------------------------------------------------


async def test_since_counts_back_from_now(home: SeededHome) -> None:
    """With the clock of the machine."""
    now = datetime.now(UTC)
    home.run("lazy-fox", ago_seconds=7200, now=now)
    home.run("calm-heron", ago_seconds=60, now=now - timedelta(seconds=1))
    async with running_app(home) as (_, pilot):
        await press(pilot, "/", *"since:1h", "enter")
        await until_listed(pilot, "calm-heron")
