"""Futures, by the names under which authors import them."""

from flowdeck.execution.futures import TaskFuture, TaskFutureList
from flowdeck.execution.waiting import DoneAndNotDone, as_completed, wait

__all__ = ["DoneAndNotDone", "TaskFuture", "TaskFutureList", "as_completed", "wait"]
