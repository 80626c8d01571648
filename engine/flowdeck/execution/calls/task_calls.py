"""A call of a task: what to call with what, and its row; and the few ways to end it that need no attempt."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowdeck.execution.calls import context
from flowdeck.execution.calls.arguments import Inputs
from flowdeck.execution.calls.context import FlowRunContext, TaskRunContext
from flowdeck.execution.calls.futures import TaskFuture
from flowdeck.execution.drivers.drivers import Driver
from flowdeck.execution.logs.run_logs import engine_line
from flowdeck.execution.recording.facts import TaskRunEnded
from flowdeck.rules.exceptions import CancelledRun
from flowdeck.rules.options.specs import TaskSpec
from flowdeck.rules.states import State, named
from flowdeck.store.calls.task_runs import CacheNote, NewTaskRun
from flowdeck.store.run_values import CALLS_PER_RUN

if TYPE_CHECKING:
    from flowdeck.execution.calls.call_executors import Workplace


@dataclass(slots=True)
class TaskCall:
    """A call of a task: what to call with what, and the run that it belongs to."""

    task: Any
    """What the decorator made, for hooks."""
    spec: TaskSpec
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    needs: list[TaskFuture[Any]]
    """Futures among the arguments, and those that the author said to wait for."""
    inputs: Inputs
    """What there is among the arguments besides plain values."""
    run: FlowRunContext
    row: NewTaskRun
    name: str
    made: bool
    """Its row is there: it was submitted, or has begun."""
    place: Workplace | None = None
    """Where its function is called; None for the thread that runs the call."""
    cache: CacheNote | None = None
    """Where its result is to be found later; None for a task that is not cached."""


def make_call(
    task: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    inputs: Inputs,
    run: FlowRunContext,
    group: int | None = None,
    submitted: bool = False,
) -> TaskCall:
    """Give a call of a task its number in the run."""
    spec: TaskSpec = task.spec
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
        upstream=json.dumps([future.task_run_id for future in inputs.futures]) if inputs.futures else None,
        tags=json.dumps(sorted(tags)) if tags else None,
    )
    name = f"{spec.name}-{index}"
    return TaskCall(task, spec, task.fn, args, kwargs, inputs.futures, inputs, run, row, name, submitted)


async def not_started(call: TaskCall, driver: Driver, reason: str) -> State:
    """Its flow run ended, or is being cancelled, before its turn (or that of its next attempt) came."""
    state = named("Cancelled", reason, exception=CancelledRun(reason))
    if call.made:
        at = driver.clock.now_microseconds()
        await driver.record(call.run.recorder, TaskRunEnded(call.row.id, state, at, None))
    return state


def say(call: TaskCall, level_number: int, text: str) -> None:
    """A line of the engine about a call."""
    token = context.task_run.set(TaskRunContext(call.row.id, call.spec.name, call.name, False))
    try:
        engine_line(call.run, level_number, text)
    finally:
        context.task_run.reset(token)
