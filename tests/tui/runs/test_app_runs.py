"""The Runs pane at the keyboard, on a real home, at 80×24 and 160×48."""

from __future__ import annotations

import pytest

from flowdeck.deck import RunError
from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.states import StateType
from flowdeck_tui.log.log_view import LogView
from tests.tui.harness import LARGE, SMALL, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import NOW, Call, SeededHome

pytestmark = pytest.mark.asyncio
BOTH_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
ERROR = RunError("ReadTimeout", "page 2", "Traceback\n…", "/x/sync.py", 88)


def seed(home: SeededHome) -> None:
    """Four roots, newest last: completed, failed, running with calls and a subflow, scheduled."""
    home.flow("etl", {"type": "object", "properties": {"days": {"type": "integer", "default": 3}}})
    home.run("lazy-fox", "report", ago_seconds=7000)
    failed = home.run("calm-heron", "sync", "Failed", ago_seconds=3600, took_seconds=182, error=ERROR)
    home.log(failed, "GET /contacts?page=1", "rate limited")
    home.log(failed, "ReadTimeout: page 2", level=40, task="fetch-page")
    running = home.run(
        "brave-otter", "etl", "Running", ago_seconds=133, calls=[Call("extract"), *[Call("load", group=1)] * 3]
    )
    home.run("tidy-dune", "checks", "Running", ago_seconds=30, parent=running)
    home.log(running, *[f"line {number}" for number in range(50)])
    home.run("quiet-lynx", "etl", "Scheduled", ago_seconds=0)


@BOTH_SIZES
async def test_all_runs_of_all_flows_stand_newest_first(home: SeededHome, size: tuple[int, int]) -> None:
    """State by sign and word, flow, start, time, tasks; subflows wait below their parent."""
    seed(home)
    async with running_app(home, size) as (_, pilot):
        await until_shown(pilot, "quiet-lynx", "lazy-fox")
        names = [line for line in screen_text(pilot).splitlines() if "▸" in line]
        assert ["quiet-lynx" in names[0], "brave-otter" in names[1], "calm-heron" in names[2]] == [True] * 3
        line = line_with(pilot, "brave-otter")
        assert all(text in line for text in ("● Running", "etl", "12:03:57", "2m13s", "4/4"))
        assert "tidy-dune" not in screen_text(pilot)
        assert "4 runs" in screen_text(pilot)


@BOTH_SIZES
async def test_the_header_counts_and_names_the_engine(home: SeededHome, size: tuple[int, int]) -> None:
    """What runs, what failed, what cannot be imported, whether an engine is there."""
    seed(home)
    home.broken_file("bad.py", ERROR)
    async with running_app(home, size) as (_, pilot):
        await until_shown(pilot, "no engine")
        head = screen_text(pilot).splitlines()[0]
        assert "[1 Runs]" in head
        assert "●1 run" in head
        assert "!1 " in head


@BOTH_SIZES
async def test_right_shows_what_lies_below_a_run(home: SeededHome, size: tuple[int, int]) -> None:
    """Calls, a map as one line, subflows; left, and they are gone."""
    seed(home)
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "j", "right")
        await until_shown(pilot, "extract-0", "load ×3", "tidy-dune")
        assert "3/3" in line_with(pilot, "load ×3")
        await press(pilot, "left")
        assert "extract-0" not in screen_text(pilot)


async def test_arrows_open_close_and_go_up(home: SeededHome) -> None:
    """Right opens, left closes or goes to the run above."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j", "right")
        await until_shown(pilot, "extract-0")
        await press(pilot, "j", "j", "left")
        assert line_with(pilot, "brave-otter").startswith(">")
        await press(pilot, "left")
        assert "extract-0" not in screen_text(pilot)
        assert app.runs_pane.run is not None
        assert app.runs_pane.run.name == "brave-otter"


@BOTH_SIZES
async def test_the_log_of_the_run_under_the_cursor_is_shown_and_goes_on(
    home: SeededHome, size: tuple[int, int]
) -> None:
    """A line that is written appears by itself."""
    seed(home)
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "j")
        await until_shown(pilot, "line 49", "50 lines", "follows")
        run = app.runs_pane.run
        assert run is not None
        home.log(run, "a line of just now")
        await until_shown(pilot, "a line of just now", "51 lines")


@BOTH_SIZES
async def test_a_failed_run_says_why_above_its_log(home: SeededHome, size: tuple[int, int]) -> None:
    """Error, file and line, without opening anything."""
    seed(home)
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "j", "j")
        await until_shown(pilot, "ReadTimeout: page 2  (sync.py:88)", "rate limited")


async def test_a_new_run_appears_and_the_cursor_stays(home: SeededHome) -> None:
    """From whichever process it comes."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j")
        home.run("from-script", "etl", "Running")
        await until_shown(pilot, "from-script", "5 runs")
        assert app.runs_pane.run is not None
        assert app.runs_pane.run.name == "brave-otter"
        assert line_with(pilot, "brave-otter").startswith(">")


