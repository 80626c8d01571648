"""What a script shows when an exception of ours ends it: its sentence. Where in flowdeck it was raised helps nobody."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final

_told_in_a_sentence: Final[list[BaseException]] = []
_previous_hook = sys.excepthook


def tell_in_a_sentence(error: BaseException) -> None:
    """Let Python show only the words of this exception, should nobody catch it."""
    global _previous_hook  # noqa: PLW0603 - there is one hook in a process, and one that was there before it
    if sys.excepthook is not _hook:
        _previous_hook = sys.excepthook
        sys.excepthook = _hook
    _told_in_a_sentence[:] = [error]


def _hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if any(error is told for told in _told_in_a_sentence) and sys.stderr is not None:
        sys.stderr.write(f"flowdeck: {error}\n")
    else:
        _previous_hook(kind, error, traceback)
