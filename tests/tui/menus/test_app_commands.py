"""Commands, jump and copy menu: what is chosen is done, what cannot be done says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdeck.rules.runs.ids import short_id
from flowdeck_tui.actions.actions import ACTIONS
from flowdeck_tui.menus.menu import MenuScreen
from tests.tui.busy_home import fill
from tests.tui.harness import LARGE, SMALL, AppPilot, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import SeededHome

pytestmark = pytest.mark.asyncio


async def log_open(pilot: AppPilot, text: str) -> None:
    """Wait until the log of a run is there."""
    await until_shown(pilot, text)


async def test_commands_list_every_action(home: SeededHome) -> None:
    """Those that act here first; nothing is left out."""
    fill(home)
    async with running_app(home, LARGE) as (app, pilot):
        await press(pilot, ":")
        screen = app.screen
        assert isinstance(screen, MenuScreen)
        offers = [screen._rows.answer(index) for index in range(len(screen._rows))]
        assert {offer.action for offer in offers if offer} == set(ACTIONS)
        can = [offer.why_not is None for offer in offers if offer]
        assert can == sorted(can, reverse=True)


async def test_what_cannot_be_done_says_why(home: SeededHome) -> None:
    """A run that is over is not cancelled; one that is running is not retried; there is no question to answer."""
    fill(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "j", "j", ":", *"cancel")
        await until_shown(pilot, "calm-heron is over already: Failed.")
        await press(pilot, "escape", "k", ":", *"retry")
        await until_shown(pilot, "brave-otter is not over (Running); x cancels it.")
        await press(pilot, "escape", ":", *"everything as")
        await until_shown(pilot, "Leave everything", "Acts in a question.")
        await press(pilot, "escape", "3", ":", *"mark")
        await until_shown(pilot, "Acts in Runs.")


async def test_an_action_of_another_part_of_the_screen_is_done_from_the_list(home: SeededHome) -> None:
    """The log is there to be seen: its keys need not be reached first."""
    fill(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j")
        await log_open(pilot, "from the subflow")
        await press(pilot, ":", *"wrap", "enter")
        await until(pilot, lambda: "Long lines go on below" in app.status.text)


async def test_what_was_chosen_last_stands_first(home: SeededHome) -> None:
    """Whoever did it will do it again."""
    fill(home)
    async with running_app(home) as (_, pilot):
        for word in ("sort", "zoom"):
            await press(pilot, ":", *word, "enter")
        await press(pilot, "escape", ":")
        await until(pilot, lambda: line_with(pilot, ">").startswith(">Zoom"))
        await press(pilot, "down")
        await until(pilot, lambda: line_with(pilot, ">").startswith(">Sort"))


@pytest.mark.parametrize("typed", ["flow-run retry", "$ flowdeck flow-run retry", "rtry"])
async def test_words_of_the_command_line_and_letters_in_order_find_an_action(home: SeededHome, typed: str) -> None:
    """Who knows the one knows the other."""
    fill(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j", "j", ":", *typed)
        await until(pilot, lambda: line_with(pilot, ">").startswith(">Retry"))
        await press(pilot, "enter")
        await until(pilot, lambda: "attempt 2" in app.status.text)


async def test_a_command_with_the_name_of_a_run_is_done_to_that_run(home: SeededHome) -> None:
    """Wherever the cursor is."""
    fill(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "3", ":", *"flow-run retry calm-heron")
        await until_shown(pilot, "flowdeck flow-run retry calm-heron")
        await press(pilot, "enter")
        await until(pilot, lambda: "attempt 2" in app.status.text)
        assert app.active_pane == "1"


async def test_a_run_that_is_not_there_is_said_not_to_be(home: SeededHome) -> None:
    """By the sentence of the command line."""
    fill(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "'", *"nobody-here", "enter")
        await until(pilot, lambda: "nobody-here" in app.status.text)


async def test_jump_goes_to_a_run_by_a_part_of_its_id(home: SeededHome) -> None:
    """Also to one that is far down the list."""
    fill(home)
    wanted = home.deck.flow_runs.find("old-50")
    async with running_app(home) as (app, pilot):
        await press(pilot, "'", *short_id(wanted.id))
        await until(pilot, lambda: "old-50" in line_with(pilot, ">"))
        await press(pilot, "enter")
        await until(pilot, lambda: app.runs_pane.run == wanted)


async def test_jump_goes_to_flows_and_panes(home: SeededHome) -> None:
    """A flow is shown among the flows."""
    fill(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "'", *"report.py", "enter")
        await until(pilot, lambda: app.active_pane == "3" and ">report" in screen_text(pilot))
        await press(pilot, "'", *"runs", "enter")
        await until(pilot, lambda: app.active_pane == "1")


async def test_the_key_of_broken_files_goes_from_one_to_the_next(home: SeededHome) -> None:
    """And says so when there is none."""
    fill(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "!")
        await until_shown(pilot, "SyntaxError: invalid syntax")
        assert app.flows_pane.entry is not None
        assert app.flows_pane.entry.file == "bad.py"


async def test_the_last_command_can_be_copied(home: SeededHome) -> None:
    """From the menu, and by a click on it."""
    fill(home)
    async with running_app(home, LARGE) as (app, pilot):
        await press(pilot, "j", "j", "r")
        await until(pilot, lambda: "flow-run retry" in app.status.echo)
        echo = app.status.echo
        await pilot.click("#status", offset=(150, 0))
        await until(pilot, lambda: app.clipboard == echo)
        await press(pilot, "k", "x", "y")
        await until(pilot, lambda: "flow-run cancel" in app.status.echo)
        await press(pilot, "y")
        await until_shown(pilot, "last command", "flowdeck flow-run cancel")


async def test_a_letter_copies_at_once(home: SeededHome) -> None:
    """y n: the name."""
    fill(home)
    async with running_app(home, SMALL) as (app, pilot):
        await press(pilot, "j", "y", "n")
        await until(pilot, lambda: app.clipboard == "brave-otter")
        assert "Copied the name, 11 bytes" in app.status.text


async def test_what_no_terminal_takes_is_written_to_a_file(
    home: SeededHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is named, and where the file is."""
    monkeypatch.chdir(tmp_path)
    home.run("lazy-fox", parameters={"text": "x" * 80_000})
    async with running_app(home, LARGE) as (app, pilot):
        await press(pilot, "y", "p")
        await until(pilot, lambda: "at most 74,994 bytes" in app.status.text)
        assert not app.clipboard
        said = app.status.text
    assert_written(tmp_path, said)


def assert_written(folder: Path, said: str) -> None:
    (file,) = folder.glob("flowdeck-copy-*.txt")
    assert str(file) in said
    assert "x" * 80_000 in file.read_text()


async def test_a_line_of_the_log_is_copied(home: SeededHome) -> None:
    """Found, then y, then enter: its text, without time and level; of the run only after it."""
    fill(home)
    async with running_app(home, LARGE) as (app, pilot):
        await press(pilot, "j")
        await log_open(pilot, "from the subflow")
        await press(pilot, "tab", "/", *"broke again", "enter", "y", "enter")
        await until(pilot, lambda: app.clipboard == "it broke again")