async def test_states_and_counts_change_by_themselves(home: SeededHome) -> None:
    """A run that ends is seen to end."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j")
        run = app.runs_pane.run
        assert run is not None
        home.set_state(run.key, "Completed", NOW)
        await until(pilot, lambda: "✓ Completed" in line_with(pilot, "brave-otter"))


@BOTH_SIZES
async def test_r_retries_and_says_what_runs_again(home: SeededHome, size: tuple[int, int]) -> None:
    """Same id, next attempt, the command that does the same."""
    seed(home)
    home.engine_up()
    (home.folder / "flows.py").write_text("")
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "j", "j", "r")
        await until_shown(pilot, "attempt 2: recorded calls are reused  ", "◷ Scheduled")
        run = home.deck.flow_runs.find("calm-heron")
        assert (run.attempt, run.state_type) == (2, StateType.SCHEDULED)
        assert f"$ flowdeck flow-run retry {short_id(run.id)}" in app.status.text
        await until_shown(pilot, "attempt 2: what is recorded does not")


@pytest.mark.parametrize(
    ("moves", "key", "reason"),
    [
        (["j"], "r", "brave-otter is not over (Running); x cancels it."),
        (["G"], "r", "lazy-fox completed; t runs its flow anew."),
        (["G"], "x", "lazy-fox is over already: Completed."),
        (["j"], "D", "brave-otter is not over (Running); x cancels it first."),
        (["G"], "t", "The flow report is in no watched folder; 3 shows those that are."),
    ],
)
async def test_a_key_that_cannot_act_says_why(home: SeededHome, moves: list[str], key: str, reason: str) -> None:
    """On the status line, in one sentence."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, *moves, key)
        assert app.status.text.strip() == reason


@BOTH_SIZES
async def test_x_asks_and_cancels_on_y(home: SeededHome, size: tuple[int, int]) -> None:
    """A run that has not begun is cancelled at once."""
    seed(home)
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "x")
        assert "Cancel quiet-lynx?" in screen_text(pilot)
        await press(pilot, "y")
        await until(pilot, lambda: "■ Cancelled" in line_with(pilot, "quiet-lynx"))
        run = home.deck.flow_runs.find("quiet-lynx")
        assert run.state_type is StateType.CANCELLED
        assert app.status.text.strip().endswith(f"$ flowdeck flow-run cancel {short_id(run.id)}")
        assert app.runs_pane.table.has_focus


@pytest.mark.parametrize("answer", ["n", "escape", "enter", "tab"])
async def test_anything_but_y_cancels_nothing(home: SeededHome, answer: str) -> None:
    """The question goes, the run stays."""
    seed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "x", answer)
        await until_shown(pilot, "Nothing was changed.")
        assert home.deck.flow_runs.find("quiet-lynx").state_type is StateType.SCHEDULED


@BOTH_SIZES
async def test_l_gives_the_screen_to_the_log_and_escape_takes_it_back(home: SeededHome, size: tuple[int, int]) -> None:
    """With the focus, so that log keys act."""
    seed(home)
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "j", "l")
        await until_shown(pilot, "line 49", "flowdeck flow-run logs")
        assert "all runs, newest first" not in screen_text(pilot)
        assert isinstance(app.focused, LogView)
        assert "Search" in screen_text(pilot).splitlines()[-1]
        await press(pilot, "escape")
        assert "all runs, newest first" in screen_text(pilot)
        assert app.runs_pane.table.has_focus


async def test_f_stops_and_starts_following(home: SeededHome) -> None:
    """From the list as from the log."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j")
        await until_shown(pilot, "line 49")
        await press(pilot, "f")
        assert "paused" in line_with(pilot, "50 lines")
        await press(pilot, "l", "f")
        assert "follows" in line_with(pilot, "50 lines")
        assert app.status.text.strip() == "The log follows its end."


async def test_the_log_is_searched_as_one_types(home: SeededHome) -> None:
    """/ text, n and N from match to match, the count in the title."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j", "l")
        await until_shown(pilot, "line 49")
        await press(pilot, "n")
        assert "Nothing is searched yet" in app.status.text
        await press(pilot, "g", "/", *"line 3", "enter")
        await until_shown(pilot, "/line 3 1 of 11")
        await press(pilot, "n")
        await until_shown(pilot, "2 of 11")
        await press(pilot, "N")
        await until_shown(pilot, "1 of 11")
        assert isinstance(app.focused, LogView)
        await press(pilot, "/", *"zzz", "enter", "n")
        assert "No line holds" in app.status.text


