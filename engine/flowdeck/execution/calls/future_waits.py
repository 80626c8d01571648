"""Waiting for several futures: for all of them, or for each as it ends."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar

from flowdeck.execution.calls.futures import TaskFuture
from flowdeck.execution.limits import interruptible_waits, slot_lending

T = TypeVar("T")


class DoneAndNotDone(NamedTuple, Generic[T]):
    """What `wait` returns."""

    done: set[TaskFuture[T]]
    not_done: set[TaskFuture[T]]


def wait(futures: Iterable[TaskFuture[T]], timeout: float | None = None) -> DoneAndNotDone[T]:
    """Wait until all futures are over, however they end.

    Args:
        futures: the futures of submitted calls.
        timeout: seconds to wait at most; None for as long as it takes.

    Returns:
        Those that are over and those that are not.
    """
    given = list(futures)
    deadline = None if timeout is None else time.monotonic() + timeout
    for future in given:
        future.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
    done = {future for future in given if future.is_done()}
    return DoneAndNotDone(done, set(given) - done)


def as_completed(futures: Iterable[TaskFuture[T]], timeout: float | None = None) -> Iterator[TaskFuture[T]]:
    """Give each future as soon as its call is over, each once.

    Args:
        futures: the futures of submitted calls.
        timeout: seconds for all of them together; None for as long as it takes.

    Raises:
        TimeoutError: some were not over in time.
    """
    given = list(dict.fromkeys(futures))
    ended: queue.SimpleQueue[TaskFuture[T]] = queue.SimpleQueue()
    for future in given:
        future.add_done_callback(ended.put)
    deadline = None if timeout is None else time.monotonic() + timeout
    for count in range(len(given)):
        yield _next(ended, deadline, len(given) - count, timeout)


def _next(ended: queue.SimpleQueue[Any], deadline: float | None, left: int, timeout: float | None) -> Any:
    if not ended.empty():
        return ended.get()
    found: list[Any] = []

    def sleep(timeout_seconds: float | None) -> bool:
        with suppress(queue.Empty):
            found.append(ended.get(timeout=timeout_seconds))
        return bool(found)

    with slot_lending.allowed():
        is_there = interruptible_waits.wait(sleep, None if deadline is None else max(0.0, deadline - time.monotonic()))
    if not is_there:
        raise TimeoutError(f"{left} task calls were not over after {timeout:g} s.")
    return found[0]
