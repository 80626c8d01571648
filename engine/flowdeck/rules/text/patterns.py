r"""Regular expressions from a keyboard: compiled, or refused in words. Pure.

Python holds every other thread up while it matches, and can be kept at it for hours by a pattern such as `(a+)+$`. So a
pattern is only taken if its work is bounded: no repeat of what itself repeats or chooses, and few repeats in all.
"""

from __future__ import annotations

import re
from typing import Final

REPEATS_MOST: Final = 2
"""How many of `*`, `+` and `{…}`: each multiplies the work by the length of the text."""
CHOICES_MOST: Final = 8
"""How many `?` and `|`: each may double the work."""
CHOICES_BESIDE_REPEATS: Final = 3
"""How many of these when there are as many repeats as may be."""

_PIECE: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"  # what is escaped, and what stands in brackets, repeats nothing
    r"|\((?:\?(?:P?<[^=!>][^>]*>|[^)<]?:|<?[=!]))?"
    r"|\)|[*+?|]|\{\d*,?\d*\}|.",
    re.DOTALL,
)


def compiled(text: str) -> re.Pattern[str]:
    """Compile a pattern that finds upper and lower case alike.

    Raises:
        ValueError: it is none, or may take for ever; the text says which, as the rest of a sentence.
    """
    try:
        pattern = re.compile(text, re.IGNORECASE | re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if reason := _why_endless(text):
        raise ValueError(reason)
    return pattern


def _why_endless(text: str) -> str | None:
    """Say why matching may take for ever; None when it does not."""
    repeats = choices = 0
    groups: list[bool] = [False]
    """For each open group whether something in it repeats or chooses."""
    closed = False
    """Whether the piece before was a group that does."""
    previous = ""
    for piece in _PIECE.findall(text):
        is_repeat = piece in ("*", "+") or (len(piece) > 2 and piece[0] == "{")
        if is_repeat and closed:
            return "repeats what itself repeats or chooses, which may take for ever"
        is_lazy = piece in ("?", "+") and previous in ("*", "+", "?", "}")
        if (is_repeat or piece in ("?", "|")) and not is_lazy:
            repeats += is_repeat
            choices += not is_repeat
            groups[-1] = True
        closed = False
        if piece[0] == "(":
            groups.append(False)
        elif piece == ")" and len(groups) > 1:
            closed = groups.pop()
            groups[-1] = groups[-1] or closed
        previous = piece[-1]
    if repeats > REPEATS_MOST:
        return f"has {repeats} repeats, which may take for ever; at most {REPEATS_MOST} are taken"
    most = CHOICES_MOST if repeats < REPEATS_MOST else CHOICES_BESIDE_REPEATS
    if choices > most:
        return f"has {choices} choices, which may take for ever; at most {most} are taken here"
    return None
