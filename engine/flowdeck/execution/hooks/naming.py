"""Runs named by their authors: `flow_run_name` and `task_run_name`. A name that cannot be used is a warning."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from flowdeck.execution.calls import caching, context
from flowdeck.execution.calls.context import FlowRunContext, TaskRunContext
from flowdeck.execution.hooks import run_views
from flowdeck.execution.hooks.hooks import is_from_outside
from flowdeck.execution.logs.run_logs import engine_line
from flowdeck.execution.recording.facts import FlowRunNamed
from flowdeck.execution.recording.failures import sentence
from flowdeck.rules.exceptions import UsageError
from flowdeck.rules.runs.run_names import filled, is_drawn
from flowdeck.rules.states import State, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowdeck.execution.calls.task_calls import TaskCall
    from flowdeck.execution.drivers.drivers import Driver
    from flowdeck.rules.options.specs import FlowSpec

_RUNNING = named("Running")


async def name_flow_run(run: FlowRunContext, spec: FlowSpec, driver: Driver) -> None:
    """Name a run whose name nobody has chosen, in its first attempt or by hand, and record that."""
    if not is_drawn(run.identity.name):
        return
    values = {"flow_run": run_views.of_flow_run(run, _RUNNING)}
    name = _name_of("flow_run_name", spec.run_name, run.parameters, values, run)
    if name is not None:
        run.rename(name)
        await driver.record(run.recorder, FlowRunNamed(name))


def name_task_run(call: TaskCall, state: State = _RUNNING) -> None:
    """Name a call whose arguments are known."""
    run = call.run
    task = TaskRunContext(call.row.id, call.spec.name, call.name, False)
    task.call = call
    token = context.task_run.set(task)
    try:
        values = {"flow_run": run_views.of_flow_run(run, state), "task_run": run_views.of_task_call(call, task, state)}
        parameters = caching.arguments_by_name(call.function, call.args, call.kwargs)
        name = _name_of("task_run_name", call.spec.run_name, parameters, values, run)
    finally:
        context.task_run.reset(token)
    if name is not None:
        call.name = call.row.name = name


def _name_of(
    option: str, template: Any, parameters: Mapping[str, Any], values: Mapping[str, Any], run: FlowRunContext
) -> str | None:
    try:
        return filled(template, parameters, values)
    except UsageError as error:
        problem = str(error)
    except BaseException as error:
        if is_from_outside(error):
            raise
        problem = f"it failed, {sentence(error)}"
    engine_line(run, logging.WARNING, f"{option} cannot be used, so that the run keeps its default name: {problem}.")
    return None
