"""The screen as a whole: the mouse, sizes, a window without the keyboard."""

from __future__ import annotations

import math

import pytest
from textual import events

from flowdeck_tui.app import FlowdeckApp
from tests.tui.busy_home import fill
from tests.tui.harness import LARGE, SMALL, AppPilot, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import NOW, SeededHome

pytestmark = pytest.mark.asyncio


async def click_on(pilot: AppPilot, text: str, times: int = 1) -> None:
    """Click on the first place where a text stands."""
    row = next(y for y, line in enumerate(screen_text(pilot).splitlines()) if text in line)
    column = screen_text(pilot).splitlines()[row].index(text)
    await pilot.click(offset=(column, row), times=times)


async def test_keys_in_the_footer_and_panes_in_the_header_are_clicked(home: SeededHome) -> None:
    """Each does what its key does; broken files lead to the first of them."""
    fill(home)
    async with running_app(home, LARGE) as (app, pilot):
        await until_shown(pilot, "brave-otter")
        await click_on(pilot, "3 Flows")
        await until(pilot, lambda: app.active_pane == "3")
        await click_on(pilot, "1 Runs")
        await until(pilot, lambda: app.active_pane == "1")
        await click_on(pilot, "/ Filter")
        await until_shown(pilot, "enter Keep")
        await click_on(pilot, "esc Leave")
        await until_shown(pilot, "t Run")
        await click_on(pilot, "1 file broken")
        await until_shown(pilot, "SyntaxError: invalid syntax")


async def test_a_click_selects_and_the_next_opens(home: SeededHome) -> None:
    """As a double click does."""
    fill(home)
    async with running_app(home, LARGE) as (app, pilot):
        await click_on(pilot, "calm-heron")
        await until(pilot, lambda: app.runs_pane.run is not None and app.runs_pane.run.name == "calm-heron")
        assert not app.runs_pane.has_class("-log-only")
        await click_on(pilot, "calm-heron")
        await until(pilot, lambda: app.runs_pane.has_class("-log-only"))
        await press(pilot, "escape", "escape")
        await click_on(pilot, "lazy-fox", times=2)
        await until(pilot, lambda: app.runs_pane.has_class("-log-only"))


async def test_footer_keys_of_a_dialog_are_clicked(home: SeededHome) -> None:
    """In the list of commands, in the copy menu, in the form."""
    fill(home)
    async with running_app(home, LARGE) as (app, pilot):
        for key in (":", "y", "t"):
            await press(pilot, key)
            await until(pilot, lambda: len(app.screen_stack) == 2)
            await click_on(pilot, "esc Leave")
            await until(pilot, lambda: len(app.screen_stack) == 1)


