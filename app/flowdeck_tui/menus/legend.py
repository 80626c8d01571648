"""What the signs of the screen mean, for the help. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flowdeck.rules.states import NAMES
from flowdeck_tui.text import present
from flowdeck_tui.text.present import Glyphs


@dataclass(frozen=True, slots=True)
class Hint:
    """A line of the help that explains and does nothing.

    Attributes:
        label: what is explained.
        help: what it means.
    """

    label: str
    help: str


def legend(glyphs: Glyphs) -> tuple[Hint, ...]:
    """Explain state signs, columns and panes."""
    return (
        Hint("Not begun", _states(glyphs, "Scheduled", "Pending", "AwaitingRetry")),
        Hint("At work", _states(glyphs, "Running", "Cancelling", "Paused")),
        Hint("Over, well", _states(glyphs, "Completed")),
        Hint("Over, not well", _states(glyphs, "Failed", "Crashed", "Cancelled", "NotReady")),
        Hint("TASKS 7/12", "Task calls that are complete, of all calls."),
        Hint("E/W 2/5", "Error and warning lines in the run's log."),
        Hint("name ×12", "A mapped call: one line for all its items."),
        Hint("Panes", "1 Runs, with the log below; 3 Flows; tab goes on."),
    )


def _states(glyphs: Glyphs, *names: str) -> str:
    return "  ".join(present.state_text(NAMES[name], name, glyphs) for name in names)


def searched(hints: Iterable[Hint], words: Iterable[str]) -> list[Hint]:
    """Return the hints that hold every word."""
    wanted = list(words)
    return [hint for hint in hints if all(word in f"{hint.label} {hint.help}".lower() for word in wanted)]
