"""Signals to a run host, as a descriptor that its loop waits for."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType


class Signals:
    """Signals to this process, as something that `poll` can wait for. SIGHUP is none of its business."""

    def __init__(self) -> None:
        self.descriptor, write = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(write, False)
        self._asked_to_end = False
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_end)

    def drain(self) -> None:
        """Take what waits in the descriptor."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.descriptor, 512)

    def take_end(self) -> bool:
        """Tell whether somebody asked for the end since this was last asked."""
        asked, self._asked_to_end = self._asked_to_end, False
        return asked

    def _ask_to_end(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_end = True
