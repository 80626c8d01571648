"""Waits of the main thread that a signal ends for certain.

Python runs a signal's handler between two steps of the main thread. A signal that comes when that thread is just about
to sleep on a lock does not wake it again, however long the wait is. So the main thread sleeps in slices.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

SLICE_SECONDS: Final = 0.5


def wait(sleep: Callable[[float | None], bool], timeout_seconds: float | None) -> bool:
    """Wait until `sleep` says that what is waited for is there; False when the time was not enough.

    Args:
        sleep: waits for this many seconds at most, or without end for None; True once it is there.
        timeout_seconds: the longest wait; None for no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        return sleep(timeout_seconds)
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        left_seconds = SLICE_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
        if sleep(min(left_seconds, SLICE_SECONDS)):
            return True
        if deadline is not None and time.monotonic() >= deadline:
            return False
