"""The app on a seeded home, driven without a terminal; what is on its screen as text."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC
from typing import Any

from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot

from flowdeck.deck import Deck
from flowdeck_tui.app import FlowdeckApp
from flowdeck_tui.live.messages import EngineUp
from flowdeck_tui.text.present import UNICODE
from tests.tui.seeded_home import NOW, SeededHome

SMALL, LARGE = (80, 24), (160, 48)
PATIENCE_SECONDS = 10.0

AppPilot = Pilot[Any]


def no_engine(deck: Deck, folder: str, post: Callable[[Any], Any]) -> None:
    """Say at once that nobody brings an engine up."""
    post(EngineUp(None))


def make_app(
    home: SeededHome,
    kind: type[FlowdeckApp] = FlowdeckApp,
    bring_engine_up: Callable[[Deck, str, Callable[[Any], Any]], None] = no_engine,
) -> FlowdeckApp:
    return kind(
        str(home.folder),
        lambda: Deck(home.path),
        now=lambda: NOW,
        zone=UTC,
        glyphs=UNICODE,
        environment={},
        bring_engine_up=bring_engine_up,
    )


async def until(pilot: AppPilot, is_so: Callable[[], Any]) -> None:
    """Wait until something is so; what waits for threads must not count seconds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come to be. Screen:\n{screen_text(pilot)}")
        await pilot.pause(0.005)


async def until_shown(pilot: AppPilot, *texts: str) -> None:
    """Wait until the screen holds all these texts."""
    await until(pilot, lambda: all(text in screen_text(pilot) for text in texts))


async def press(pilot: AppPilot, *keys: str) -> None:
    """Press keys, each after the one before has been dealt with; `Pilot.press` sleeps 40 ms for each."""
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 else key
        pilot.app.post_message(Key(name, " " if key == "space" else key if len(key) == 1 else None))
        for _ in range(3):
            await pilot.pause(0)


def screen_text(pilot: AppPilot) -> str:
    """Return what is on the screen, one line a row, without trailing blanks."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def line_with(pilot: AppPilot, text: str) -> str:
    """Return the first line of the screen that holds a text."""
    return next((line for line in screen_text(pilot).splitlines() if text in line), "")


@contextlib.asynccontextmanager
async def running_app(home: SeededHome, size: tuple[int, int] = SMALL) -> AsyncIterator[tuple[FlowdeckApp, AppPilot]]:
    """Run the app until its first rows are on the screen."""
    app = make_app(home)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.active_pane)
        await pilot.pause()
        yield app, pilot
