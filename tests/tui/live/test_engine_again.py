"""An engine that has gone is brought up again by what needs one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowdeck.deck import Deck
from flowdeck_tui.live.messages import EngineUp
from tests.tui.busy_home import fill
from tests.tui.harness import SMALL, make_app, press, screen_text, until
from tests.tui.seeded_home import SeededHome

pytestmark = pytest.mark.asyncio


class Starter:
    """Counts how often an engine is asked for; says that it is up when told to."""

    def __init__(self) -> None:
        self.asked = 0
        self._say: Callable[[], Any] = lambda: None

    def __call__(self, deck: Deck, folder: str, post: Callable[[Any], Any]) -> None:
        self.asked += 1
        self._say = lambda: post(EngineUp(None))

    def is_done(self) -> None:
        self._say()


async def test_a_retry_without_an_engine_brings_one_up(home: SeededHome) -> None:
    """Once: what is asked for while it comes up does not start a second one; a move of the cursor starts none."""
    fill(home)
    starter = Starter()
    app = make_app(home, bring_engine_up=starter)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.active_pane and starter.asked == 1)
        starter.is_done()
        await until(pilot, lambda: "no engine" in screen_text(pilot))
        await press(pilot, "j", "j")
        assert starter.asked == 1
        await press(pilot, "r")
        await until(pilot, lambda: starter.asked == 2 and "engine starting" in screen_text(pilot))
        await press(pilot, "3", "G", "t", "enter")
        await until(pilot, lambda: "is a new run of" in screen_text(pilot))
        assert starter.asked == 2
        starter.is_done()
        await until(pilot, lambda: "no engine" in screen_text(pilot))