async def test_log_keys_move_the_log_not_the_list(home: SeededHome) -> None:
    """A letter acts on what has the focus."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j", "tab")
        await until_shown(pilot, "line 49")
        await press(pilot, "g")
        await until_shown(pilot, "line 0")
        assert "paused" in line_with(pilot, "50 lines")
        before = screen_text(pilot)
        for key in ("j", "ctrl+d", "pagedown", "k", "ctrl+u", "pageup"):
            await press(pilot, key)
        assert screen_text(pilot) == before
        await press(pilot, "t")
        assert "Time column: elapsed" in app.status.text
        await press(pilot, "G")
        await until_shown(pilot, "line 49", "follows")
        assert app.runs_pane.run is not None
        assert app.runs_pane.run.name == "brave-otter"


async def test_z_gives_the_list_the_screen(home: SeededHome) -> None:
    """And shares it again."""
    seed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "z")
        assert "follows" not in screen_text(pilot)
        await press(pilot, "z")
        assert "follows" in screen_text(pilot)


async def test_back_at_the_top_says_how_to_leave(home: SeededHome) -> None:
    """Escape never ends the program."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "escape")
        assert "q quits" in app.status.text


async def test_t_on_a_run_opens_the_form_of_its_flow(home: SeededHome) -> None:
    """And enter starts it with the defaults."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j", "t")
        assert "run etl" in screen_text(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await until(pilot, lambda: app.runs_pane.run is not None and app.runs_pane.run.name != "brave-otter")
        run = app.runs_pane.run
        assert run is not None
        assert (run.flow_name, run.triggered_by, dict(run.parameters)) == ("etl", "tui", {})
        assert line_with(pilot, run.name).startswith(">▾ ◷ Scheduled")
        await until_shown(pilot, "if an engine runs then: `flowdeck server start`")


async def test_below_twenty_lines_the_list_stands_alone(home: SeededHome) -> None:
    """60×15 shows runs; l shows the log; nothing says that the screen is too small."""
    seed(home)
    async with running_app(home, (60, 15)) as (_, pilot):
        await until_shown(pilot, "quiet-lynx", "lazy-fox")
        assert "follows" not in screen_text(pilot)
        await press(pilot, "j", "l")
        await until_shown(pilot, "line 49")


async def test_a_resize_keeps_the_place(home: SeededHome) -> None:
    """Cursor, open runs and log are where they were."""
    seed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "j", "right")
        await until_shown(pilot, "extract-0", "line 49")
        for size in (LARGE, (60, 15), (100, 16), SMALL):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert line_with(pilot, "● Running").startswith(">")
        await until_shown(pilot, "extract-0", "line 49")


async def test_markup_and_escapes_in_names_and_logs_are_text(home: SeededHome) -> None:
    """Nothing that a flow writes is obeyed."""
    run = home.run("[b]bold[/b]\x1b[2J", "etl\x1b]0;x\x07", "Running")
    home.log(run, "[red]not red[/red] \x1b[31mplain")
    async with running_app(home) as (_, pilot):
        await until_shown(pilot, "[b]bold[/b]", "[red]not red[/red] plain")


async def test_a_question_takes_every_key(home: SeededHome) -> None:
    """q does not quit and ? opens nothing while one is asked: each means no."""
    seed(home)
    for key in ("q", "?", "3", "j"):
        async with running_app(home) as (app, pilot):
            await press(pilot, "x", key)
            assert app.status.text.strip() == "Nothing was changed."
            assert len(app.screen_stack) == 1
            assert app.active_pane == "1"


async def test_what_was_asked_for_is_done_before_leaving(home: SeededHome) -> None:
    """y and q at once: the run is cancelled."""
    seed(home)
    async with running_app(home) as (app, pilot):
        for key in ("x", "y", "q"):
            app.simulate_key(key)
        await until(pilot, lambda: not app.is_running)
    assert home.deck.flow_runs.find("quiet-lynx").state_type is StateType.CANCELLED


async def test_leaving_says_what_goes_on(home: SeededHome) -> None:
    """Runs under an engine outlive the screen."""
    seed(home)
    home.engine_up()
    async with running_app(home) as (app, pilot):
        await until_shown(pilot, "engine running")
        await press(pilot, "q")
    assert app.last_words.startswith("2 runs go on; the engine is pid ")
    assert app.last_words.endswith("`flowdeck server stop` stops it.")
