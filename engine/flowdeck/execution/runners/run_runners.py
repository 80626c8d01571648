"""The runners and the worker processes of one flow run: made when first needed, ended with it."""

from __future__ import annotations

import threading

from flowdeck.execution.calls.context import FlowRunContext
from flowdeck.execution.calls.task_calls import CallExecutor
from flowdeck.execution.runners.runners import Runner, runner_of
from flowdeck.rules.options.task_runners import THREADS, TaskRunnerOption


class RunRunners:
    """Owns what runs the submitted calls of one flow run. Thread-safe."""

    def __init__(self, option: TaskRunnerOption = THREADS) -> None:
        """Make nothing yet.

        Args:
            option: the task runner that the flow's author asked for.
        """
        self._option = option
        self._lock = threading.Lock()
        self._runner: Runner | None = None
        self._own_workers: CallExecutor | None = None

    def task_runner(self, run: FlowRunContext) -> Runner:
        """Return what runs the submitted calls of the run."""
        with self._lock:
            if self._runner is None:
                self._runner = runner_of(self._option, run)
            return self._runner

    def own_workers(self, run: FlowRunContext) -> CallExecutor:
        """Return what calls the functions of tasks whose every attempt has a process of its own."""
        with self._lock:
            if self._own_workers is None:
                from flowdeck.execution.workers.workers import WorkerProcesses  # noqa: PLC0415 - loads socket, for the few that need it

                self._own_workers = WorkerProcesses(run, once_only=True)
            return self._own_workers

    def end_pauses(self) -> None:
        """See `context.CallRunners`."""
        if self._runner is not None:
            self._runner.end_pauses()

    def running(self) -> int:
        """See `context.CallRunners`."""
        return 0 if self._runner is None else self._runner.running()

    def end(self) -> None:
        """See `context.CallRunners`."""
        if self._runner is not None:
            self._runner.cancel_async()
        for executor in (self._runner and self._runner.executor, self._own_workers):
            if executor is not None:
                executor.end()

    def close(self) -> None:
        """See `context.CallRunners`."""
        with self._lock:
            runner, self._runner = self._runner, None
            own_workers, self._own_workers = self._own_workers, None
        if runner is not None:
            runner.close()
        if own_workers is not None:
            own_workers.close()


def runners_of(run: FlowRunContext) -> RunRunners:
    """Return the runners of a flow run."""
    assert isinstance(run.runners, RunRunners)  # whoever starts a run gives it these
    return run.runners
