"""What is kept of an exception: its type, its words, and the part of its traceback that is the author's."""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType
from typing import Final

from flowdeck.store.run_facts import RunError

_OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_UNNAMED_MODULES: Final = frozenset({"builtins", "__main__"})
MAXIMUM_MESSAGE: Final = 4_000
MAXIMUM_TRACEBACK: Final = 32_000


def describe(error: BaseException) -> RunError:
    """Turn an exception into what is recorded. `file` and `line` are the innermost place in the author's own code."""
    own = without_our_frames(error.__traceback__)
    summary = traceback.extract_tb(own)
    place = _place(summary)
    if isinstance(error, SyntaxError) and error.filename:
        place = (error.filename, error.lineno)
    return RunError(
        type=_type_name(error),
        message=_cut(_message(error), MAXIMUM_MESSAGE),
        traceback=_cut(_text(error), MAXIMUM_TRACEBACK),
        file=place[0],
        line=place[1],
    )


def without_our_frames(tb: TracebackType | None) -> TracebackType | None:
    """Return a traceback less the frames of flowdeck that stand before the author's."""
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(_OURS):
        tb = tb.tb_next
    return tb


def trim(error: BaseException) -> BaseException:
    """Take our leading frames off an exception that goes on to the author, unless nothing would be left."""
    own = without_our_frames(error.__traceback__)
    return error if own is None else error.with_traceback(own)


def _text(error: BaseException) -> str:
    """Format like Python does, chained exceptions too, each less our frames."""
    lines: list[str] = []
    formatted = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    seen: traceback.TracebackException | None = formatted
    while seen is not None:
        seen.stack = traceback.StackSummary.from_list(
            [frame for frame in seen.stack if not frame.filename.startswith(_OURS)]
        )
        seen = seen.__cause__ or seen.__context__
    lines.extend(formatted.format())
    return "".join(lines).rstrip("\n")


def _place(summary: traceback.StackSummary) -> tuple[str | None, int | None]:
    """Prefer the innermost frame that is neither ours nor an installed library's."""
    frames = [frame for frame in summary if not frame.filename.startswith((_OURS, "<"))]
    own = [frame for frame in frames if not _is_library(frame.filename)]
    for chosen in (own, frames):
        if chosen:
            return chosen[-1].filename, chosen[-1].lineno
    return None, None


def _is_library(filename: str) -> bool:
    return "site-packages" in filename or filename.startswith((os.path.dirname(os.__file__), sys.base_prefix + os.sep))


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ in _UNNAMED_MODULES else f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the author's __str__ failed; its type still tells something
        return "(its message could not be made)"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + " … (cut)"
