"""What is recorded of an exception: its type, its message, the author's part of its traceback, and its state."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import replace
from types import TracebackType
from typing import Final

from flowdeck.rules.exceptions import CancelledRun
from flowdeck.rules.states import State, named
from flowdeck.store.run_values import RunError

_OURS: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_UNNAMED_MODULES: Final = frozenset({"builtins", "__main__", "__mp_main__"})
MAXIMUM_MESSAGE: Final = 4_000
MAXIMUM_TRACEBACK: Final = 32_000


class RaisedElsewhere(Exception):  # noqa: N818 - not an error of its own, but where one came from
    """The cause of an exception that was raised in another process: what is left of its traceback."""

    def __init__(self, described: RunError) -> None:
        super().__init__(described)
        self.described = described

    def __str__(self) -> str:
        return f"in another process\n{self.described.traceback}"


def describe(error: BaseException) -> RunError:
    """Turn an exception into what is recorded. `file` and `line` are the innermost in the author's own code."""
    own = without_our_frames(error.__traceback__)
    if isinstance(error.__cause__, RaisedElsewhere):
        there = error.__cause__.described
        return there if own is None else replace(there, traceback=_cut_middle(_text(error), MAXIMUM_TRACEBACK))
    summary = traceback.extract_tb(own)
    location = _location(summary)
    if isinstance(error, SyntaxError) and error.filename:
        location = (error.filename, error.lineno)
    return RunError(
        type=_type_name(error),
        message=_cut(_message(error), MAXIMUM_MESSAGE),
        traceback=_cut_middle(_text(error), MAXIMUM_TRACEBACK),
        file=None if location[0] is None else storable(location[0]),
        line=location[1],
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


def sentence(error: BaseException) -> str:
    """Return type and first line of an exception."""
    text = _message(error).split("\n", 1)[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def storable(text: str) -> str:
    """Return a text that is valid UTF-8: a file name that is not carries lone surrogates into messages."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


_OF_ANOTHER_LOOP: Final = (
    " (A Lock, Event or Queue of asyncio belongs to one event loop, and submitted tasks may run in another one than "
    "the flow. Make it inside the task, or await the task in place of submitting it.)"
)


def state_of_error(error: BaseException) -> State:
    """Return the state that an exception of an author's function stands for."""
    if isinstance(error, CancelledRun):
        return named("Cancelled", _message(error) or None, exception=error)
    if isinstance(error, Exception):
        hint = _OF_ANOTHER_LOOP if type(error) is RuntimeError and "different event loop" in _message(error) else ""
        return named("Failed", sentence(error) + hint, exception=error)
    if isinstance(error, KeyboardInterrupt):
        return named("Cancelled", "Interrupted at the keyboard.", exception=error)
    if type(error).__name__ == "CancelledError":  # asyncio's, which need not be loaded
        return named("Cancelled", _message(error) or "Its coroutine was cancelled.", exception=error)
    if isinstance(error, GeneratorExit):
        return named("Cancelled", "Its coroutine was thrown away before its end.", exception=error)
    if isinstance(error, SystemExit):
        code = repr(error.code) if isinstance(error.code, int | str | None) else "…"
        return named("Crashed", storable(f"sys.exit({code}) was called."), exception=error)
    return named("Crashed", sentence(error), exception=error)


def _text(error: BaseException) -> str:
    """Format like Python does, chained and grouped exceptions too, each less our frames."""
    try:
        formatted = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
        _strip(formatted)
        return storable("".join(formatted.format()).rstrip("\n"))
    except Exception:  # noqa: BLE001 - the author's class gets in the way; type and message tell the rest
        return "(its traceback could not be made)"


def _strip(formatted: traceback.TracebackException) -> None:
    left = [formatted]
    while left:
        seen = left.pop()
        seen.stack = traceback.StackSummary.from_list(
            [frame for frame in seen.stack if not frame.filename.startswith(_OURS)]
        )
        left.extend(chained for chained in (seen.__cause__, seen.__context__) if chained is not None)
        left.extend(getattr(seen, "exceptions", None) or ())


def _location(summary: traceback.StackSummary) -> tuple[str | None, int | None]:
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
        return storable(str(error))
    except Exception:  # noqa: BLE001 - the author's __str__ failed; its type still tells something
        return "(its message could not be made)"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + " … (cut)"


def _cut_middle(text: str, length: int) -> str:
    """Keep both ends of a traceback: where it began, and where it was raised."""
    if len(text) <= length:
        return text
    return f"{text[: length // 2]}\n  … (cut) …\n{text[-length // 2 :]}"
