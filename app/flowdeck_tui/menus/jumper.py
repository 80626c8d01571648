"""The jump list over an app: panes, flows and runs by name or id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from textual.app import App

from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.text import present
from flowdeck_tui.text.present import Glyphs

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry, FlowRun
    from flowdeck_tui.menus.jump_rows import Target

MOST_RUNS: Final = 2_000
"""Runs of the list that are offered by themselves; the others are found by their name or id in the home."""


class Jumper:
    """Opens the jump list and tells where to go."""

    def __init__(
        self, app: App[Any], glyphs: Glyphs, panes: Sequence[tuple[str, str]], go: Callable[[Target], None]
    ) -> None:
        """Prepare.

        Args:
            app: over which the list opens.
            glyphs: signs that the terminal can show.
            panes: number and name of each pane.
            go: called with what was chosen.
        """
        self._app = app
        self._glyphs = glyphs
        self._panes = tuple(panes)
        self._go = go

    async def open(self, flows: Iterable[FlowEntry], runs: Iterable[FlowRun]) -> None:
        """Ask where to go: to a pane, to one of these flows or runs, or to any other run."""
        # Imported here: the first paint need not wait for them.
        from flowdeck_tui.menus.jump_rows import JumpRows, Target  # noqa: PLC0415
        from flowdeck_tui.menus.menu import MenuScreen  # noqa: PLC0415

        def chosen(target: Target | None) -> None:
            if target is not None:
                self._app.call_later(self._go, target)

        targets = [Target("pane", number, name, f"pane {number}") for number, name in self._panes]
        targets += [
            Target("flow", entry.name, inert_line(entry.name), inert_line(entry.entrypoint))
            for entry in flows
            if entry.name is not None
        ]
        targets += [Target("run", run.id, inert_line(run.name), self._about(run)) for run in runs]
        rows = JumpRows(targets)
        await self._app.push_screen(MenuScreen("jump", rows, self._glyphs, "a run, a flow, a pane"), chosen)

    def _about(self, run: FlowRun) -> str:
        state = present.state_text(run.state_type, run.state_name, self._glyphs)
        return f"{short_id(run.id)}  {inert_line(run.flow_name)}  {state}"
