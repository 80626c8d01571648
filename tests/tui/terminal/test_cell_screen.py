"""Partial updates: cut on both sides, and the same screen as a full repaint."""

from __future__ import annotations

import random
from importlib.metadata import version
from pathlib import Path

import pyte
import pytest
from textual._compositor import ChopsUpdate

from tests.tui.harness import LARGE, SMALL, press, running_app, until_shown
from tests.tui.seeded_home import NOW, Call, SeededHome

ROOT = Path(__file__).parents[3]


def test_textual_is_the_version_whose_inside_is_used() -> None:
    """A new version is taken up together with a look at `cell_screen`."""
    pinned = next(line for line in (ROOT / "pyproject.toml").read_text().splitlines() if '"textual==' in line)
    assert f'"textual=={version("textual")}"' in pinned


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
async def test_updates_leave_the_screen_that_a_repaint_would_draw(home: SeededHome, size: tuple[int, int]) -> None:
    """Random keys and changes; after each, the terminal shows exactly what the app means."""
    chance = random.Random(7)
    home.flow("etl")
    home.engine_up()
    runs = [home.run(f"wide-日本-{number}", state="Running", calls=[Call("a"), Call("b")]) for number in range(30)]
    for run in runs[-3:]:
        home.log(run, *[f"line {number} 日本語" for number in range(40)])
    async with running_app(home, size) as (app, pilot):
        await until_shown(pilot, "29")
        terminal = pyte.Screen(*size)
        stream = pyte.Stream(terminal)
        compositor = app.screen._compositor
        original = compositor.render_partial_update
        stream.feed(compositor.render_full_update().render_segments(app.console))

        def record() -> ChopsUpdate | None:
            update = original()
            if update is not None:
                stream.feed(update.render_segments(app.console))
            return update

        compositor.render_partial_update = record  # type: ignore[method-assign]
        keys = ["j", "k", "enter", "G", "g", "ctrl+d", "ctrl+u", "tab", "f", "j", "right", "left"]
        for number in range(60):
            await press(pilot, chance.choice(keys))
            if number % 5 == 0 and runs:
                home.set_state(runs.pop().key, "Completed", NOW)
        compositor.render_partial_update = original  # type: ignore[method-assign]
        stream.feed("".join(update.render_segments(app.console) for update in [original()] if update is not None))
        # pyte leaves an empty cell behind each double-width character.
        shown = [row.replace("\0", "").rstrip() for row in terminal.display]
        meant = [strip.text.rstrip() for strip in compositor.render_strips()]
        assert shown == meant
