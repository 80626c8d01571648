"""Signals during a run: a polite end is an exception in the main thread, so that `finally` blocks run."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator
from types import FrameType
from typing import Any

from flowdeck.execution.recorder import Recorder
from flowdeck.rules.exceptions import CancelledRun


@contextlib.contextmanager
def handled(recorder: Recorder) -> Generator[None]:
    """For the time of a root run: SIGTERM raises CancelledRun, SIGINT KeyboardInterrupt, neither within a commit.

    Handlers that the author has set stay. A second signal finds Python's own behaviour again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous: dict[int, Any] = {}

    def restore() -> None:
        while previous:
            number, handler = previous.popitem()
            signal.signal(number, handler)

    def on_terminate(_number: int, _frame: FrameType | None) -> None:
        restore()
        recorder.interrupt(CancelledRun("The process was asked to end (SIGTERM)."))

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        restore()
        recorder.interrupt(KeyboardInterrupt())

    for number, handler, default in (
        (signal.SIGTERM, on_terminate, signal.SIG_DFL),
        (signal.SIGINT, on_interrupt, signal.default_int_handler),
    ):
        if signal.getsignal(number) is default:
            previous[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        restore()
