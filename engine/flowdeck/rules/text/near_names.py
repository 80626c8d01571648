"""What someone may have meant by a name that there is not."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name most like a word, case ignored; None when none is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for a slip of the finger: 4 ms

    names = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), names, n=1)
    return names[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Write ` Did you mean X?` to go behind a sentence; empty when nothing known is like the word."""
    name = nearest(word, known)
    return f" Did you mean {name}?" if name else ""
