"""The process in which the functions of attempts are called, for a flow that asked for processes.

It is started by `execution.worker`, and does what it is told over descriptor 3: one attempt after another, in its main
thread. It records nothing by itself. When the flow's process is gone, it kills itself and what it has started.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import signal
import socket
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from flowdeck.execution.calls import context
from flowdeck.execution.calls.arguments import Inputs
from flowdeck.execution.calls.context import TaskRunContext
from flowdeck.execution.calls.task_calls import TaskCall
from flowdeck.execution.drivers.drivers import AsyncDriver, SyncDriver, finish
from flowdeck.execution.logs import extra_loggers
from flowdeck.execution.logs.run_logs import capture_prints, set_level
from flowdeck.execution.recording.failures import describe, sentence
from flowdeck.execution.recording.outcome import Outcome
from flowdeck.execution.runners.run_runners import RunRunners
from flowdeck.execution.transactions.task_transactions import values_set
from flowdeck.execution.workers.frames import Line, Part
from flowdeck.execution.workers.stream_recorder import StreamedRun
from flowdeck.execution.workers.transfer import reason
from flowdeck.execution.workers.worker_messages import LINE_DESCRIPTOR, AttemptOrder, Ended, Hello, Leave, Message
from flowdeck.host.standard_streams import show_lines_at_once
from flowdeck.host.worker_line import WorkerLine
from flowdeck.host.worker_values import WorkerValues
from flowdeck.rules.states import State

_SYNC = SyncDriver()
_ASYNC = AsyncDriver()


def main() -> None:
    """Do what the flow's process says until it says no more."""
    _hold_signals()
    show_lines_at_once()
    capture_prints()
    inbox: queue.SimpleQueue[tuple[Message, list[Part]]] = queue.SimpleQueue()
    line = WorkerLine(Line(socket.socket(fileno=LINE_DESCRIPTOR)), LINE_DESCRIPTOR, inbox.put)
    line.start()
    hello, initializer = inbox.get()
    assert isinstance(hello, Hello)
    worker = _AttemptCaller(line, WorkerValues(hello))
    line.values = worker.values
    set_level(logging.getLevelName(hello.logging_level))
    extra_loggers.attach(hello.extra_loggers)
    refusal = worker.initialize(initializer)
    while True:
        message, value = inbox.get()
        if isinstance(message, Leave):
            return
        assert isinstance(message, AttemptOrder)
        ended, result = worker.attempt(message, value) if refusal is None else (Ended(None, refusal, []), [])
        line.send(ended, result)


class _AttemptCaller:
    """Calls functions."""

    def __init__(self, line: WorkerLine, values: WorkerValues) -> None:
        self.values = values
        self._line = line

    def initialize(self, initializer: Sequence[Part]) -> str | None:
        """Call the author's initializer, if there is one; return a sentence if it failed."""
        if not initializer:
            return None
        try:
            function, arguments = self.values.loads_order(initializer)
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - the author's
            told = describe(error)
            location = "" if told.line is None else f" ({told.file}, line {told.line})"
            return f"The initializer of its worker process failed: {sentence(error)}{location}"
        return None

    def attempt(self, order: AttemptOrder, value: Sequence[Part]) -> tuple[Ended, list[Part]]:
        """Call the function of an attempt."""
        try:
            task, args, kwargs = self.values.loads_order(value)
        except Exception as error:  # noqa: BLE001 - of pickle, or of the author's module
            return Ended(None, f"Its function or its arguments cannot be read in a process: {reason(error)}", []), []
        run = StreamedRun(order.run, self._line.ask, self._line.interrupt, RunRunners())
        here = contextvars.Context()
        name = order.task_run.name
        call = TaskCall(task, task.spec, task.fn, args, kwargs, [], Inputs([], False), run, order.row, name, True)
        here.run(_enter, run, order, call)
        outcome = here.run(_called, task, args, kwargs)
        finish(_SYNC.wait(run.submitted))
        run.runners.close()
        if outcome.error is not None:
            return self._raised(outcome.error, run)
        try:
            return Ended(None, None, _unasked(run)), self.values.dumps((outcome.value, here.run(values_set)))
        except Exception as error:  # noqa: BLE001 - of pickle, or of the author's class
            refusal = f"Its result cannot be sent back from its process: {reason(error)}"
            return Ended(None, refusal, _unasked(run)), []

    def _raised(self, error: BaseException, run: StreamedRun) -> tuple[Ended, list[Part]]:
        ended = Ended(describe(error), None, _unasked(run))
        try:
            value = self.values.dumps(error)
            # Many exceptions can be pickled, but not made again: their class wants other arguments.
            return ended, value if type(self.values.loads(value)) is type(error) else []
        except Exception:  # noqa: BLE001 - of pickle, or of the author's class: its description tells the rest
            return ended, []


def _enter(run: StreamedRun, order: AttemptOrder, call: TaskCall) -> None:
    told = order.task_run
    task_run = TaskRunContext(call.row.id, call.row.task_name, told.name, told.log_prints, told.call_key)
    task_run.attempt, task_run.started_at, task_run.call = told.attempt, told.started_at, call
    context.flow_run.set(run)
    context.task_run.set(task_run)
    context.current_tags.set(order.tags)


def _called(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Outcome:
    if not task.is_async:
        return finish(_SYNC.call(task.fn, args, kwargs))
    import asyncio  # noqa: PLC0415 - only tasks that are async pay its 40 ms

    return asyncio.run(_ASYNC.call(task.fn, args, kwargs))


def _unasked(run: StreamedRun) -> list[tuple[int, str, str, str, str | None]]:
    failed: list[tuple[int, str, str, str, str | None]] = []
    for future in run.submitted:
        state: State = future.final_state()
        if not state.is_completed() and not future.asked:
            failed.append((future.task_run_id, future.name, state.type.value, state.name, state.message))
    return failed


def _hold_signals() -> None:
    """Leave it to the flow's process what Ctrl-C and a polite end of all processes mean; it ends its workers.

    Handlers rather than ignoring: what an author's function starts finds the usual behaviour.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))


def _ignore(number: int, frame: FrameType | None) -> None:
    del number, frame
