"""Whether a cancel that the calling code meets is its own run's, which ends it, or only the state of something else."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from flowdeck.execution.limits.signals import AskedToEnd
from flowdeck.rules.exceptions import CancelledResult, CancelledRun

goes_on: Final[ContextVar[Callable[[], bool] | None]] = ContextVar("flowdeck_goes_on", default=None)
"""Tells whether the current run may go on; None where no run is known."""


def seen_by_caller(error: BaseException) -> BaseException:
    """Return what a caller is to see of the exception of a call.

    The cancel of another run is an `Exception` that can be caught as such, as long as the caller's own run goes on.
    """
    if not isinstance(error, CancelledRun) or isinstance(error, Exception | AskedToEnd):
        return error  # a signal to this process means the caller too
    may_go_on = goes_on.get()
    if may_go_on is None or not may_go_on():
        return error
    seen = CancelledResult(*error.args)
    seen.__cause__ = error.__cause__
    return seen