@pytest.mark.parametrize("size", [(59, 24), (80, 14), (20, 5)])
async def test_a_screen_that_is_too_small_says_what_it_needs(home: SeededHome, size: tuple[int, int]) -> None:
    """And takes no key that nobody can see the effect of; larger again, all is as it was."""
    fill(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j", "j")
        await pilot.resize_terminal(*size)
        await until(pilot, lambda: "needs 60 columns" in " ".join(screen_text(pilot).split()))
        assert "brave-otter" not in screen_text(pilot)
        await press(pilot, "x", "y")
        await pilot.resize_terminal(80, 24)
        await until_shown(pilot, ">▸ ✗ Failed     calm-heron", "t Run")
        assert "needs 60" not in screen_text(pilot)
        await until(pilot, lambda: app.runs_pane.table.has_focus)
        await press(pilot, "k")
        assert app.runs_pane.run is not None
        assert (app.runs_pane.run.name, app.runs_pane.run.state_name) == ("brave-otter", "Running")


async def test_a_dialog_comes_back_from_a_small_screen_with_what_was_typed(home: SeededHome) -> None:
    """And with the keyboard in its field."""
    fill(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, ":", *"zoo")
        await pilot.resize_terminal(40, 10)
        await until(pilot, lambda: "needs 60" in screen_text(pilot))
        await pilot.resize_terminal(80, 24)
        await until_shown(pilot, ">Zoom")
        await press(pilot, "m")
        await until_shown(pilot, "zoom")


async def test_60_by_15_shows_list_and_keys(home: SeededHome) -> None:
    """The least size in which all can be done."""
    fill(home)
    async with running_app(home, (60, 15)) as (_, pilot):
        await until_shown(pilot, "brave-otter", "l Log", "? Help")


async def focus(app: FlowdeckApp, pilot: AppPilot, event: events.Event) -> None:
    app.post_message(event)
    await pilot.pause()


async def test_without_the_keyboard_nothing_is_drawn_until_it_is_back(home: SeededHome) -> None:
    """The header says so; then everything is up to date at once."""
    run = fill(home)
    async with running_app(home, LARGE) as (app, pilot):
        await until_shown(pilot, "brave-otter")
        await focus(app, pilot, events.AppBlur())
        await until_shown(pilot, "still while unfocused")
        assert app.pace.delivery_seconds == math.inf
        await until(pilot, lambda: app._batch_count)
        home.set_state(run.key, "Completed", NOW)
        await focus(app, pilot, events.AppFocus())
        await until_shown(pilot, "✓ Completed  brave-otter")
        assert "still" not in screen_text(pilot).splitlines()[0]
        assert not app._batch_count


async def test_a_key_in_an_unfocused_window_wakes_it(home: SeededHome) -> None:
    """Some terminals tell that the keyboard went, and not that it came back."""
    fill(home)
    async with running_app(home, SMALL) as (app, pilot):
        await until_shown(pilot, "brave-otter")
        await focus(app, pilot, events.AppBlur())
        await until_shown(pilot, "still while unfocused")
        await press(pilot, "j")
        await until(pilot, lambda: app.runs_pane.table.cursor_index == 1)
        await until(pilot, lambda: "still" not in screen_text(pilot))


async def test_an_unfocused_window_that_is_resized_is_drawn_once(home: SeededHome) -> None:
    """A terminal that was laid out anew would show shreds."""
    fill(home)
    async with running_app(home, SMALL) as (app, pilot):
        await until_shown(pilot, "brave-otter")
        await focus(app, pilot, events.AppBlur())
        await until(pilot, lambda: app._batch_count)
        await pilot.resize_terminal(*LARGE)
        await until(pilot, lambda: len(screen_text(pilot).splitlines()) == LARGE[1])
        await until(pilot, lambda: app._batch_count)


async def test_a_question_and_a_text_wait_while_another_window_has_the_keyboard(home: SeededHome) -> None:
    """Neither is answered by looking elsewhere."""
    run = fill(home)
    async with running_app(home, SMALL) as (app, pilot):
        await press(pilot, "j", "x")
        await until_shown(pilot, "Cancel brave-otter?")
        await focus(app, pilot, events.AppBlur())
        await until(pilot, lambda: app._batch_count)
        await press(pilot, "y")
        await until(pilot, lambda: home.deck.flow_runs.find(run.id).state_name == "Cancelling")
        await press(pilot, "/", *"fox")
        await focus(app, pilot, events.AppBlur())
        await until(pilot, lambda: app._batch_count)
        await press(pilot, *"lazy", "enter")
        await until_shown(pilot, "/foxlazy")


async def test_a_file_is_not_written_by_clicking_elsewhere(home: SeededHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only by enter."""
    monkeypatch.chdir(home.folder)
    fill(home)
    async with running_app(home, LARGE) as (_, pilot):
        await press(pilot, "j")
        await until_shown(pilot, "from the subflow")
        await press(pilot, "tab", "W")
        await until_shown(pilot, "save as")
        await click_on(pilot, "lazy-fox")
        await until(pilot, lambda: "save as" not in screen_text(pilot))
    assert names_in(home) == ["sync.py"]


def names_in(home: SeededHome) -> list[str]:
    return [path.name for path in home.folder.iterdir()]
