"""A short text that stands for a result on a screen, made when the result is recorded."""

from __future__ import annotations

import reprlib
from typing import Any, Final

MAXIMUM_LENGTH: Final = 200
_SMALL: Final = 10**15

_SHORT: Final = frozenset({bool, float})
_PLAIN: Final = frozenset({int, float, bool, str, bytes, list, tuple, dict, set, frozenset})


class _Preview(reprlib.Repr):
    """Looks only at the first few members, and never calls the `repr` of a type it does not know: that may be slow."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 8
        self.maxstring = self.maxother = 80
        self.maxlevel = 3

    def repr_instance(self, x: Any, level: int) -> str:
        return described(x)


def described(value: Any) -> str:
    """Name a value by its type and, where it has one, its shape or length."""
    kind = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"<{kind} {'×'.join(str(size) for size in shape)}>"
    return f"<{kind}>"


_preview: Final = _Preview()


def preview(value: Any) -> str | None:
    """Return at most 200 characters that tell what a value is; None for None."""
    if value is None:
        return None
    kind = type(value)
    if kind in _SHORT or (kind is int and -_SMALL < value < _SMALL):
        return repr(value)
    try:
        text = _preview.repr(value) if kind in _PLAIN else described(value)
    except Exception:  # noqa: BLE001 - a member's own code failed; the result itself is not in question
        text = f"<{kind.__name__}>"
    return text if len(text) <= MAXIMUM_LENGTH else text[: MAXIMUM_LENGTH - 1] + "…"
