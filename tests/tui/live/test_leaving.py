"""Leaving the screen while its threads are still at work: the home is closed, once, by the last who uses it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck.deck import Deck
from flowdeck_tui.live.messages import EngineUp
from flowdeck_tui.live.pump import Pump
from flowdeck_tui.live.shared_deck import SharedDeck
from tests.tui.harness import make_app, until
from tests.tui.seeded_home import SeededHome

pytestmark = pytest.mark.asyncio
PATIENCE_SECONDS = 10.0


class Closings:
    """Counts how often a Deck was closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = 0
        self.happened = threading.Event()
        close = Deck.close

        def closing(deck: Deck) -> None:
            close(deck)
            self.number += 1
            self.happened.set()

        monkeypatch.setattr(Deck, "close", closing)


async def test_a_pump_that_is_slow_to_stop_closes_the_home(home: SeededHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app has left by then; its sockets are not left to chance."""
    is_within, may_go_on = threading.Event(), threading.Event()
    turn = Pump._turn

    def slow_turn(pump: Pump, deck: Any, feed: Any) -> None:
        turn(pump, deck, feed)
        if pump._stopping.is_set():
            is_within.set()
            may_go_on.wait(PATIENCE_SECONDS)

    monkeypatch.setattr(Pump, "_turn", slow_turn)
    closings = Closings(monkeypatch)
    app = make_app(home)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.active_pane)
    assert is_within.is_set()
    assert closings.number == 0
    may_go_on.set()
    assert closings.happened.wait(PATIENCE_SECONDS)
    assert closings.number == 1


async def test_an_engine_that_is_slow_to_start_keeps_the_home_open(
    home: SeededHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is there, or is said not to come."""
    said: list[Callable[[], Any]] = []
    closings = Closings(monkeypatch)
    app = make_app(home, bring_engine_up=lambda _deck, _folder, post: said.append(lambda: post(EngineUp(None))))
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.active_pane and said)
    assert app.pump.stop(PATIENCE_SECONDS)
    assert closings.number == 0
    said[0]()
    assert closings.number == 1


async def test_a_home_that_was_opened_too_late_is_closed(home: SeededHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app was left while it was being opened: nobody hears of it any more."""
    may_open = threading.Event()
    closings = Closings(monkeypatch)

    def open_late() -> Deck:
        may_open.wait(PATIENCE_SECONDS)
        return Deck(home.path)

    pump = Pump(open_late, lambda _message: None, make_app(home).pace, {})
    pump.start()
    assert not pump.stop(0.0)
    may_open.set()
    assert closings.happened.wait(PATIENCE_SECONDS)


async def test_a_closed_deck_is_not_used_again(home: SeededHome) -> None:
    """Who comes too late is told so."""
    shared = SharedDeck(Deck(home.path))
    assert shared.use()
    shared.let_go()
    shared.let_go()
    assert not shared.use()
