"""Help, commands and the form on small screens: nothing that one needs is cut."""

from __future__ import annotations

import pytest

from flowdeck_tui.menus.menu import MenuScreen
from tests.tui.flows.test_app_flows import seed
from tests.tui.harness import SMALL, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import SeededHome

pytestmark = pytest.mark.asyncio


async def test_help_begins_with_what_the_signs_mean(home: SeededHome) -> None:
    """They explain and do nothing; they are found by their words too."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "?")
        await until_shown(pilot, "◷ Scheduled", "✗ Failed", "E/W", "×12", "3 Flows")
        await press(pilot, "enter")
        assert isinstance(app.screen, MenuScreen)
        await press(pilot, *"mapped call")
        await until(pilot, lambda: line_with(pilot, ">").startswith(">name ×12"))


@pytest.mark.parametrize("size", [SMALL, (60, 15)])
async def test_the_chosen_action_is_described_in_full(home: SeededHome, size: tuple[int, int]) -> None:
    """Below the list, in two lines, with its end; the list itself cuts it."""
    seed(home)
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "?", *"retry")
        whole = "what is recorded does not run again. (Runs) $ flowdeck flow-run"
        await until(pilot, lambda: whole in " ".join(screen_text(pilot).split()))
        assert "esc Leave" in screen_text(pilot)


async def test_a_small_screen_shows_the_first_field_and_the_way_out(home: SeededHome) -> None:
    """60×15."""
    home.flow("wide", {"type": "object", "properties": {f"field_{n}": {"type": "string"} for n in range(9)}})
    async with running_app(home, (60, 15)) as (_, pilot):
        await until_shown(pilot, "wide")
        await press(pilot, "t")
        await until_shown(pilot, "field_0", "esc Leave")
