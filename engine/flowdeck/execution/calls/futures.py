"""TaskFuture: what `.submit()` and `.map()` give at once, and what a call has become once it is over."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, Generic, TypeVar

from flowdeck.execution.limits import cancellation, interruptible_waits, slot_lending
from flowdeck.execution.recording.failures import trim
from flowdeck.execution.recording.loggers import RUN_LOGGER
from flowdeck.rules.exceptions import CancelledRun
from flowdeck.rules.states import State, exception_of, named, result_of

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
        with slot_lending.allowed():
            return interruptible_waits.wait(over.wait, timeout)

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> T:
        """Wait for the call and return its value.

        Args:
            timeout: seconds to wait at most; None for as long as it takes.
            raise_on_failure: True to raise what the call raised; False to return the exception.

        Raises:
            TimeoutError: the call was not over in time.
            UnfinishedRun: it never started, since what it needs failed.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"Task run '{self.name}' was not over after {timeout} s.")
        self.asked = True
        try:
            return result_of(self._state, f"'{self.name}'", raise_on_failure)
        except CancelledRun as error:
            raise cancellation.seen_by_caller(error) from None

    def get_state(self) -> State:
        """Return the state as it now is, by the name that users of Prefect know."""
        return self.state

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the call and return what it raised; None when it completed. Raises TimeoutError like `result`."""
        value: Any = self.result(timeout, raise_on_failure=False)
        return None if self._state.is_completed() else value

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait for the call without stopping the event loop, and return its value."""
        import asyncio  # noqa: PLC0415 - loaded by whoever awaits

        if not self.is_done():
            loop = asyncio.get_running_loop()
            over = asyncio.Event()

            def wake(_: Any) -> None:
                with contextlib.suppress(RuntimeError):  # who waited gave up, and the loop is closed
                    loop.call_soon_threadsafe(over.set)

            self.add_done_callback(wake)
            yield from over.wait().__await__()
        return self.result()

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
            if self._state.is_final():
                return  # it was given up, and ended after that
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
        """Wait for all items and return their values in order; the first that failed raises, and answers for all.

        Args:
            timeout: seconds for all of them together; None for as long as it takes.
            raise_on_failure: True to raise what an item raised; False to have its exception in the list.

        Raises:
            TimeoutError: an item was not over in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        values: list[T] = []
        for future in self:
            try:
                values.append(future.result(_left(deadline), raise_on_failure))
            except BaseException:
                if future.is_done():  # else it was only not over in time
                    self._ask_for_all()
                raise
        return values

    def _ask_for_all(self) -> None:
        """Note that all were asked for: who catches the first failure has handled the others, seen or not."""
        for future in self:
            future.asked = True

    def wait(self, timeout: float | None = None) -> None:
        """Wait for all items, however they end; `timeout` seconds at most for all of them together."""
        deadline = None if timeout is None else time.monotonic() + timeout
        for future in self:
            future.wait(_left(deadline))

    def states(self) -> Iterator[State]:
        """Give the states in order, as they now are."""
        return (future.state for future in self)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def value_of(state: State, name: str, return_state: bool) -> Any:
    """Return what a call gives its caller: its value, its state if that was asked for, or raise what it raised."""
    error = exception_of(state)
    if error is not None:
        error = cancellation.seen_by_caller(error)
    if return_state and not _ends_the_caller(error):
        return state
    if state.is_completed():
        return state.data
    if error is not None:
        raise trim(error)
    return result_of(state, f"'{name}'")


def _ends_the_caller(error: BaseException | None) -> bool:
    """Tell whether an exception is meant for more than the call: a cancel, a keyboard interrupt."""
    if isinstance(error, CancelledRun):
        return not isinstance(error, Exception)
    return isinstance(error, KeyboardInterrupt) or type(error).__name__ == "CancelledError"


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it when this process was forked
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
