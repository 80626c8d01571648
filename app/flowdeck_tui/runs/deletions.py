"""Deletes that can still be taken back: until their time is over, nothing is done but keeping the rows out of sight.

So a screen that is killed, or loses its line, has deleted nothing; leaving by a key carries out what was asked for.
What has become of a run meanwhile is looked at when the time comes: one that runs again is kept, and its row is back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.live import marked_runs
from flowdeck_tui.live.marked_runs import Outcome
from flowdeck_tui.live.messages import Command
from flowdeck_tui.runs.run_tree import RunTree
from flowdeck_tui.text import present

if TYPE_CHECKING:
    from flowdeck.deck import FlowRun

UNDO_SECONDS: Final = 10.0


class Stoppable(Protocol):
    """A timer."""

    def stop(self) -> Any:
        """Let it never come."""
        ...


@dataclass(frozen=True)
class _Batch:
    """Runs that were deleted together, with those of their rows that were in the list."""

    keys: frozenset[int]
    runs: tuple[FlowRun, ...]
    timer: Stoppable


class Deletions:
    """Deletes that wait for their time."""

    def __init__(
        self,
        rows: RunTree,
        submit: Callable[[Command], None],
        start_timer: Callable[[float, Callable[[], None]], Stoppable],
        redraw: Callable[[], None],
    ) -> None:
        """Begin with none.

        Args:
            rows: the list.
            submit: gives a command to Deck.
            start_timer: calls something after so many seconds.
            redraw: shows the rows as they are now.
        """
        self._rows = rows
        self._submit = submit
        self._start_timer = start_timer
        self._redraw = redraw
        self._batches: list[_Batch] = []

    def add(self, keys: frozenset[int]) -> str:
        """Delete runs after a while; say so."""
        runs = tuple(run for key in sorted(keys) if (run := self._rows.run(key)) is not None)
        batch = _Batch(keys, runs, self._start_timer(UNDO_SECONDS, lambda: self._carry_out(batch)))
        self._batches.append(batch)
        self._hide(self._rows.hidden | keys)
        return f"{_named(keys, runs)} deleted: u undoes it"

    def undo(self) -> str | None:
        """Take the last delete back and say so; None when there is none to take back."""
        if not self._batches:
            return None
        batch = self._batches.pop()
        batch.timer.stop()
        self._show_again(batch.keys, batch.runs)
        return f"{_named(batch.keys, batch.runs)} back; nothing was deleted."

    def flush(self) -> None:
        """Carry out what was asked for: the screen is being left."""
        for batch in [*self._batches]:
            self._carry_out(batch)

    def _carry_out(self, batch: _Batch) -> None:
        batch.timer.stop()
        self._batches.remove(batch)

        def settle(outcome: Outcome | None) -> None:
            self._show_again(batch.keys, batch.runs if outcome is None else outcome.kept)

        self._submit(marked_runs.delete(batch.keys, settle))

    def _show_again(self, keys: frozenset[int], runs: tuple[FlowRun, ...]) -> None:
        self._hide(self._rows.hidden - keys)
        for run in runs:
            self._rows.put(run)
        self._redraw()

    def _hide(self, keys: frozenset[int]) -> None:
        self._rows.hide(keys)
        self._redraw()


def _named(keys: frozenset[int], runs: tuple[FlowRun, ...]) -> str:
    if len(keys) == 1 and runs:
        return f"{inert_line(runs[0].name)} is"
    return f"{present.count_of(len(keys), 'run')} {'is' if len(keys) == 1 else 'are'}"
