"""Submitted calls that wait for their next attempt: they hold no thread meanwhile, however many they are."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

Job = Callable[[], float | None]
"""A piece of work for a thread. Seconds: it is not over, and wants to be called again after so many."""


LONGEST_SLEEP_SECONDS: Final = 1.0
"""Where nobody can wake a sleeper, a pause is slept in pieces of this length, so that it can end sooner."""


class Pause:
    """Awaitable of a body: it is resumed after a time, or when all pauses of its run are ended."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        """Hand the seconds to whoever runs the body."""
        yield self._seconds


def job_of(body: Callable[[], Coroutine[Any, Any, None]]) -> Job:
    """Return a job that runs the coroutine of `body`, which may await `Pause` and nothing else."""
    begun: list[Coroutine[Any, Any, None]] = []

    def go_on() -> float | None:
        if not begun:
            begun.append(body())
        try:
            return begun[0].send(None)
        except StopIteration:
            return None

    return go_on


class RetryTimers:
    """Calls functions after a time, from one thread that lives while there is something to wait for."""

    def __init__(self, name: str) -> None:
        """Args: name: the name of the thread."""
        self._name: Final = name
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._lock = threading.Lock()  # entered by itself, see `task_runner.ThreadPool`
        self._changed = threading.Condition(self._lock)
        self._is_served = False
        self._has_ended = False

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        """Call `then` when the time has passed."""
        with self._lock:
            due_at = 0.0 if self._has_ended else time.monotonic() + seconds
            heapq.heappush(self._due, (due_at, next(self._number), then))
            if self._is_served:
                self._changed.notify()
                return
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
            self._is_served = True

    def end_all(self) -> None:
        """Call everything now, and from now on at once."""
        with self._lock:
            self._has_ended = True
            self._due = [(0.0, number, then) for _, number, then in self._due]
            heapq.heapify(self._due)
            self._changed.notify()

    def _serve(self) -> None:
        while (then := self._next()) is not None:
            then()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            while self._due:
                left_seconds = self._due[0][0] - time.monotonic()
                if left_seconds <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(left_seconds)
            self._is_served = False
            return None
