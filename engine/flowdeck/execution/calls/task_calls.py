"""A call of a task: what to call with what, its row, its attempts, and who calls the function if not this thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flowdeck.execution.calls import context
from flowdeck.execution.calls.arguments import Inputs
from flowdeck.execution.calls.context import FlowRunContext, TaskRunContext
from flowdeck.execution.calls.futures import TaskFuture
from flowdeck.execution.limits.timeouts import TimeLimit
from flowdeck.execution.recording.outcome import Outcome
from flowdeck.rules.options.specs import TaskSpec
from flowdeck.store.calls.task_runs import CacheNote, NewTaskRun
from flowdeck.store.run_values import CALLS_PER_RUN


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
    executor: CallExecutor | None = None
    """Calls its function; None for the thread that runs the call."""
    cache: CacheNote | None = None
    """Where its result is to be found later; None for a task that is not cached."""


@dataclass(eq=False, slots=True)
class Attempt:
    """One attempt of a task call."""

    call: TaskCall
    """Whose function is to be called."""
    task_run: TaskRunContext
    tags: frozenset[str]
    """That calls made by the function get."""


class CallExecutor(Protocol):
    """Calls the functions of attempts elsewhere than in the thread that runs the call. Thread-safe.

    The engine body stays with the flow's process whatever the executor: it records, retries, caches and keeps results.
    Each of the threads that use an executor gives it one attempt at a time.
    """

    def call(self, attempt: Attempt, limit: TimeLimit | None) -> Outcome:
        """Call the function to its end, or until its time is up; whatever goes wrong is an outcome."""
        ...

    def stop(self, attempt: Attempt) -> None:
        """End the function of an attempt that `call` waits for, whatever it does."""
        ...

    def end(self) -> None:
        """End all of them: the run is being cancelled. Later ones do not begin."""
        ...

    def close(self) -> None:
        """Let go of what calls functions; called when all calls are over."""
        ...


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
        flow_attempt=run.identity.attempt,
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
