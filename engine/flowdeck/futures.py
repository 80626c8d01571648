"""Futures, by the names under which authors import them."""

from flowdeck.execution.calls.future_waits import DoneAndNotDone, as_completed, wait
from flowdeck.execution.calls.futures import TaskFuture, TaskFutureList

__all__ = ["DoneAndNotDone", "TaskFuture", "TaskFutureList", "as_completed", "wait"]
