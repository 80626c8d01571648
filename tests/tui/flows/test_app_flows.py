"""The Flows pane, the run form, help and commands at the keyboard, at 80×24 and 160×48."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.events import Key

from flowdeck.deck import RunError
from flowdeck.rules.runs.ids import short_id
from flowdeck.store.catalogue import FlowDescription
from flowdeck_tui.menus.menu import MenuScreen
from tests.tui.harness import LARGE, SMALL, line_with, make_app, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import SeededHome

pytestmark = pytest.mark.asyncio
BOTH_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "default": "Oslo"},
        "days": {"type": "integer", "default": 3},
        "path": {"type": "string"},
    },
    "required": ["path"],
}
ERROR = RunError(
    "ModuleNotFoundError",
    "No module named 'httpx'",
    'Traceback (most recent call last):\n  File "sync.py", line 3, in <module>\n    import httpx',
    "/x/sync.py",
    3,
)


def seed(home: SeededHome) -> None:
    home.flow("etl", SCHEMA, description="Loads orders.\n\nFrom the API.")
    home.flow("hello", file="hello.py", description="Greets.")
    home.broken_file("sync.py", ERROR)


@BOTH_SIZES
async def test_a_new_home_begins_at_the_flows(home: SeededHome, size: tuple[int, int]) -> None:
    """There is nothing to see among the runs yet; a flow can be started here."""
    seed(home)
    async with running_app(home, size) as (app, pilot):
        await until_shown(pilot, "[3 Flows]", "hello.py:10", "2 flows", "!1 ")
        assert app.flows_pane.table.has_focus


async def test_a_home_with_runs_begins_at_the_runs(home: SeededHome) -> None:
    """What happened is what one came for."""
    seed(home)
    home.run("lazy-fox")
    async with running_app(home) as (_, pilot):
        await until_shown(pilot, "[1 Runs]", "lazy-fox")


async def test_empty_panes_say_what_to_do(home: SeededHome) -> None:
    """Never an empty screen."""
    async with running_app(home) as (_, pilot):
        await until_shown(pilot, "No flows in this folder yet.", "@flow")
        await press(pilot, "1")
        await until_shown(pilot, "No runs yet.", "3     shows the flows")
        for key in ("enter", "r", "x", "D", "t", "l"):
            await press(pilot, key)
            await until_shown(pilot, "There is no run to")
        await press(pilot, "3")
        for key in ("enter", "t", "l"):
            await press(pilot, key)
            await until_shown(pilot, "There is no flow here yet.")


@BOTH_SIZES
async def test_the_flow_under_the_cursor_is_described(home: SeededHome, size: tuple[int, int]) -> None:
    """What it does, where it is, what it takes."""
    seed(home)
    async with running_app(home, size) as (_, pilot):
        await until_shown(pilot, "Loads orders.", "From the API.", "flows.py:etl", "city  text  = Oslo")
        await press(pilot, "tab", "G")
        await until_shown(pilot, "path  text  required")


@BOTH_SIZES
async def test_a_broken_file_shows_line_and_traceback(home: SeededHome, size: tuple[int, int]) -> None:
    """And tells that it must be mended before it can run."""
    seed(home)
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "G")
        await until_shown(
            pilot, "ModuleNotFoundError: No module named 'httpx'  (sync.py:3)", "import httpx", "✗ import error"
        )
        await press(pilot, "t")
        assert app.status.text.strip() == "sync.py cannot be imported; mend the file first."


async def test_a_saved_file_shows_up_by_itself(home: SeededHome) -> None:
    """The catalogue is followed live."""
    seed(home)
    async with running_app(home) as (_, pilot):
        await until_shown(pilot, "2 flows")
        home.flow("added", file="added.py")
        await until_shown(pilot, "added.py:10", "3 flows")


@BOTH_SIZES
async def test_enter_shows_the_runs_of_the_flow_and_escape_returns(home: SeededHome, size: tuple[int, int]) -> None:
    """Only those of this flow, until one goes back."""
    seed(home)
    home.run("lazy-fox", "etl")
    home.run("other-run", "report")
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "3", "enter")
        await until_shown(pilot, "/flow:etl", "lazy-fox", "1 run")
        await until(pilot, lambda: "other-run" not in screen_text(pilot))
        await press(pilot, "escape")
        await until_shown(pilot, "[3 Flows]")
        assert app.flows_pane.table.has_focus
        await press(pilot, "1")
        await until_shown(pilot, "other-run", "lazy-fox", "all runs")


@BOTH_SIZES
async def test_l_shows_the_log_of_the_last_run(home: SeededHome, size: tuple[int, int]) -> None:
    """From the flow straight to what it last wrote."""
    seed(home)
    run = home.run("lazy-fox", "etl")
    home.log(run, "what it wrote")
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "3", "l")
        await until_shown(pilot, "what it wrote", f"flowdeck flow-run logs {short_id(run.id)}")
        await press(pilot, "escape", "3", "j", "l")
        assert app.status.text.strip() == "hello has not run yet; t runs it."


async def test_the_folder_is_told_where_several_are_watched(home: SeededHome, tmp_path: Path) -> None:
    """Those of other folders can be run from here too; one that is gone is left out."""
    home.flow("hello")
    described = FlowDescription("far", "far", 1, None, {"type": "object", "properties": {}})
    for folder in ("other", "gone"):
        home.catalogue.put_file(str(tmp_path / folder), f"{folder}.py", "0" * 64, "python", "ok", None, [described])
    async with running_app(home, LARGE) as (_, pilot):
        await until_shown(pilot, "hello")
        assert "FOLDER" not in screen_text(pilot)
        (tmp_path / "other").mkdir()
        home.flow("hello", description="Changed.")
        await until_shown(pilot, "FOLDER", "far", "other.py", "2 flows")
        assert "gone.py" not in screen_text(pilot)


async def test_a_key_acts_on_a_flow_of_the_screens_own_folder(home: SeededHome, tmp_path: Path) -> None:
    """Of two screens on two folders, each starts its own first flow, whichever the catalogue knew first."""
    described = FlowDescription("far", "far", 1, None, {"type": "object", "properties": {}})
    (tmp_path / "other").mkdir()
    home.catalogue.put_file(str(tmp_path / "other"), "other.py", "0" * 64, "python", "ok", None, [described])
    async with running_app(home, LARGE) as (app, pilot):
        await until_shown(pilot, "(no flow here)", "Other folders", "far")
        await press(pilot, "t")
        assert app.status.text.strip() == "Save a flow in this folder and it shows up here."
        home.flow("hello")
        await until_shown(pilot, "hello")
        await press(pilot, "t")
        await until_shown(pilot, "hello", "enter Run")
        assert "far" not in screen_text(pilot)


async def test_slash_filters_the_flows(home: SeededHome) -> None:
    """By name or file; escape takes the filter away."""
    seed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "/", *"hel", "enter")
        await until_shown(pilot, "/hel")
        assert "flows.py:10" not in screen_text(pilot)
        await press(pilot, "escape")
        await until_shown(pilot, "flows.py:10")


async def test_the_description_is_scrolled_when_it_has_the_focus(home: SeededHome) -> None:
    """Tab goes there, escape comes back."""
    home.flow("long", description="\n".join(f"row {number}" for number in range(60)))
    async with running_app(home) as (app, pilot):
        await until_shown(pilot, "row 0")
        await press(pilot, "tab", "G")
        await until_shown(pilot, "No parameters.")
        await press(pilot, "g", "j", "ctrl+d", "pagedown", "k", "ctrl+u", "pageup", "g")
        await until_shown(pilot, "row 0")
        await press(pilot, "escape")
        assert app.flows_pane.table.has_focus


# -- the run form ------------------------------------------------------------------------------------------------------


@BOTH_SIZES
async def test_t_then_enter_runs_with_the_defaults(home: SeededHome, size: tuple[int, int]) -> None:
    """And lands on Runs with the new run under the cursor, open, its log below."""
    seed(home)
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "j", "t")
        await until_shown(pilot, "run hello", "This flow takes no parameters.")
        await press(pilot, "enter")
        await until_shown(pilot, "[1 Runs]", ">▾ ◷ Scheduled", "is a new run of hello", "Nothing logged yet.")
        run = app.runs_pane.run
        assert run is not None
        assert run.triggered_by == "tui"
        assert "$ flowdeck flow-run create hello" in app.status.text


async def test_a_new_run_shows_its_log_where_the_error_of_another_was_read(home: SeededHome) -> None:
    """That it has no error yet is not what one starts it for."""
    seed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "1", "[")
        await until_shown(pilot, "[error]")
        await press(pilot, "3", "j", "t")
        await until_shown(pilot, "run hello")
        await press(pilot, "enter")
        await until_shown(pilot, "is a new run of hello", "Nothing logged yet.")


# -- help and commands -------------------------------------------------------------------------------------------------


@BOTH_SIZES
async def test_help_lists_all_keys_and_does_what_it_lists(home: SeededHome, size: tuple[int, int]) -> None:
    """Type, enter, done."""
    seed(home)
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "?")
        await until_shown(pilot, "help", "ACTION", "WHAT IT DOES")
        await press(pilot, *"runs")
        await until(pilot, lambda: line_with(pilot, ">").startswith(">Runs"))
        await press(pilot, "enter")
        await until_shown(pilot, "[1 Runs]")
        assert len(app.screen_stack) == 1


async def test_help_says_where_an_action_acts_that_does_not_act_here(home: SeededHome) -> None:
    """Instead of doing nothing."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "?", *"retry", "enter")
        await until(pilot, lambda: app.status.text.strip().startswith("Retry acts in Runs:"))


