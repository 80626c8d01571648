"""Worker processes of a flow run, which call the functions of its attempts.

A worker is started, never forked, and lives for one flow run: it calls the function of one attempt after another (of
one only, for `own_process`), and asks our side for all that concerns the run. It has a process group of its own, so
that Ctrl-C reaches the flow alone, and that what it started is killed with it. It leaves when the flow's process is
gone.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final

from flowdeck.execution.calls.futures import TaskFuture
from flowdeck.execution.limits import timeouts
from flowdeck.execution.recording.failures import RaisedElsewhere
from flowdeck.execution.recording.outcome import Outcome
from flowdeck.execution.workers import transfer
from flowdeck.execution.workers.frames import Part
from flowdeck.execution.workers.stream_answers import StreamAnswers
from flowdeck.execution.workers.stream_recorder import run_of_attempt
from flowdeck.execution.workers.worker import Ending, WorkerProcess
from flowdeck.execution.workers.worker_messages import AttemptOrder, Ended, Hello, TaskRunOfAttempt, hello_of
from flowdeck.rules.exceptions import CancelledRun, FailedRun, WorkerError
from flowdeck.rules.options.task_runners import ProcessPoolTaskRunner
from flowdeck.rules.states import State, StateType
from flowdeck.store.run_values import RunError

if TYPE_CHECKING:
    from flowdeck.execution.calls.context import FlowRunContext
    from flowdeck.execution.calls.task_calls import Attempt
    from flowdeck.execution.limits.timeouts import TimeLimit

_ENDED: Final = "Its process was ended, since its flow run was."
_NO_OPTIONS: Final = ProcessPoolTaskRunner()


class WorkerProcesses:
    """The worker processes of one flow run: a `CallExecutor`."""

    def __init__(
        self, run: FlowRunContext, options: ProcessPoolTaskRunner = _NO_OPTIONS, *, once_only: bool = False
    ) -> None:
        """Start nothing yet.

        Args:
            run: the flow run that they work for.
            options: the options with their initializer; their number is up to the threads that call.
            once_only: whether each is for one attempt.
        """
        self._run = run
        self._options = options
        self._once_only = once_only
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._leaving: list[WorkerProcess] = []
        self._busy: dict[Attempt, WorkerProcess] = {}
        self._is_ended = False
        """The run is being cancelled."""
        self._is_closed = False

    def call(self, attempt: Attempt, limit: TimeLimit | None) -> Outcome:
        """See `CallExecutor`."""
        try:
            order = transfer.dumps((attempt.call.task, attempt.call.args, attempt.call.kwargs))
        except Exception as error:  # noqa: BLE001 - of pickle, or of the author's class
            return _failed(f"Its function or its arguments cannot be sent to a process: {transfer.reason(error)}")
        try:
            worker = self._take(attempt)
        except BaseException as error:  # noqa: BLE001 - none can be started; or an interrupt
            return Outcome(None, error)
        with ExitStack() as around:
            outer = timeouts.current.get() if limit is None else limit.parent
            while outer is not None:
                around.enter_context(outer.when_over(worker.kill))
                outer = outer.parent
            try:
                return self._converse(worker, attempt, order, limit)
            finally:
                self._put_back(worker, attempt)

    def stop(self, attempt: Attempt) -> None:
        """See `CallExecutor`."""
        with self._lock:
            worker = self._busy.get(attempt)
        if worker is not None:
            worker.kill()

    def end(self) -> None:
        """See `CallExecutor`."""
        with self._lock:
            self._is_ended = True
            busy = list(self._busy.values())
        for worker in busy:
            worker.kill()

    def close(self) -> None:
        """See `CallExecutor`."""
        if self._run.is_forked_copy():
            return  # they are the original's
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
            leaving, self._leaving = self._leaving, []
        for worker in idle:
            worker.send_away()
        for worker in [*idle, *leaving]:
            worker.see_off()

    def _converse(self, worker: WorkerProcess, attempt: Attempt, order: list[Part], limit: TimeLimit | None) -> Outcome:
        task_run = attempt.task_run
        told = TaskRunOfAttempt(
            task_run.name, task_run.log_prints, task_run.call_key, task_run.attempt, task_run.started_at
        )
        message = AttemptOrder(run_of_attempt(self._run), told, attempt.call.row, attempt.tags)
        try:
            ended, value = worker.converse(message, order, None if limit is None else limit.seconds_left)
        except Ending as ending:
            self._run.has_interrupted_calls = True  # calls that its function made may be open
            return self._outcome_of_death(worker, ending, limit)
        except BaseException as error:  # noqa: BLE001 - an interrupt: the rest of the frame is lost, and the worker with it
            worker.kill()
            self._run.has_interrupted_calls = True
            return Outcome(None, error)
        return self._outcome(ended, value, attempt)

    def _outcome_of_death(self, worker: WorkerProcess, ending: Ending, limit: TimeLimit | None) -> Outcome:
        if ending.timed_out and limit is not None:
            limit.give_up()
            worker.kill()
            return Outcome(None, limit.error("Its process was killed."), timed_out=True)
        if self._is_ended:
            return Outcome(None, CancelledRun(_ENDED))
        return _failed(worker.how_it_ended())

    def _outcome(self, ended: Ended, value: list[Part], attempt: Attempt) -> Outcome:
        for task_run_id, name, state_type, state_name, message in ended.unasked:
            future = TaskFuture[Any](task_run_id, name)
            error = FailedRun(f"'{name}': {message or state_name}")
            future.settle(State(StateType(state_type), state_name, message, exception=error))
            self._run.submitted.append(future)
        if ended.refusal is not None:
            return _failed(ended.refusal)
        if ended.error is not None:
            return Outcome(None, _raised(ended.error, value))
        try:
            result, values = transfer.loads(value)
        except Exception as error:  # noqa: BLE001 - of pickle, or of the author's class
            return _failed(f"Its result came back from its process, but cannot be read: {transfer.reason(error)}")
        if attempt.task_run.transaction is not None:
            attempt.task_run.transaction.values.update(values)
        return Outcome(result)

    def _take(self, attempt: Attempt) -> WorkerProcess:
        with self._lock:
            if self._is_ended:
                raise CancelledRun(_ENDED)
            gone = [worker for worker in self._leaving if worker.is_gone()]
            self._leaving = [worker for worker in self._leaving if worker not in gone]
            worker = self._idle.pop() if self._idle else None
            if worker is not None and not worker.is_there():  # killed while it had nothing to do
                self._leaving.append(worker)
                worker = None
        for one in gone:
            one.see_off()
        if worker is None:
            worker = WorkerProcess(StreamAnswers(self._run), *self._hello())
        with self._lock:
            self._busy[attempt] = worker
            is_ended = self._is_ended
        if is_ended:
            worker.kill()
        return worker

    def _put_back(self, worker: WorkerProcess, attempt: Attempt) -> None:
        with self._lock:
            self._busy.pop(attempt, None)
            if worker.is_fit and not self._once_only and not self._is_ended:
                self._idle.append(worker)
                return
            self._leaving.append(worker)
        worker.send_away()
        if self._is_closed:  # its attempt was given up, and the run did not wait for it
            self.close()

    def _hello(self) -> tuple[Hello, list[Part]]:
        initializer = self._options.initializer
        if initializer is None:
            return hello_of(), []
        try:
            return hello_of(), transfer.dumps((initializer, self._options.initargs))
        except Exception as error:  # noqa: BLE001 - of pickle, or of the author's class
            said = f"The initializer of its worker cannot be sent to a process: {transfer.reason(error)}"
            raise WorkerError(said) from None


def _failed(reason: str) -> Outcome:
    return Outcome(None, WorkerError(reason if reason.endswith(".") else f"{reason}."))


def _raised(described: RunError, value: list[Part]) -> BaseException:
    """Return what a function raised; when the exception itself cannot travel, one that says so."""
    error: Any = None
    if value:
        with suppress(Exception):
            error = transfer.loads(value)
    if not isinstance(error, BaseException):
        told = f"{described.type}: {described.message}"
        error = WorkerError(f"{told} (the exception itself could not come back from its process)")
    error.__cause__ = RaisedElsewhere(described)
    return error


def processors() -> int:
    """Return how many processors this process may use."""
    with suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
