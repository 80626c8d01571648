"""Runs submitted calls at once, one after another, in the thread that submits them."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context
from typing import Any

from flowdeck.execution.calls.futures import TaskFuture
from flowdeck.execution.limits.retry_timers import LONGEST_SLEEP_SECONDS, Job
from flowdeck.execution.recording.awaitables import awaited
from flowdeck.execution.runners.task_runner import Body
from flowdeck.rules.clock import SYSTEM_CLOCK


class SequentialRunner:
    """A runner without workers."""

    executor = None
    """Functions are called where they are submitted."""
    runs_at_once = True

    def __init__(self) -> None:
        self._are_pauses_over = False

    def submit(self, job: Job, needs: Sequence[TaskFuture[Any]], context: Context) -> None:
        """Run `job` to its end, with its pauses."""
        _wait_for(needs)
        while (left_seconds := context.run(job)) is not None:
            while left_seconds > 0 and not self._are_pauses_over:
                SYSTEM_CLOCK.sleep(min(left_seconds, LONGEST_SLEEP_SECONDS))
                left_seconds -= LONGEST_SLEEP_SECONDS

    def submit_async(self, body: Body, needs: Sequence[TaskFuture[Any]], context: Context) -> None:
        """Run the coroutine of `body` to its end, on an event loop of its own."""
        _wait_for(needs)
        context.run(lambda: awaited(body()))

    def end_pauses(self) -> None:
        """See `TaskRunner`."""
        self._are_pauses_over = True

    def running(self) -> int:
        """See `TaskRunner`; whoever asks is not in a call."""
        return 0

    def cancel_async(self) -> None:
        """See `TaskRunner`; a call of this one is cancelled in the thread that runs the flow."""

    def close(self) -> None:
        """See `TaskRunner`."""


def _wait_for(needs: Sequence[TaskFuture[Any]]) -> None:
    for future in needs:  # of another flow run: this one's own are over
        future.wait()
