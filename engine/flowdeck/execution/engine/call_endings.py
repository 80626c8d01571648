"""The ends of a task call that need no attempt: it is not started, not ready, or interrupted between two steps."""

from __future__ import annotations

import logging
from contextlib import suppress

from flowdeck.execution.calls.task_calls import TaskCall
from flowdeck.execution.drivers.drivers import Driver
from flowdeck.execution.logs.run_logs import call_line
from flowdeck.execution.recording.facts import TaskRunEnded, TaskRunNotReady
from flowdeck.execution.recording.failures import describe, state_of_error
from flowdeck.rules.exceptions import CancelledRun, UnfinishedRun
from flowdeck.rules.states import State, named


async def not_started(call: TaskCall, driver: Driver, reason: str) -> State:
    """End a call whose flow run ended, or is being cancelled, before its turn or that of its next attempt came."""
    state = named("Cancelled", reason, exception=CancelledRun(reason))
    if call.made:
        at = driver.clock.now_microseconds()
        await driver.record(call.run.recorder, TaskRunEnded(call.row.id, state, at, None))
    return state


async def not_ready(call: TaskCall, driver: Driver, needed: str, upstream: State) -> State:
    """End a call whose upstream did not complete: it does not run, and says which upstream that was."""
    message = f"It needs {needed}, which is {upstream.name}."
    error = UnfinishedRun(f"'{call.name}' did not run. {message}")
    error.__cause__ = upstream.exception
    state = named("NotReady", message, exception=error)
    at = driver.clock.now_microseconds()
    await driver.record(call.run.recorder, TaskRunNotReady(call.row, state, at, call.made))
    call_line(call, logging.WARNING, f"Not started: {message}")
    return state


def close_interrupted(call: TaskCall, driver: Driver, error: BaseException) -> None:
    """Close the row of a call that was interrupted before its end was recorded; else the flow's end does."""
    state = state_of_error(error)
    described = None if state.is_cancelled() else describe(error)
    ended = TaskRunEnded(call.row.id, state, driver.clock.now_microseconds(), described)
    with suppress(Exception):
        call.run.recorder.try_record(ended)
    call.run.has_interrupted_calls = True
