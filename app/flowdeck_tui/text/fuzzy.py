"""How near typed words come to a name: beginnings first, then parts, then descriptions, then letters in order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def words_of(text: str) -> list[str]:
    """Split what was typed; the name of the program may stand before its words, as on a command line."""
    words = text.lower().removeprefix("$").split()
    return words[1:] if words[:1] == ["flowdeck"] else words


def distance(words: Iterable[str], name: str, others: Sequence[str] = (), prose: str = "") -> int | None:
    """Say how far off a thing is from what was typed, 0 the nearest; None when one of the words is not in it at all.

    Args:
        words: in lower case; each of them has to be found somewhere.
        name: what the thing is called.
        others: other words for it: its key, its command.
        prose: what is told of it.
    """
    lower, more, told = name.lower(), [other.lower() for other in others], prose.lower()
    far = 0
    for word in words:
        one = _distance(word, lower, more, told)
        if one is None:
            return None
        far = max(far, one)
    return far


def _distance(word: str, name: str, others: Sequence[str], prose: str) -> int | None:
    if name.startswith(word) or word in others:
        return 0
    if word in name or any(part.startswith(word) for other in others for part in other.split()):
        return 1
    if any(word in other for other in others):
        return 2
    if word in prose:
        return 3
    return 4 if len(word) > 1 and any(_in_order(word, text) for text in (name, *others)) else None


def _in_order(letters: str, text: str) -> bool:
    """Tell whether all letters stand in a text, in their order, whatever stands between them."""
    rest = iter(text)
    return all(letter in rest for letter in letters)
