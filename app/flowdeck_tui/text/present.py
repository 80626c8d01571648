"""Records as words: what the screen says of a state, a duration, a moment, an error. Pure; knows no terminal."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from flowdeck.rules.states import AWAITING_RETRY, NOT_READY, TERMINAL, StateType
from flowdeck.rules.text.durations import coarse_duration
from flowdeck.rules.text.state_signs import ASCII_SIGNS, REFINED_ASCII_SIGNS, REFINED_SIGNS, SIGNS
from flowdeck.rules.text.terminal_text import inert_line

if TYPE_CHECKING:
    from flowdeck.deck import EngineStatus, FlowEntry, FlowRun, RunError, TaskCounts


class Tone(StrEnum):
    """What a piece of text means; the style sheet gives it a colour."""

    PLAIN = "plain"
    MUTED = "muted"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    ACTIVE = "active"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs a terminal can show."""

    states: Mapping[StateType, str]
    refined_states: Mapping[str, str]
    open: str
    closed: str
    branch: str
    last_branch: str
    trunk: str
    rule: str
    ellipsis: str


_S = StateType

UNICODE: Final = Glyphs(
    states=SIGNS,
    refined_states=REFINED_SIGNS,
    open="▾",
    closed="▸",
    branch="├ ",
    last_branch="└ ",
    trunk="│ ",
    rule="─",
    ellipsis="…",
)
ASCII: Final = Glyphs(
    states=ASCII_SIGNS,
    refined_states=REFINED_ASCII_SIGNS,
    open="v",
    closed=">",
    branch="|-",
    last_branch="`-",
    trunk="| ",
    rule="-",
    ellipsis="~",
)

_TONES: Final[Mapping[StateType, Tone]] = {
    _S.SCHEDULED: Tone.MUTED,
    _S.PENDING: Tone.MUTED,
    _S.RUNNING: Tone.ACTIVE,
    _S.PAUSED: Tone.WARN,
    _S.CANCELLING: Tone.WARN,
    _S.COMPLETED: Tone.GOOD,
    _S.FAILED: Tone.BAD,
    _S.CANCELLED: Tone.WARN,
    _S.CRASHED: Tone.BAD,
}

_WORDS: Final = {AWAITING_RETRY: "AwaitRetry", "AwaitingConcurrencySlot": "AwaitSlot"}
"""State names that are too wide for a column."""

_LONG_VALUE: Final = 300
"""Characters of a parameter's value after which nobody reads on in one line."""
_PLACE_AT_END: Final = re.compile(r" \((?P<file>[^()]+), line (?P<line>\d+)\)$")

ROOM_FOR_TWO: Final = 17
"""Lines of a pane from which on a list shares it with what it is the list of."""

STATE_WIDTH: Final = 12
"""Cells for a glyph, a space and the longest word."""


def glyphs_for(environment: Mapping[str, str], encoding: str | None) -> Glyphs:
    """Choose the signs: ASCII on the Linux console and where output is not UTF-8."""
    is_utf8 = (encoding or "").lower().replace("-", "") == "utf8"
    return UNICODE if is_utf8 and environment.get("TERM") != "linux" else ASCII


def state_glyph(state_type: StateType, state_name: str, glyphs: Glyphs) -> str:
    """Return the sign of a state: its shape tells it without colour."""
    return glyphs.refined_states.get(state_name) or glyphs.states[state_type]


def state_tone(state_type: StateType, state_name: str) -> Tone:
    """Return what a state means, for its colour."""
    return Tone.WARN if state_name in (AWAITING_RETRY, NOT_READY) else _TONES[state_type]


def state_word(state_name: str) -> str:
    """Return the name of a state, short enough for a column."""
    return _WORDS.get(state_name) or inert_line(state_name)


def state_text(state_type: StateType, state_name: str, glyphs: Glyphs) -> str:
    """Return glyph and word."""
    return f"{state_glyph(state_type, state_name, glyphs)} {state_word(state_name)}"


def duration_text(seconds: float | None, *, is_over: bool = True) -> str:
    """Write a duration in at most 7 characters; whole seconds while it still grows, empty when unknown.

    `870ms`, `4.2s`, `41s`, `2m13s`, `1h04m`, `3d07h`.
    """
    if seconds is None:
        return ""
    if is_over and seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if is_over and seconds < 10:
        return f"{seconds:.1f}s"
    return coarse_duration(int(seconds))