@pytest.mark.parametrize("key", [":", "ctrl+p"])
async def test_commands_say_what_does_not_act_here(home: SeededHome, key: str) -> None:
    """In the flows there is nothing to retry: it is listed, with the reason."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, key)
        assert isinstance(app.screen, MenuScreen)
        await until_shown(pilot, "commands", "Start the flow")
        await press(pilot, *"retry")
        await until_shown(pilot, "Acts in Runs.")
        await press(pilot, *"xyz")
        await until_shown(pilot, "Nothing here is called that.")
        await press(pilot, "escape")
        await press(pilot, key, *"filter", "enter")
        await press(pilot, *"hel", "enter")
        await until_shown(pilot, "/hel")


async def test_the_list_of_commands_is_moved_through_by_arrows(home: SeededHome) -> None:
    """Beside typing."""
    seed(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "?", "down", "down", "up", "pagedown", "pageup", "down")
        chosen = line_with(pilot, ">")
        await press(pilot, "up")
        assert line_with(pilot, ">") != chosen


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_q_quits_at_once(home: SeededHome, key: str) -> None:
    """No question."""
    seed(home)
    app = make_app(home)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.active_pane)
        await pilot.press(key)
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 0


async def test_ctrl_q_quits_from_inside_a_form(home: SeededHome) -> None:
    """The one key that always leaves."""
    seed(home)
    app = make_app(home)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.active_pane)
        await pilot.press("t")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not app.is_running)


async def test_ctrl_c_says_how_to_leave(home: SeededHome) -> None:
    """A reflex loses nothing."""
    async with running_app(home) as (app, pilot):
        await press(pilot, "ctrl+c")
        assert "q quits" in app.status.text


async def test_repaint_leaves_the_screen_as_it_is(home: SeededHome) -> None:
    """For when something else wrote to the terminal."""
    seed(home)
    async with running_app(home) as (_, pilot):
        before = screen_text(pilot)
        await press(pilot, "ctrl+r")
        assert screen_text(pilot) == before


async def test_shift_tab_goes_back_to_the_list(home: SeededHome) -> None:
    """Tab goes around."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "tab")
        assert app.flows_pane.detail.has_focus
        await press(pilot, "shift+tab")
        assert app.flows_pane.table.has_focus


