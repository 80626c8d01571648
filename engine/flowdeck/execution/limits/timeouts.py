"""How long an attempt may take, and what becomes of one that takes longer.

An attempt that is out of time is over at once for everybody else: its state is TimedOut and its run goes on. What its
code still does, in a thread that cannot be interrupted, is of no consequence: calls that it makes are refused, and
what it returns is dropped. Code of an attempt finds its limit in a context variable, so also in the threads and
coroutines of ours that it has started.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import Context, ContextVar
from typing import Any, Final

from flowdeck.execution.recording.generator_results import collected
from flowdeck.rules.clock import SYSTEM_CLOCK, Clock
from flowdeck.rules.exceptions import CancelledRun

Interrupt = Callable[[BaseException], None]


class TimeLimit:
    """The time limit of one attempt of a call or a flow run."""

    __slots__ = (
        "_callbacks",
        "_clock",
        "_lock",
        "interrupt",
        "is_over",
        "parent",
        "started",
        "timeout_seconds",
        "what",
    )

    def __init__(self, timeout_seconds: float, what: str, interrupt: Interrupt, clock: Clock = SYSTEM_CLOCK) -> None:
        """Let the time begin.

        Args:
            timeout_seconds: the time that the attempt may take, in seconds.
            what: the run that the attempt is of, such as `Task run 'load-0'`.
            interrupt: the function that raises an exception in the main thread, not in the middle of a commit.
            clock: the clock to measure by.
        """
        self.timeout_seconds = timeout_seconds
        self.what = what
        self.interrupt = interrupt
        self.parent = current.get()
        """The limit that this one lies within."""
        self.is_over = False
        """The attempt has been given up: whatever its code still does counts for nothing."""
        self._clock = clock
        self.started = clock.monotonic_seconds()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def deadline(self) -> float:
        """When the time is up, in monotonic seconds."""
        return self.started + self.timeout_seconds

    def seconds_left(self) -> float:
        """Return how much time is left; 0 when none is."""
        return max(0.0, self.deadline - self._clock.monotonic_seconds())

    @contextmanager
    def when_over(self, callback: Callable[[], None]) -> Generator[None]:
        """Have `callback` called, from whichever thread, should the attempt be given up inside of the block.

        For what can be ended from outside: a process, a coroutine of another event loop. It must not raise.
        """
        with self._lock:
            called_for = not self.is_over
            if called_for:
                self._callbacks.append(callback)
        if not called_for:
            callback()
        try:
            yield
        finally:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)

    def give_up(self) -> None:
        """Give the attempt up, and call the callbacks of `when_over`."""
        with self._lock:
            self.is_over = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def error(self, remark: str = "") -> TimeoutError:
        """Return the exception of an attempt that took too long.

        Args:
            remark: a sentence about what its code still does.
        """
        said = f"{self.what} exceeded timeout of {float(self.timeout_seconds)} second(s)."
        return TimeoutError(f"{said} {remark}" if remark else said)


class TimeLimitReached(CancelledRun):
    """Raised in the code of an attempt whose time is up. The attempt itself then fails with a TimeoutError."""

    def __init__(self, limit: TimeLimit) -> None:
        super().__init__(f"{limit.what} exceeded timeout of {float(limit.timeout_seconds)} second(s).")
        self.limit = limit


current: Final[ContextVar[TimeLimit | None]] = ContextVar("flowdeck_time_limit", default=None)
"""The innermost time limit that the current code is under."""


def limit_of(timeout_seconds: float | None, what: Callable[[], str], interrupt: Interrupt) -> TimeLimit | None:
    """Return the limit of an attempt that begins now; None when its author asked for none."""
    return None if timeout_seconds is None else TimeLimit(timeout_seconds, what(), interrupt)


def given_up() -> TimeLimit | None:
    """Return the limit by which the current code was given up; None when what it does still counts."""
    limit = current.get()
    while limit is not None and not limit.is_over:
        limit = limit.parent
    return limit


def check_not_given_up() -> None:
    """Refuse what code that was given up asks for.

    Raises:
        CancelledRun: its attempt was given up.
    """
    limit = given_up()
    if limit is not None:
        raise CancelledRun(f"{limit.what} has timed out, so that it may not call anything any more.")


def cancel_when_over(context: Context, task: Any) -> None:
    """Have a task of an event loop cancelled when the limit under which it was started is given up."""
    limit = context.run(current.get)
    if limit is None:
        return
    loop = task.get_loop()

    def cancel() -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(task.cancel)

    block = ExitStack()
    block.enter_context(limit.when_over(cancel))

    def close(_: Any) -> None:
        block.close()

    task.add_done_callback(close)


def run_under(limit: TimeLimit, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call a function whose code finds its limit in `current`."""
    token = current.set(limit)
    try:
        return collected(function(*args, **kwargs))
    finally:
        current.reset(token)
