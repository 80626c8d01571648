"""Ctrl-Z does not stop a thread in the middle of a commit: every other process would wait for the lock that it holds.

The signal waits for the end of the commit, some microseconds. Another thread of the process may take it meanwhile, and
then all are stopped: this is for the usual script, whose one thread commits.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Final

_STOP: Final = frozenset({signal.SIGTSTP})
# Behind `signal.pthread_sigmask`, which makes a name of each number on its way and takes three times as long.
_set_mask: Final[Callable[[int, Iterable[int]], set[int]]] = import_module("_signal").pthread_sigmask


_holding: Final[set[int]] = set()
"""Threads in which the signal waits because of us, rather than by an author's wish."""


def hold() -> None:
    """Let the signal wait, in this thread."""
    thread = threading.get_ident()
    is_ours = thread in _holding
    _holding.add(thread)  # before the call: a handler of the author's may raise right behind it
    if signal.SIGTSTP in _set_mask(signal.SIG_BLOCK, _STOP) and not is_ours:
        _holding.discard(thread)


def release() -> None:
    """Let it stop the process again, now if it has come meanwhile; nothing happens if we do not hold it back."""
    thread = threading.get_ident()
    if thread in _holding:
        _set_mask(signal.SIG_UNBLOCK, _STOP)
        _holding.discard(thread)
