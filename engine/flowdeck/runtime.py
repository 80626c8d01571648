"""What is known of the current run, to be asked from anywhere in its code: `runtime.flow_run.name`.

Outside of runs each is None or empty. A test can set any of them in the environment, such as
`FLOWDECK__RUNTIME__FLOW_RUN__NAME`: text, a number, an RFC 3339 time, or JSON for parameters; tags with commas between.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from flowdeck.execution.calls import caching, context
from flowdeck.execution.calls.context import CalledTask, FlowRunContext
from flowdeck.rules.clock import to_datetime
from flowdeck.rules.exceptions import UsageError

__all__ = ["deployment", "flow_run", "task_run"]

Parse = Callable[[str], Any]
Fact = tuple[Callable[[], Any], Parse]


class RuntimeValues:
    """Facts as attributes; looked up anew each time."""

    def __init__(self, subject: str, facts: Mapping[str, Fact]) -> None:
        self._subject = subject
        self._facts = facts

    def __getattr__(self, name: str) -> Any:
        fact = self._facts.get(name)
        if fact is None:
            raise AttributeError(f"runtime.{self._subject} has no '{name}'; it has {', '.join(self._facts)}.")
        look, parse = fact
        variable = f"FLOWDECK__RUNTIME__{self._subject}__{name}".upper()
        text = os.environ.get(variable)
        if text is None:
            return look()
        try:
            return parse(text)
        except ValueError as error:
            raise UsageError(f"Environment variable {variable}: '{text}' cannot be used: {error}.") from None

    def __dir__(self) -> list[str]:
        return list(self._facts)

    def __repr__(self) -> str:
        return f"<flowdeck.runtime.{self._subject}: {', '.join(self._facts)}>"


def _of_run(look: Callable[[FlowRunContext], Any], otherwise: Any = None) -> Callable[[], Any]:
    def of_current() -> Any:
        run = context.flow_run.get()
        return otherwise if run is None else look(run)

    return of_current


def _of_task(look: Callable[[context.TaskRunContext], Any], otherwise: Any = None) -> Callable[[], Any]:
    def of_current() -> Any:
        task = context.task_run.get()
        return otherwise if task is None else look(task)

    return of_current


def _parameters_of(call: CalledTask | None) -> dict[str, Any]:
    return {} if call is None else caching.arguments_by_name(call.function, call.args, call.kwargs)


def _tags_of(call: CalledTask | None) -> list[str]:
    return [] if call is None or call.row.tags is None else json.loads(call.row.tags)


def _no_parameters() -> dict[str, Any]:
    return {}


def _nothing() -> None:
    return None


def _tags(text: str) -> list[str]:
    return [tag.strip() for tag in text.split(",") if tag.strip()]


def _scheduled(run: FlowRunContext) -> datetime | None:
    return None if run.identity.scheduled_at is None else to_datetime(run.identity.scheduled_at)


def _flow_run_parameters() -> dict[str, Any]:
    run = context.flow_run.get()
    return {} if run is None else dict(run.parameters)


def _flow_run_tags() -> list[str]:
    run = context.flow_run.get()
    return [] if run is None else sorted(run.identity.tags)


def _task_run_parameters() -> dict[str, Any]:
    task = context.task_run.get()
    return {} if task is None else _parameters_of(task.call)


def _task_run_tags() -> list[str]:
    task = context.task_run.get()
    return [] if task is None else _tags_of(task.call)


flow_run: Final = RuntimeValues(
    "flow_run",
    {
        "id": (_of_run(lambda run: run.identity.id), str),
        "name": (_of_run(lambda run: run.identity.name), str),
        "flow_name": (_of_run(lambda run: run.identity.flow_name), str),
        "flow_version": (_of_run(lambda run: run.identity.flow_version), str),
        "parameters": (_flow_run_parameters, json.loads),
        "tags": (_flow_run_tags, _tags),
        "scheduled_start_time": (_of_run(_scheduled), datetime.fromisoformat),
        "run_count": (_of_run(lambda run: run.identity.attempt, 0), int),
        "parent_flow_run_id": (_of_run(lambda run: run.identity.parent_run_id), str),
        "root_flow_run_id": (_of_run(lambda run: run.identity.root_run_id), str),
    },
)
"""The current flow run; in a task, that which the task belongs to."""

task_run: Final = RuntimeValues(
    "task_run",
    {
        "id": (_of_task(lambda task: task.task_run_id), int),
        "name": (_of_task(lambda task: task.name), str),
        "task_name": (_of_task(lambda task: task.task_name), str),
        "parameters": (_task_run_parameters, json.loads),
        "tags": (_task_run_tags, _tags),
        "run_count": (_of_task(lambda task: task.attempt, 0), int),
    },
)
"""The current task run."""

deployment: Final = RuntimeValues(
    "deployment",
    {
        "id": (_nothing, str),
        "name": (_nothing, str),
        "version": (_nothing, str),
        "parameters": (_no_parameters, json.loads),
        "flow_run_id": (_of_run(lambda run: run.identity.id), str),
    },
)
"""The deployment that the current run is of: no run is, so far, and all but the run's id can only be set for a test."""