# -- typing ahead ------------------------------------------------------------------------------------------------------


async def test_keys_typed_ahead_of_a_dialog_go_into_it(home: SeededHome) -> None:
    """A key acts on what the keys before it have opened, however fast they come."""
    seed(home)
    async with running_app(home) as (app, pilot):
        for key in ("1", "3", "j", "t", "enter"):
            app.simulate_key(key)
        await until_shown(pilot, "is a new run of hello")
        for key in ("3", "slash"):
            app.simulate_key(key)
        for letter in "etl":
            app.post_message(Key(letter, letter))
        await until_shown(pilot, "/etl")
        assert len(home.deck.flow_runs.select()) == 1


# -- keys that do not act here -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "told"), [("r", "r Retry acts in Runs."), ("R", "R Rerun acts in Runs."), ("x", "x Cancel acts in Runs.")]
)
async def test_a_key_of_another_pane_says_where_it_acts(home: SeededHome, key: str, told: str) -> None:
    """Nothing is pressed in vain."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, key)
        assert app.status.text.strip() == told
        await press(pilot, "Z")
        assert app.status.text.strip() == told


async def test_a_form_typed_ahead_is_filled_in_order(home: SeededHome) -> None:
    """Tab, text, enter: each into the field that the keys before it have reached."""
    seed(home)
    async with running_app(home) as (app, pilot):
        for key, letter in (
            ("t", "t"),
            ("tab", None),
            ("backspace", None),
            ("4", "4"),
            ("2", "2"),
            ("tab", None),
            ("x", "x"),
        ):
            app.post_message(Key(key, letter))
        app.post_message(Key("enter", None))
        await until_shown(pilot, "-p days=42 -p path=x")
        assert dict(home.deck.flow_runs.select()[0].parameters) == {"days": 42, "path": "x"}
