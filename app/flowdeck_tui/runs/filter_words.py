"""Words that may stand next in a filter of runs, as it is typed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flowdeck.rules.runs.run_filter import ANY, KEYS, NONE, written
from flowdeck.rules.states import StateType

_VALUES: Final = {
    "state": tuple(state_type.value.lower() for state_type in StateType),
    "since": ("1h", "24h", "7d", "today", "yesterday"),
    "until": ("1h", "24h", "7d", "today", "yesterday"),
    "duration": (">1m", ">10m", ">1h", "<1s"),
    "parent": (NONE, ANY),
    "deployment": (NONE, ANY),
}
WORDS_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Known:
    """Names that there are."""

    flows: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def complete(text: str, cursor: int, known: Known) -> tuple[str, int]:
    """Put the next word that fits in place of the one before the cursor; again, and it is the one after that.

    Returns:
        The text, and where the cursor stands in it then. Both as they were when nothing fits.
    """
    start, typed = _word(text, cursor)
    words = candidates(text, cursor, known)
    if typed in words:  # the one that was put there before: go on to its neighbour
        neighbours = candidates(text, start, known)
        word = neighbours[(neighbours.index(typed) + 1) % len(neighbours)] if typed in neighbours else typed
    elif words:
        word = words[0]
    else:
        return text, cursor
    return text[:start] + word + text[cursor:], start + len(word)


def candidates(text: str, cursor: int, known: Known) -> tuple[str, ...]:
    """List what the word before the cursor may become: keys with their colon, or values of its key."""
    start, typed = _word(text, cursor)
    key = _key(text, start)
    if key is None:
        return tuple(f"{one}:" for one in KEYS if f"{one}:".startswith(typed.lower()))
    values = {"flow": known.flows, "tag": known.tags, **_VALUES}.get(key, ())
    plain = typed.lstrip('"').lower()
    return tuple(written(value) for value in values if value.lower().startswith(plain))


def hint(text: str, known: Known) -> str:
    """Write which words may stand at the end of a text, in one line; empty when none is known."""
    words = candidates(text, len(text), known)
    shown = "  ".join(words[:WORDS_SHOWN])
    return f"tab  {shown}{'  …' if len(words) > WORDS_SHOWN else ''}" if words else ""


def _word(text: str, cursor: int) -> tuple[int, str]:
    """Return where the word before the cursor begins, and it: a key, or the last value behind a colon or comma."""
    start = cursor
    is_quoted = text[:cursor].count('"') % 2 == 1
    while start > 0 and (text[start - 1] not in " :,!" or is_quoted):
        start -= 1
        is_quoted = is_quoted and text[start] != '"'
    return start, text[start:cursor]


def _key(text: str, start: int) -> str | None:
    """Return the key whose value begins at a position; None where a key, or a text, begins."""
    token = text[:start].rsplit(" ", 1)[-1].lstrip("!")
    key, colon, _ = token.partition(":")
    return key.lower() if colon else None
