"""What is said stays as long as it is true and no longer; what is too much stands in one line."""

from __future__ import annotations

import pytest

from tests.tui.harness import LARGE, press, running_app, screen_text, until, until_shown
from tests.tui.runs.test_app_runs import seed
from tests.tui.seeded_home import NOW, Call, SeededHome

pytestmark = pytest.mark.asyncio


async def test_a_message_goes_with_the_next_key(home: SeededHome) -> None:
    """Whatever the key does; one that does nothing leaves it."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "r")
        said = app.status.text
        assert "is not over" in said
        await press(pilot, "Z")
        assert app.status.text == said
        await press(pilot, "j")
        assert app.status.text == ""


async def test_a_state_that_was_told_goes_when_the_run_leaves_it(home: SeededHome) -> None:
    """The command that does the same stays."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "j", "x", "y")
        await until(pilot, lambda: "brave-otter: Cancelling" in app.status.text)
        home.set_state(home.deck.flow_runs.find("brave-otter").key, "Cancelled", NOW)
        await until(pilot, lambda: "brave-otter" not in app.status.text)
        assert app.status.text.strip().startswith("$ flowdeck flow-run cancel")


async def test_many_calls_of_a_run_stand_in_one_line_until_enter(home: SeededHome) -> None:
    """Enter on that line shows them all."""
    home.run("digest", state="Running", calls=[Call("step")] * 30)
    async with running_app(home, LARGE) as (_, pilot):
        await press(pilot, "right")
        await until_shown(pilot, "… 22 earlier calls", "step-29")
        assert "step-21" not in screen_text(pilot)
        await press(pilot, "j", "enter")
        await until_shown(pilot, "step-0 ", "step-19 ")
