"""What runs the submitted calls of a flow run, as its author asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdeck.execution.runners.sequential_runner import SequentialRunner
from flowdeck.execution.runners.task_runner import TaskRunner
from flowdeck.rules.options.task_runners import ProcessPoolTaskRunner, SequentialTaskRunner, TaskRunnerOption

if TYPE_CHECKING:
    from flowdeck.execution.calls.context import FlowRunContext

Runner = TaskRunner | SequentialRunner


def runner_of(option: TaskRunnerOption, run: FlowRunContext) -> Runner:
    """Make the runner of a flow run; it starts neither thread nor process yet.

    Args:
        option: the task runner that the author asked for.
        run: the flow run whose calls it runs.
    """
    if isinstance(option, SequentialTaskRunner):
        return SequentialRunner()
    if not isinstance(option, ProcessPoolTaskRunner):
        return TaskRunner(option.max_workers or run.settings.max_workers, run.identity.name)
    from flowdeck.execution.workers.workers import WorkerProcesses, processors  # noqa: PLC0415 - loads socket, for the few that need it

    return TaskRunner(option.max_workers or processors(), run.identity.name, WorkerProcesses(run, option))
