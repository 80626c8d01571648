"""A JSON document inside of a line of text, spread over lines to be read. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

_INDENT: Final = 2
_STARTS_TRIED: Final = 16


def spread(text: str) -> list[str] | None:
    """Return a text with the object or list in it on lines of its own; None when there is none worth it.

    What stands before and after it keeps lines of its own.
    """
    start, tried = -1, 0
    decoder = json.JSONDecoder()
    while tried < _STARTS_TRIED and (start := _next_start(text, start + 1)) >= 0:
        tried += 1
        try:
            value, end = decoder.raw_decode(text, start)
            lines = _lines(value)
        except (ValueError, RecursionError):
            continue
        if len(lines) > 1:
            around = (text[:start].rstrip(), text[end:].strip())
            return [*filter(None, around[:1]), *lines, *filter(None, around[1:])]
    return None


def _next_start(text: str, at: int) -> int:
    starts = [found for found in (text.find("{", at), text.find("[", at)) if found >= 0]
    return min(starts, default=-1)


def _lines(value: Any) -> list[str]:
    """Write a document; a list of plain values, such as `[3]` in a message, is left as it is."""
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        return []
    return json.dumps(value, indent=_INDENT, ensure_ascii=False).split("\n")
