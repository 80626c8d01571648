"""The life of a task call, once, top to bottom, for every driver."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flowdeck.execution import context
from flowdeck.execution.arguments import resolve
from flowdeck.execution.context import FlowRunContext, TaskRunContext
from flowdeck.execution.drivers import Driver, Outcome
from flowdeck.execution.facts import TaskRunEnded, TaskRunNotReady, TaskRunStarted, TaskRunWaits
from flowdeck.execution.failures import describe
from flowdeck.execution.futures import TaskFuture
from flowdeck.execution.run_logs import engine_line
from flowdeck.rules.call_keys import input_key
from flowdeck.rules.exceptions import CancelledRun, UnfinishedRun
from flowdeck.rules.previews import preview
from flowdeck.rules.specs import TaskSpec
from flowdeck.rules.states import State, named
from flowdeck.store.run_facts import CALLS_PER_RUN
from flowdeck.store.task_runs import NewTaskRun

RUNNING: Final = named("Running")
STOPPED: Final = "Its flow run is being cancelled."
NOT_STARTED: Final = "Its flow run ended before this call began."


@dataclass(slots=True)
class TaskCall:
    """A call of a task: what to call with what, and the run that it belongs to."""

    spec: TaskSpec
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    needs: list[TaskFuture[Any]]
    """Futures among the arguments, and those that the author said to wait for."""
    run: FlowRunContext
    row: NewTaskRun
    name: str
    submitted: bool
    """Its row was made when it was submitted."""


def make_call(
    spec: TaskSpec,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    needs: list[TaskFuture[Any]],
    run: FlowRunContext,
    group: int | None = None,
    submitted: bool = False,
) -> TaskCall:
    """Give a call its number in the run."""
    task_run_id, index = run.number_call(spec.name)
    parent = context.task_run.get()
    tags = spec.tags | context.current_tags.get()
    row = NewTaskRun(
        id=task_run_id,
        flow_run_key=task_run_id // CALLS_PER_RUN,
        flow_attempt=run.attempt,
        incarnation=run.recorder.incarnation,
        task_name=spec.name,
        index=index,
        name=None,
        group=group,
        parent_id=None if parent is None else parent.task_run_id,
        task_key=spec.key,
        input_key=None,
        occurrence=0,
        upstream=json.dumps([future.task_run_id for future in needs]) if needs else None,
        tags=json.dumps(sorted(tags)) if tags else None,
    )
    return TaskCall(spec, function, args, kwargs, needs, run, row, f"{spec.name}-{index}", submitted)


async def run_task(call: TaskCall, driver: Driver) -> State:
    """Run a call to its end and return its final state; every change of state is recorded before it takes effect."""
    run, row, spec = call.run, call.row, call.spec
    now = driver.clock.now_microseconds
    if call.needs:
        await driver.wait(call.needs)
    if run.closing:
        return await _never_started(call, driver)
    if call.needs:
        failed = next((future for future in call.needs if not future.final_state().is_completed()), None)
        if failed is not None:
            return await _not_ready(call, driver, failed)
        call.args, call.kwargs = resolve(tuple(call.args)), resolve(dict(call.kwargs))
    row.input_key = input_key((*call.args, call.kwargs) if call.kwargs else call.args)
    row.occurrence = run.occurrence(row.parent_id, row.task_key, row.input_key)
    log_prints = run.log_prints if spec.log_prints is None else spec.log_prints
    task = TaskRunContext(row.id, spec.name, call.name, log_prints)
    worker = threading.current_thread().name
    state, made = RUNNING, call.submitted
    while True:
        if not await driver.record(run.recorder, TaskRunStarted(row, state, now(), task.attempt, worker, made)):
            return named("Cancelled", STOPPED, exception=CancelledRun(STOPPED))
        made = True
        token = context.task_run.set(task)
        try:
            outcome = await driver.call(call.function, call.args, call.kwargs)
        finally:
            context.task_run.reset(token)
        error = outcome.error
        delay_seconds = None
        if isinstance(error, Exception):
            delay_seconds = spec.retry.next_delay_seconds(task.attempt)
        if error is None or delay_seconds is None:
            return await _end(call, driver, outcome)
        await _await_retry(call, driver, task, error, delay_seconds)
        task.attempt += 1
        state = named("Retrying", f"Attempt {task.attempt} of {spec.retry.retries + 1}.")


async def _end(call: TaskCall, driver: Driver, outcome: Outcome) -> State:
    state = _final_state(outcome)
    error = None if outcome.error is None or state.is_cancelled() else describe(outcome.error)
    if error is not None:
        _say(call, logging.ERROR, f"{state.name}: {error.type}: {error.message}\n{error.traceback}")
        call.run.told = outcome.error
    at = driver.clock.now_microseconds()
    text = preview(outcome.value) if outcome.error is None else None
    await driver.record(call.run.recorder, TaskRunEnded(call.row.id, state, at, text, error))
    return state


def _final_state(outcome: Outcome) -> State:
    error = outcome.error
    if error is None:
        return named("Completed", data=outcome.value)
    if isinstance(error, Exception):
        return named("Failed", _sentence(error), exception=error)
    if isinstance(error, CancelledRun | KeyboardInterrupt) or type(error).__name__ == "CancelledError":
        return named("Cancelled", STOPPED, exception=error)
    return named("Crashed", _sentence(error), exception=error)


async def _await_retry(
    call: TaskCall, driver: Driver, task: TaskRunContext, error: BaseException, delay_seconds: float
) -> None:
    """Note the failed attempt and let the delay pass."""
    described = describe(error)
    attempts = call.spec.retry.retries + 1
    wait = f"in {delay_seconds:g} s" if delay_seconds else "at once"
    text = f"Attempt {task.attempt} of {attempts} failed: {described.type}: {described.message}. The next one {wait}."
    _say(call, logging.WARNING, text)
    if not delay_seconds:
        return
    at = driver.clock.now_microseconds()
    waiting = named("AwaitingRetry", f"Attempt {task.attempt + 1} of {attempts} {wait}. {_sentence(error)}")
    await driver.record(call.run.recorder, TaskRunWaits(call.row.id, waiting, at, described))
    await driver.sleep(delay_seconds)


async def _not_ready(call: TaskCall, driver: Driver, failed: TaskFuture[Any]) -> State:
    """A call whose upstream failed does not run, and says whose fault it was."""
    upstream = failed.final_state()
    message = f"It needs {failed.name}, which is {upstream.name}."
    error = UnfinishedRun(f"'{call.name}' did not run. {message}")
    error.__cause__ = upstream.exception
    state = named("NotReady", message, exception=error)
    at = driver.clock.now_microseconds()
    await driver.record(call.run.recorder, TaskRunNotReady(call.row, state, at, call.submitted))
    _say(call, logging.WARNING, f"Not started: {message}")
    return state


async def _never_started(call: TaskCall, driver: Driver) -> State:
    """Its flow ended before its turn came."""
    state = named("Cancelled", NOT_STARTED, exception=CancelledRun(NOT_STARTED))
    at = driver.clock.now_microseconds()
    await driver.record(call.run.recorder, TaskRunEnded(call.row.id, state, at, None, None))
    return state


def _say(call: TaskCall, level_number: int, text: str) -> None:
    """A line of the engine about a call."""
    token = context.task_run.set(TaskRunContext(call.row.id, call.spec.name, call.name, False))
    try:
        engine_line(call.run, level_number, text)
    finally:
        context.task_run.reset(token)


def _sentence(error: BaseException) -> str:
    text = str(error).split("\n", 1)[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
