"""TaskFuture: what `.submit()` and `.map()` give at once, and what a call has become once it is over."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from flowdeck.execution import blocking
from flowdeck.execution.failures import trim
from flowdeck.execution.loggers import RUN_LOGGER
from flowdeck.rules.exceptions import CancelledRun, CrashedRun, FailedRun, UnfinishedRun
from flowdeck.rules.states import State, named

T = TypeVar("T")

_PENDING = named("Pending")
_lock = threading.Lock()
"""One lock for all futures: it is held for a few instructions, and a lock of its own would cost each future more."""


class TaskFuture(Generic[T]):
    """A submitted task call.

    Asking for its result, its exception or its state once it is over makes the author answerable for a failure; one
    that nobody asks for fails the flow.
    """

    __slots__ = ("_callbacks", "_state", "asked", "name", "task_run_id")

    def __init__(self, task_run_id: int, name: str) -> None:
        self.task_run_id = task_run_id
        self.name = name
        self.asked = False
        self._state: State = _PENDING
        self._callbacks: list[Callable[[TaskFuture[T]], None]] = []

    @property
    def state(self) -> State:
        """State as it now is."""
        if self._state.is_final():
            self.asked = True
        return self._state

    def is_done(self) -> bool:
        """Tell whether the call is over."""
        return self._state.is_final()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the call to be over; False when `timeout` seconds were not enough."""
        if self._state.is_final():
            return True
        over = threading.Event()
        self.add_done_callback(lambda _: over.set())
        with blocking.allowed():
            return over.wait(timeout)

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> T:
        """Wait for the call and return its value.

        Args:
            timeout: seconds to wait at most; None for as long as it takes.
            raise_on_failure: raise what the call raised; otherwise return the exception.

        Raises:
            TimeoutError: the call was not over in time.
            UnfinishedRun: it never started, since what it needs failed.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"Task run '{self.name}' was not over after {timeout} s.")
        self.asked = True
        return result_of(self._state, self.name, raise_on_failure)

    def add_done_callback(self, callback: Callable[[TaskFuture[T]], None]) -> None:
        """Call `callback` with this future once it is over (at once if it is), in whichever thread ends it."""
        with _lock:
            if not self._state.is_final():
                self._callbacks.append(callback)
                return
        self._call(callback)

    def settle(self, state: State) -> None:
        """Give the call its last state. For task runners."""
        with _lock:
            self._state = state
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self._call(callback)

    def _call(self, callback: Callable[[TaskFuture[T]], None]) -> None:
        try:
            callback(self)
        except Exception:  # noqa: BLE001 - told in the log
            # An author's, in a thread of ours: the other callbacks, and who waits, must not suffer from it.
            RUN_LOGGER.exception("A callback of %s failed.", self.name)

    def final_state(self) -> State:
        """Return the state without making the author answerable for it. For the engine."""
        return self._state

    def __repr__(self) -> str:
        return f"TaskFuture({self.name!r}, {self._state.name})"


class TaskFutureList(list[TaskFuture[T]], Generic[T]):
    """The futures of one `.map()` call, in the order of its items."""

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> list[T]:
        """Wait for all items and return their values in order; the first that failed raises."""
        return [future.result(timeout, raise_on_failure) for future in self]

    def wait(self, timeout: float | None = None) -> None:
        """Wait for all items, however they end; `timeout` seconds are for each."""
        for future in self:
            future.wait(timeout)

    def states(self) -> Iterator[State]:
        """Give the states in order, as they now are."""
        return (future.state for future in self)


def result_of(state: State, name: str, raise_on_failure: bool = True) -> Any:
    """Return the value of a state, or raise (or return) what it failed of."""
    if state.is_completed():
        return state.data
    error = state.exception or _missing(state, name)
    if raise_on_failure:
        raise error
    return error


def _missing(state: State, name: str) -> BaseException:
    detail = f": {state.message}" if state.message else "."
    if state.is_failed():
        return FailedRun(f"'{name}' failed{detail}")
    if state.is_crashed():
        return CrashedRun(f"'{name}' crashed{detail}")
    if state.is_cancelled():
        return CancelledRun(f"'{name}' was cancelled{detail}")
    return UnfinishedRun(f"'{name}' has no result, it is {state.name}{detail}")


def value_of(state: State, name: str, return_state: bool) -> Any:
    """Return what a call gives its caller: its value, its state if that was asked for, or raise what it raised."""
    error = state.exception
    if return_state and not _ends_the_caller(error):
        return state
    if state.is_completed():
        return state.data
    if error is not None:
        raise trim(error)
    return result_of(state, name)


def _ends_the_caller(error: BaseException | None) -> bool:
    """Tell whether an exception is meant for more than the call: a cancel, a keyboard interrupt."""
    return isinstance(error, KeyboardInterrupt | CancelledRun) or type(error).__name__ == "CancelledError"


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it when this process was forked
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
