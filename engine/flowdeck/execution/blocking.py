"""A worker thread that waits for another call holds no place among the workers, so nested waits cannot deadlock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from contextvars import ContextVar
from typing import Protocol


class Pool(Protocol):
    """A pool that can lend a waiting worker's place to another."""

    def lend(self) -> None:
        """A worker begins to wait."""
        ...

    def take_back(self) -> None:
        """It has waited."""
        ...


_current = threading.local()

loop_depth: ContextVar[int] = ContextVar("flowdeck_loop_depth", default=0)
"""How many submitted asynchronous calls the current code is inside of; 0 for a flow's own code."""


def enter(pool: Pool) -> None:
    """Say that the calling thread is a worker of `pool` from now on."""
    _current.pool = pool


def is_worker_of(pool: Pool) -> bool:
    """Tell whether the calling thread works for `pool`."""
    return getattr(_current, "pool", None) is pool


@contextlib.contextmanager
def allowed() -> Generator[None]:
    """Wrap a wait: when the calling thread is a worker, another one may work meanwhile."""
    pool: Pool | None = getattr(_current, "pool", None)
    if pool is None:
        yield
        return
    pool.lend()
    try:
        yield
    finally:
        pool.take_back()
