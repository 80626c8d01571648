"""The screen under random keys, sizes and changes: it never fails, and what it shows stays true."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from flowdeck.deck import RunError, RunQuery
from flowdeck_tui.actions import ACTIONS
from tests.tui.harness import press, running_app, until
from tests.tui.seeded_home import NOW, Call, SeededHome

STEPS = 250
LEAVING = {"q", "ctrl+q"}


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [1, 2])
async def test_random_keys_sizes_and_changes(
    home: SeededHome, seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Any exception of the app fails the test by itself."""
    monkeypatch.chdir(tmp_path)  # what it saves must not lie about
    chance = random.Random(seed)
    home.engine_up()
    home.flow("etl", {"type": "object", "properties": {"days": {"type": "integer", "default": 3}}})
    home.broken_file("bad.py", RunError("SyntaxError", "invalid", "…", "/x/bad.py", 1))
    runs = [
        home.run(f"run-{number}", "etl", "Running", calls=[Call("a"), Call("b", "Running")]) for number in range(12)
    ]
    keys = [*sorted({key for action in ACTIONS for key in action.keys} - LEAVING), *"abz7 "]
    async with running_app(home) as (app, pilot):
        for step in range(STEPS):
            await press(pilot, chance.choice(keys))
            if step % 9 == 0:
                runs.append(home.run(f"new-{step}", "etl", "Running", parent=chance.choice([None, runs[-1]])))
            if step % 7 == 0:
                home.set_state(chance.choice(runs).key, chance.choice(["Completed", "Failed", "Cancelled"]), NOW)
            if step % 5 == 0:
                home.log(chance.choice(runs), f"step {step}")
            if step % 23 == 0:
                await pilot.resize_terminal(chance.randint(20, 170), chance.randint(6, 50))
        await pilot.resize_terminal(100, 40)
        for _ in range(4):
            await press(pilot, "escape")
        await press(pilot, "1", "escape", "escape", "g")
        rows = app.runs_pane.tree_rows
        roots = RunQuery(roots_only=True)
        await until(pilot, lambda: len(rows.window) + len(rows.hidden) == home.deck.flow_run_total(roots))
