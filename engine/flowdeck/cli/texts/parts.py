"""What the texts of all nouns share: states, durations, moments, errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flowdeck.cli.tables import Cell, Paper, section
from flowdeck.rules.states import StateType
from flowdeck.rules.text.durations import coarse_duration
from flowdeck.rules.text.state_signs import state_sign
from flowdeck.rules.text.terminal_text import inert, inert_line

if TYPE_CHECKING:
    from flowdeck.deck import RunError

COLOURS: Final[Mapping[StateType, str]] = {
    StateType.RUNNING: "36", StateType.PAUSED: "33", StateType.CANCELLING: "33", StateType.COMPLETED: "32",
    StateType.FAILED: "31", StateType.CANCELLED: "33", StateType.CRASHED: "31",
}  # fmt: skip
"""Number of the colour in ANSI by type of state; none for what has not begun."""
UNKNOWN: Final = "-"
_VALUE_LENGTH: Final = 2_000
"""Characters of a parameter's value that are shown."""


def state_cell(state_type: StateType, state_name: str, paper: Paper) -> Cell:
    """Write a state: its sign and its name."""
    return Cell(
        f"{state_sign(state_type, state_name, unicode=paper.unicode)} {inert_line(state_name)}",
        COLOURS.get(state_type, ""),
    )


def duration(seconds: float | None) -> str:
    """Write a duration in a few characters; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.2f}s"
    if seconds < 60:
        return f"{seconds:.1f}s"
    return coarse_duration(int(seconds))


def clock(at: datetime | None, paper: Paper) -> str:
    """Write a moment in local time: the time if it was today, else the day too; empty when unknown."""
    if at is None:
        return ""
    local = at.astimezone()
    return local.strftime("%H:%M:%S" if local.date() == paper.now.astimezone().date() else "%Y-%m-%d %H:%M")


def moment(at: datetime | None) -> str:
    """Write a moment in local time, in full; empty when unknown."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def problem_lines(error: RunError | None, title: str = "Error") -> list[str]:
    """Show why something failed, its traceback as Python writes it."""
    if error is None:
        return []
    text = inert(error.traceback or f"{error.type}: {error.message}")
    return section(title, text.split("\n"))


def error_line(error: RunError | None) -> str:
    """Write an error as one line: its type, the first line of its message, and where it was raised."""
    if error is None:
        return ""
    place = ""
    if error.file:
        line = f":{error.line}" if error.line else ""
        place = f" ({error.file.rpartition('/')[2]}{line})"
    return inert_line(f"{error.type}: {_first_line(error.message)}{place}")


def one_line(text: str) -> str:
    """Write text of the author in one line, its whitespace as single spaces."""
    return inert_line(" ".join(text.split()))


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def value_text(value: Any) -> str:
    """Write a JSON value in one line, a very long one cut."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _VALUE_LENGTH:
        return inert_line(text)
    return f"{inert_line(text[:_VALUE_LENGTH])}… ({len(text):,} characters; --json has them all)"


def count_text(number: int, noun: str) -> str:
    """Write `1 error`, `2 errors`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
