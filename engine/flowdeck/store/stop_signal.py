"""Ctrl-Z does not stop a thread in the middle of a commit: every other process would wait for the lock that it holds.

The signal waits for the end of the commit, some microseconds. Another thread of the process may take it meanwhile, and
then all are stopped: this is for the usual script, whose one thread commits.
"""

from __future__ import annotations

import signal
from typing import Final

_STOP: Final = frozenset({signal.SIGTSTP})


def hold() -> bool:
    """Let the signal wait, in this thread; False when it did so already."""
    return signal.SIGTSTP not in signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)


def release() -> None:
    """Let it stop the process again, now if it has come meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
