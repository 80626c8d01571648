"""Time limits of what runs in the main thread: one timer of the system, whose signal raises in the author's code.

Limits lie within each other, and so do the calls here. An author's own handler of the signal, and a timer that the
author has set, are as they were when the outermost call is over; meanwhile that timer still finds that handler.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, Final

from flowdeck.execution.limits.timeouts import TimeLimit, TimeLimitReached, run_under
from flowdeck.execution.recording.outcome import Outcome

REPEAT_SECONDS: Final = 5.0
"""Code that caught the exception and went on meets it again after this time."""
_AT_ONCE_SECONDS: Final = 0.000_1
"""A timer of 0 would be none."""


class _Alarm:
    """One limit that the timer serves."""

    __slots__ = ("at", "has_rung", "is_armed", "limit")

    def __init__(self, limit: TimeLimit) -> None:
        self.limit = limit
        self.at = limit.deadline
        self.has_rung = False
        self.is_armed = True


class _Author:
    """What the author had made of the signal and its timer."""

    __slots__ = ("at", "handler", "interval_seconds")

    def __init__(self) -> None:
        self.handler: Any = None
        self.at: float | None = None
        self.interval_seconds = 0.0


_armed: Final[list[_Alarm]] = []
"""Outermost first. Only the main thread touches it."""
_author: Final = _Author()


def can_ring() -> bool:
    """Tell whether the signal may be ours: a handler that is not Python's could not be put back."""
    return signal.getsignal(signal.SIGALRM) is not None


def call(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], limit: TimeLimit) -> Outcome:
    """Call a function in the main thread, and interrupt it when its time is up."""
    alarm = _Alarm(limit)
    outcome = Outcome()
    try:
        try:
            _arm(alarm)
            outcome = Outcome(run_under(limit, function, args, kwargs))
        except BaseException as error:  # noqa: BLE001 - the body decides what each kind means
            outcome = Outcome(None, error)
        alarm.is_armed = False
    except TimeLimitReached as reached:  # it rang between two of the lines above
        alarm.is_armed = False
        outcome = Outcome(None, reached)
    finally:
        _disarm(alarm)
    if not alarm.has_rung and limit.seconds_left() > 0:
        return outcome
    if isinstance(outcome.error, TimeLimitReached) and outcome.error.limit is not limit:
        return outcome  # a limit around this one was reached: that one decides
    limit.give_up()
    # Its traceback is that of the interruption: there the author's code was when its time was up.
    interrupted = None if outcome.error is None else outcome.error.__traceback__
    return Outcome(None, limit.error().with_traceback(interrupted), timed_out=True)


def _arm(alarm: _Alarm) -> None:
    if not _armed:
        _author.handler = signal.signal(signal.SIGALRM, _on_alarm)
        delay_seconds, _author.interval_seconds = signal.setitimer(signal.ITIMER_REAL, 0)
        _author.at = time.monotonic() + delay_seconds if delay_seconds else None
    _armed.append(alarm)
    _set_timer()


def _disarm(alarm: _Alarm) -> None:
    if alarm in _armed:  # limits within it were interrupted, if they are still there
        del _armed[_armed.index(alarm) :]
    if signal.getsignal(signal.SIGALRM) is not _on_alarm:
        return  # the author has put another one in its place, and means it
    if _armed:
        _set_timer()
        return
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, _author.handler)
    if _author.at is not None:
        signal.setitimer(signal.ITIMER_REAL, _until(_author.at), _author.interval_seconds)


def _set_timer() -> None:
    """Let the timer ring for whoever is next."""
    moments = [alarm.at for alarm in _armed]
    if _author.at is not None:
        moments.append(_author.at)
    signal.setitimer(signal.ITIMER_REAL, _until(min(moments)))


def _until(moment: float) -> float:
    return max(moment - time.monotonic(), _AT_ONCE_SECONDS)


def _on_alarm(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    is_the_authors = _author.at is not None and _author.at <= now
    if is_the_authors:
        _author.at = now + _author.interval_seconds if _author.interval_seconds else None
    due = next((alarm for alarm in _armed if alarm.is_armed and alarm.at <= now), None)
    if due is not None:
        due.at, due.has_rung = now + REPEAT_SECONDS, True
    if _armed:
        _set_timer()
    if is_the_authors:
        _ring_for_author(number, frame)
    if due is not None:
        due.limit.interrupt(TimeLimitReached(due.limit))


def _ring_for_author(number: int, frame: FrameType | None) -> None:
    if callable(_author.handler):
        _author.handler(number, frame)
    elif _author.handler == signal.SIG_DFL:  # the author has set a timer that shall end the process
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
