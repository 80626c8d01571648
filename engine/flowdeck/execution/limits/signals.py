"""Signals during a run: a polite end is an exception in the main thread, so that `finally` blocks run."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any, Final

from flowdeck.rules.exceptions import CancelledRun

Interrupt = Callable[[BaseException], None]

SIGNALS_HEEDED: Final = 2
"""The first one lets calls that have begun come to an end, the second one does not."""


class AskedToEnd(CancelledRun):
    """Raised in the main thread of a run whose process was asked to end."""


def _asked_to_end() -> BaseException:
    return AskedToEnd("The process was asked to end (SIGTERM).")


_MEANING: Final[dict[int, Callable[[], BaseException]]] = {
    signal.SIGTERM: _asked_to_end,
    signal.SIGINT: KeyboardInterrupt,
}


@contextlib.contextmanager
def handled(interrupt: Interrupt, is_over: Callable[[], bool]) -> Generator[None]:
    """For the time of a root run: SIGTERM means CancelledRun, SIGINT KeyboardInterrupt.

    Handlers that the author has set stay. A second signal does the same, in whatever the first one has led to: a run
    that waits for its calls ends then at once. A third one finds Python's own behaviour again, and so does any in a
    process that the author forks: multiprocessing ends its workers with SIGTERM.

    Args:
        interrupt: the function that raises the exception in the run, not in the middle of a commit.
        is_over: the function that tells whether the run has its final state: then SIGTERM does nothing, as its
            hooks are at work.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous: dict[int, Any] = {}
    pid, asked = os.getpid(), 0

    def restore() -> None:
        while previous:
            number, handler = previous.popitem()
            signal.signal(number, handler)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if os.getpid() != pid:
            restore()
            os.kill(os.getpid(), number)
        elif number == signal.SIGINT or not is_over():
            asked += 1
            if asked == SIGNALS_HEEDED:
                restore()
            interrupt(_MEANING[number]())

    for number, default in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is default:
            previous[number] = signal.signal(number, on_signal)
    try:
        yield
    finally:
        restore()


class Interruption:
    """Brings a signal's exception into a coroutine: its task is cancelled, wherever it waits."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        """What the signal meant; None while there was none."""

    def of_current_task(self) -> Interrupt:
        """Return what `handled` calls for the task that calls this."""
        import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def interrupt(error: BaseException) -> None:
            self.error = error
            if task is not None:
                loop.call_soon_threadsafe(task.cancel, str(error) or "Interrupted at the keyboard.")

        return interrupt