def clock_text(moment: datetime | None, now: datetime, zone: tzinfo | None = None) -> str:
    """Write a moment in local time, 8 characters: the time today, else the day; empty when unknown.

    Args:
        moment: aware; None when it has not come.
        now: aware; decides what today is.
        zone: time zone of the reader; None for that of the machine.
    """
    if moment is None:
        return ""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    if local.year == today.year:
        return f"{local.day:>2} {local.strftime('%b')}"
    return local.strftime("%b %Y")


def counts_text(counts: TaskCounts) -> str:
    """Write how many task runs are complete, `7/12`; empty when there are none."""
    return f"{counts.completed}/{counts.total}" if counts.total else ""


def trouble_text(errors: int, warnings: int) -> str:
    """Write the counts of error and warning lines, `2/5`; empty when there are none."""
    return f"{errors}/{warnings}" if errors or warnings else ""


def error_place(error: RunError) -> str:
    """Write where an error was raised, `flaky.py:23`; empty when unknown."""
    if not error.file:
        return ""
    name = inert_line(error.file.rsplit("/", 1)[-1])
    return f"{name}:{error.line}" if error.line else name


def error_text(error: RunError) -> str:
    """Write an error in one line: type, first line of its message, place."""
    message = inert_line(error.message.strip().split("\n", 1)[0]) if error.message else ""
    place = error_place(error)
    if place:
        message = _without_place(message, place)
    head = f"{inert_line(error.type)}: {message}" if message else inert_line(error.type)
    return f"{head}  ({place})" if place else head


def _without_place(message: str, place: str) -> str:
    """Leave out where a message ends with its place, as that of a syntax error does: `(etl.py, line 3)`."""
    found = _PLACE_AT_END.search(message)
    is_same = found is not None and f"{found['file'].rsplit('/', 1)[-1]}:{found['line']}" == place
    return message[: found.start()] if found is not None and is_same else message


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """Write a run's parameters in one line: `days=3  path=in.csv`; empty when there are none."""
    return "  ".join(f"{inert_line(name)}={_value_text(value)}" for name, value in parameters.items())


def _value_text(value: Any) -> str:
    is_plain = isinstance(value, str) and value and not any(char.isspace() for char in value[:_LONG_VALUE])
    text = value if is_plain else json.dumps(value, ensure_ascii=False)
    return inert_line(text[:_LONG_VALUE])


def run_message(run: FlowRun) -> str:
    """Say what there is to say of a run beyond its state: its error, else the message of its state."""
    if run.error is not None and run.is_final:
        return error_text(run.error)
    if run.state_message:
        return inert_line(run.state_message.strip().split("\n", 1)[0])
    return ""


def retry_note(run: FlowRun) -> str:
    """Say what a retry means, while one runs; empty otherwise."""
    if run.attempt > 1 and not run.is_final:
        return f"attempt {run.attempt}: what is recorded does not run again"
    return ""


def engine_text(status: EngineStatus | None, *, is_starting: bool) -> str:
    """Say in words what is known of the engine.

    Args:
        status: what the home says.
        is_starting: one is being brought up.
    """
    if status is not None and status.running:
        if status.stalled is not None:
            return f"engine does not work (pid {status.pid})"
        if status.is_older or status.is_newer:
            return f"engine is {'older' if status.is_older else 'newer'} ({inert_line(status.version or '')})"
        return "engine running"
    return "engine starting" if is_starting else "no engine"


def last_words(status: EngineStatus | None, counts: Mapping[StateType, int]) -> str:
    """Say what goes on when the screen is left; empty when nothing does.

    Args:
        status: of the engine, as last known.
        counts: root runs by type of state.
    """
    alive = sum(number for state_type, number in counts.items() if state_type not in TERMINAL)
    if status is None or not status.running or not alive:
        return ""
    verb = "goes" if alive == 1 else "go"
    return f"{count_of(alive, 'run')} {verb} on; the engine is pid {status.pid}, `flowdeck server stop` stops it."


def parameters_echo(parameters: Mapping[str, str]) -> str:
    """Write parameters as a command line has them: ` -p days=3 -p 'name=a b'`."""
    return "".join(f" -p {shlex.quote(f'{name}={text}')}" for name, text in parameters.items())


def count_of(number: int, noun: str) -> str:
    """Write `1 run`, `2 runs`, `1,204 runs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def is_broken(entry: FlowEntry) -> bool:
    """Tell whether the file cannot be imported as it is now."""
    return entry.status != "ok"
