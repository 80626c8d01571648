"""The screen under random keys, clicks, sizes and changes: it never fails, and what it shows stays true.

FLOWDECK_RANDOM_SECONDS makes it longer, FLOWDECK_RANDOM_SEED begins elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from pathlib import Path

import pytest
from textual import events
from textual.errors import NoWidget

from flowdeck.deck import FlowRun, RunError, RunQuery
from flowdeck_tui.actions.actions import ACTIONS
from flowdeck_tui.app import FlowdeckApp
from tests.tui.harness import AppPilot, press, running_app, until
from tests.tui.seeded_home import NOW, Call, SeededHome

SECONDS = float(os.environ.get("FLOWDECK_RANDOM_SECONDS", "4"))
SEED = int(os.environ.get("FLOWDECK_RANDOM_SEED", "1"))
OPENING = [":", "?", "'", "y", "t", "R", "/", "&", "x", "D"]
"""Keys that open something, pressed more often than others."""
SCHEMA = {
    "type": "object",
    "properties": {
        "days": {"type": "integer", "default": 3},
        "mode": {"enum": ["fast", "slow"], "default": "fast"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}


def seed(home: SeededHome) -> list[FlowRun]:
    home.engine_up()
    home.flow("etl", SCHEMA)
    error = RunError("SyntaxError", "invalid", "…", "/x/bad.py", 1)
    home.broken_file("bad.py", error)
    calls = [Call("a"), Call("b", "Running"), Call("c", "Failed", error=error), *[Call("d", group=1)] * 3]
    return [home.run(f"run-{number}", "etl", "Running", calls=calls) for number in range(12)]


async def use_mouse(app: FlowdeckApp, pilot: AppPilot, chance: random.Random) -> None:
    """Click, click twice, or turn the wheel somewhere."""
    x, y = chance.randrange(app.size.width), chance.randrange(app.size.height)
    kind = chance.randrange(4)
    if kind < 2:
        with contextlib.suppress(NoWidget):  # where a new size is not laid out yet
            await pilot.click(offset=(x, y), times=1 + kind)
        return
    turn = events.MouseScrollDown if kind == 2 else events.MouseScrollUp
    app.post_message(turn(None, x, y, 0, 0, 0, False, False, False, x, y))
    await pilot.pause(0)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed_number", [SEED, SEED + 1])
async def test_random_keys_clicks_sizes_and_changes(
    home: SeededHome, seed_number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any exception of the app fails the test by itself."""
    monkeypatch.chdir(tmp_path)  # copies and saved logs are written where one is
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(FlowdeckApp, "exit", lambda *_, **__: None)  # leaving would be soon
    chance = random.Random(seed_number)
    runs = seed(home)
    keys = [*sorted({key for action in ACTIONS for key in action.keys}), *"abz7 ", *OPENING * 3]
    async with running_app(home) as (app, pilot):
        end = time.monotonic() + SECONDS
        step = 0
        while time.monotonic() < end:
            step += 1
            if chance.random() < 0.2:
                await use_mouse(app, pilot, chance)
            else:
                await press(pilot, chance.choice(keys))
            if step % 9 == 0:
                runs.append(home.run(f"new-{step}", "etl", "Running", parent=chance.choice([None, runs[-1]])))
            if step % 7 == 0:
                home.set_state(chance.choice(runs).key, chance.choice(["Completed", "Failed", "Cancelled"]), NOW)
            if step % 5 == 0:
                home.log(chance.choice(runs), f"step {step}")
            if step % 23 == 0:
                await pilot.resize_terminal(chance.randint(20, 170), chance.randint(6, 50))
            if step % 31 == 0:
                app.post_message(chance.choice([events.AppBlur, events.AppFocus])())
        await pilot.resize_terminal(100, 40)
        for _ in range(6):
            await press(pilot, "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await press(pilot, "1", "escape", "escape", "escape", "g")
        app.runs_pane.deletions.flush()
        await until(pilot, lambda: _is_true(home, app))


def _is_true(home: SeededHome, app: FlowdeckApp) -> bool:
    """The list holds what the home holds."""
    return len(app.runs_pane.tree_rows.window) == home.deck.flow_runs.count(RunQuery(roots_only=True))
