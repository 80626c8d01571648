"""The flow run and the task run of the current code: context variables, inherited by threads and coroutines of ours."""

from __future__ import annotations

import bisect
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Final, Protocol

from flowdeck.execution.limits import timeouts
from flowdeck.execution.recording.replay import Replay
from flowdeck.execution.recording.value_origins import LargeValues
from flowdeck.rules.exceptions import MissingContextError

if TYPE_CHECKING:
    from flowdeck.execution.calls.futures import TaskFuture
    from flowdeck.execution.recording.recorder import Recorder
    from flowdeck.execution.recording.run_identity import RunIdentity, RunSettings
    from flowdeck.store.calls.task_runs import NewTaskRun

describing = False
"""True while a flow file is imported only to be described: flows and tasks called then do not run."""

module_level_calls: Final[list[tuple[str, str, int]]] = []
"""What was called while describing: (name of the flow or task, file, line)."""

module_call_ends_import = False
"""True while a worker process imports the script: its import ends at the first flow or task that it calls."""

flow_files: Final[dict[str, str]] = {}
"""Flow files that were imported under names by which Python would not find them: their paths by name."""


class ModuleCallReached(BaseException):
    """Ends the import of a script: what follows is what the script does when it is run."""

    def __init__(self, call: tuple[str, str, int]) -> None:
        super().__init__()
        self.call = call


class CallRunners(Protocol):
    """What runs the submitted calls of a flow run, as far as the run has to do with it; see `runners.run_runners`."""

    def end_pauses(self) -> None:
        """Let calls that wait for their next attempt see that there will be none."""
        ...

    def running(self) -> int:
        """Count the submitted calls that have begun and are not over."""
        ...

    def end(self) -> None:
        """End the processes in which calls run and cancel coroutines: the run is being cancelled."""
        ...

    def close(self) -> None:
        """Let threads and processes end, as far as there are any; those that are needed after that are made anew."""
        ...


class FlowRunContext:
    """A flow run as its own process sees it."""

    def __init__(
        self,
        identity: RunIdentity,
        settings: RunSettings,
        recorder: Recorder,
        runners: CallRunners,
        parameters: dict[str, Any],
        replay: Replay | None = None,
    ) -> None:
        """See the attributes.

        Attributes:
            identity: who the run is; replaced when it is renamed or begins another attempt.
            settings: how it runs.
            recorder: keeps this run's facts.
            runners: run its submitted calls.
            parameters: bound and coerced.
            replay: what earlier attempts have recorded; read from the recorder's results unless given.
            suspended: calls and subflows that are generators and have items left to give.
            submitted: futures of submitted calls, in order.
            warned: what the author was warned of, so that it is said once.
            logged_error: the exception whose traceback the log has last.
            started_at: when this attempt began, in microseconds; None before.
            is_over: its end has been recorded.
            large_values: which recorded calls made them.
            closing: the flow's body failed or was cancelled: calls that have not begun do not begin any more.
            has_interrupted_calls: a call was interrupted before its end was recorded, so that its row may be open.
        """
        self.identity = identity
        self.settings = settings
        self.recorder = recorder
        self.runners = runners
        self.parameters = parameters
        self.suspended: set[int | str] = set()
        self.submitted: list[TaskFuture[Any]] = []
        self.warned: set[str] = set()
        self.replay = Replay(recorder.results, identity.attempt) if replay is None else replay
        self.large_values = LargeValues()
        self.closing = False
        self.has_interrupted_calls = False
        self.logged_error: BaseException | None = None
        self.started_at: int | None = None
        self.is_over = False
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._next_number: int | None = None
        self._groups = 0
        self._indices: dict[str, int] = {}
        self._occurrences: dict[tuple[int | None, str, bytes], int] = {}
        self._given_back: dict[tuple[int | None, str, bytes], list[int]] = {}

    def rename(self, name: str) -> None:
        """Give the run the name that its author made for it."""
        self.identity = self.identity._replace(name=name)

    def is_forked_copy(self) -> bool:
        """Tell whether this process was forked from the run's: the run is recorded there, not here."""
        return os.getpid() != self._pid

    def number_call(self, task_name: str) -> tuple[int, int]:
        """Allocate a call id, and the index of the call among those of its task.

        Raises:
            MissingContextError: in a forked process.
            CancelledRun: the calling code has timed out.
        """
        if self.is_forked_copy():
            raise MissingContextError(
                f"Task '{task_name}' was called in a process that was forked from that of its flow run, where calls "
                f"cannot be recorded. Call {task_name}.fn(...) there, or a flow."
            )
        timeouts.check_not_given_up()
        with self._lock:
            if self._next_number is None:
                # Numbers of earlier attempts are used; a first attempt has none.
                self._next_number = self.recorder.last_call_number() + 1 if self.identity.attempt > 1 else 1
            number = self._next_number
            self._next_number += 1
            index = self._indices.get(task_name, 0)
            self._indices[task_name] = index + 1
        return self.identity.first_task_id + number, index

    def number_group(self) -> int:
        """Allocate the number of a `.map()` call, from 1."""
        with self._lock:
            self._groups += 1
            return self._groups

    def occurrence(self, parent_id: int | None, task_key: str, input_key: bytes) -> int:
        """Return the occurrence index (from 0) of a call among those with the same parent, task and inputs."""
        call = (parent_id, task_key, input_key)
        with self._lock:
            if self._given_back and (free := self._given_back.get(call)):
                return free.pop(0)
            count = self._occurrences.get(call, 0)
            self._occurrences[call] = count + 1
        return count

    def give_back(self, call: tuple[int | None, str, bytes, int]) -> None:
        """Free the occurrence index of an undone call for the next one with the same parent, task and inputs."""
        with self._lock:
            bisect.insort(self._given_back.setdefault(call[:3], []), call[3])

    def close_calls(self, error: BaseException | None = None) -> None:
        """Let no call begin any more, nor another attempt of one.

        Args:
            error: the exception that the flow ended with; None for none. A cancel also ends the processes in which
                calls run, and cancels asynchronous calls.
        """
        self.closing = True
        self.runners.end_pauses()
        if error is not None and not isinstance(error, Exception):
            self.runners.end()

    def give_up_calls(self) -> None:
        """Abandon submitted calls that do not end; their rows are closed with the attempt."""
        self.has_interrupted_calls = True
        self.runners.close()

    def start_attempt(self, attempt: int) -> None:
        """Reset the counters of the last attempt, and read what it recorded; numbers of calls go on."""
        self.runners.close()
        self.replay.start_attempt(attempt)
        with self._lock:
            self.identity = self.identity._replace(attempt=attempt)
            self._indices.clear()
            self._occurrences.clear()
            self._given_back.clear()
            self._groups = 0
            self.submitted.clear()
            self.closing = False


