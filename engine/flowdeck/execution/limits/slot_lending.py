"""Slot lending: a worker that waits for another call frees its slot meanwhile, so that nested waits cannot deadlock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncGenerator, Generator
from contextvars import ContextVar
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary


class Pool(Protocol):
    """A pool that can lend a waiting worker's slot to another."""

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


def current_pool() -> Pool | None:
    """Return the pool whose worker the calling thread is; None for any other thread."""
    return getattr(_current, "pool", None)


def is_worker_of(pool: Pool) -> bool:
    """Tell whether the calling thread works for `pool`."""
    return getattr(_current, "pool", None) is pool


class Loop(Protocol):
    """An event loop that can lend the slot of a coroutine that pauses to another."""

    def lend_slot(self, task: Any) -> None:
        """The coroutine of this task begins to pause."""
        ...

    async def take_slot_back(self, task: Any) -> None:
        """It has paused; return once there is a slot for it."""
        ...


_loops: Final[WeakKeyDictionary[Any, Loop]] = WeakKeyDictionary()
"""By the event loop's task: whose slot it has."""


def has_slot(task: Any, loop: Loop) -> None:
    """Register that the coroutine of a task holds one of the slots of `loop`."""
    _loops[task] = loop


@contextlib.asynccontextmanager
async def slot_lent(task: Any) -> AsyncGenerator[None]:
    """Wrap a pause of the coroutine that is this task: when it has a slot, another one may work meanwhile."""
    loop = _loops.get(task)
    if loop is None:
        yield
        return
    loop.lend_slot(task)
    yield
    await loop.take_slot_back(task)


@contextlib.contextmanager
def allowed() -> Generator[None]:
    """Wrap a wait: when the calling thread is a worker, another one may work meanwhile."""
    pool = current_pool()
    if pool is None:
        yield
        return
    pool.lend()
    try:
        yield
    finally:
        pool.take_back()