class CalledTask(Protocol):
    """A task call, as far as code that runs in it may ask for it; see `task_calls.TaskCall`."""

    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    row: NewTaskRun


class ValuesOfTransaction(Protocol):
    """The transaction of an attempt, as far as values are set in it; see `task_transactions.TaskTransaction`."""

    values: dict[str, Any]


class TaskRunContext:
    """A task call as its own thread sees it."""

    __slots__ = (
        "attempt", "call", "call_key", "log_prints", "name", "started_at", "task_name", "task_run_id", "transaction",
    )  # fmt: skip

    def __init__(self, task_run_id: int, task_name: str, name: str, log_prints: bool, call_key: bytes = b"") -> None:
        self.task_run_id = task_run_id
        self.task_name = task_name
        self.name = name
        self.log_prints = log_prints
        self.call_key = call_key
        self.attempt = 1
        self.started_at: int | None = None
        self.transaction: ValuesOfTransaction | None = None
        self.call: CalledTask | None = None
        """None where the call itself is in another process."""


flow_run: ContextVar[FlowRunContext | None] = ContextVar("flowdeck_flow_run", default=None)
task_run: ContextVar[TaskRunContext | None] = ContextVar("flowdeck_task_run", default=None)
current_tags: ContextVar[frozenset[str]] = ContextVar("flowdeck_tags", default=frozenset())


def leave(variable: ContextVar[Any], token: Token[Any]) -> None:
    """Give a context variable its former value; a coroutine that is thrown away may be so in another context."""
    with suppress(ValueError):
        variable.reset(token)


def report_module_call(name: str) -> None:
    """Note that a flow or task was called while its file was being described."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage] - the same as inspect.currentframe, 10 ms sooner
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("flowdeck."):
        frame = frame.f_back
    call = (name, frame.f_code.co_filename, frame.f_lineno)
    if module_call_ends_import:
        raise ModuleCallReached(call)
    module_level_calls.append(call)
