"""Where a run's facts go. In flowdeck's own environment that is the store; a stream to our side elsewhere."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from flowdeck.execution.facts import (
    Fact,
    FlowRunChanged,
    TaskRunEnded,
    TaskRunNotReady,
    TaskRunsMade,
    TaskRunStarted,
    TaskRunWaits,
)
from flowdeck.rules.exceptions import StoreError
from flowdeck.rules.resource_use import ResourceUse
from flowdeck.rules.states import TERMINAL, StateType, named
from flowdeck.store import flow_runs, task_runs
from flowdeck.store.database import Busy, Database, Operation
from flowdeck.store.flow_runs import NewFlowRun
from flowdeck.store.log_writer import LogWriter
from flowdeck.store.run_facts import CALLS_PER_RUN, error_to_json
from flowdeck.store.sqlite import Connection

COUNTS_INTERVAL_SECONDS: Final = 0.5
"""Counts of warnings and errors go to the store with the next fact, and at most this often by themselves."""

WARNING: Final = 30

PENDING: Final = named("Pending")
LEFT_OVER: Final = "Its flow run ended before it did."


class Recorder(Protocol):
    """Keeps the facts of one flow run, in order. Thread-safe."""

    run_id: str
    first_task_id: int
    """Number 0 of the run's calls; a call's id is this plus its number."""
    incarnation: int

    def record(self, fact: Fact) -> bool:
        """Keep a fact; return once it is safe from any kill. False: the run is not ours to change any more."""
        ...

    def try_record(self, fact: Fact) -> bool:
        """Like `record`, but raise `Busy` rather than wait for another process: for event loops."""
        ...

    def log(
        self, at: int, level_number: int, source: str, task_number: int | None, task_name: str | None, text: str
    ) -> None:
        """Append a record to the run's log; return once it is safe from any kill."""
        ...

    def start_subflow(self, new: NewFlowRun, *, patient: bool) -> Recorder | None:
        """Make a flow run below this one; None when this run may not start anything any more.

        Args:
            new: the run.
            patient: wait for another process; otherwise raise `Busy` rather than that.
        """
        ...

    def last_call_number(self) -> int:
        """Return the highest call number used so far, over all attempts."""
        ...

    def may_go_on(self) -> bool:
        """Tell whether the run is still ours, and nobody wants it to end."""
        ...

    def refusal(self) -> str:
        """Say in a sentence why a fact was refused."""
        ...

    def interrupt(self, error: BaseException) -> None:
        """Raise `error` from a signal handler, without tearing a commit."""
        ...


class StoreRecorder:
    """Keeps facts in the store of this machine's home."""

    def __init__(self, database: Database, key: int, run_id: str, incarnation: int) -> None:
        """Make the recorder of one run.

        Args:
            database: of the home.
            key: of the flow run.
            run_id: of the flow run.
            incarnation: that this process was given; facts of an older one are refused.
        """
        self.run_id = run_id
        self.key = key
        self.first_task_id = key * CALLS_PER_RUN
        self.incarnation = incarnation
        self._database = database
        self._log = LogWriter(database.home.log_file(run_id), max_bytes=database.settings.log_max_bytes)
        self.resource_use: Callable[[], ResourceUse] | None = None
        """What the run has used, to be recorded with its end; None where a run host does that."""
        self._counts_at = -COUNTS_INTERVAL_SECONDS
        self._counts_due = False
        self._timer: threading.Timer | None = None
        """Runs while counts wait for the interval to pass, in case no fact takes them along before that."""
        self._owed: deque[tuple[int, int]] = deque()
        """Counts of warnings and errors that were on their way to the store and did not arrive."""

    def record(self, fact: Fact) -> bool:
        """See `Recorder`."""
        return self._apply(fact, self._database.write)

    def try_record(self, fact: Fact) -> bool:
        """See `Recorder`."""
        return self._apply(fact, self._database.try_write)

    def may_go_on(self) -> bool:
        """See `Recorder`."""
        row = self._database.reader().execute(
            "SELECT state_type FROM flow_run WHERE key = ? AND incarnation = ?", (self.key, self.incarnation)
        )
        found = row.fetchone()
        return found is not None and StateType(found[0]) not in {*TERMINAL, StateType.CANCELLING}

    def refusal(self) -> str:
        """See `Recorder`."""
        row = self._database.reader().execute(
            "SELECT state_type, state_name, incarnation FROM flow_run WHERE key = ?", (self.key,)
        )
        found = row.fetchone()
        if found is None:
            return "Its flow run was deleted."
        state_type, state_name, incarnation = found
        if incarnation != self.incarnation:
            return "Another process has taken its flow run over."
        if state_type in {StateType.CANCELLING, StateType.CANCELLED}:
            return "Cancelled on request."
        return f"Its flow run is {state_name} already."

    def log(
        self, at: int, level_number: int, source: str, task_number: int | None, task_name: str | None, text: str
    ) -> None:
        """See `Recorder`."""
        self._log.append(at, level_number, source, task_number, task_name, text)
        if level_number >= WARNING:
            self._counts_due = True
            wait_seconds = self._counts_at + COUNTS_INTERVAL_SECONDS - time.monotonic()
            if wait_seconds <= 0:
                self._report_counts()
            elif self._timer is None:
                self._start_timer(wait_seconds)

    def start_subflow(self, new: NewFlowRun, *, patient: bool) -> StoreRecorder | None:
        """See `Recorder`."""

        def start(connection: Connection) -> int | None:
            if not task_runs.flow_run_is_running(connection, self.key, self.incarnation):
                return None
            return flow_runs.insert(connection, new)

        key = self._database.write(start) if patient else self._database.try_write(start)
        return None if key is None else StoreRecorder(self._database, key, new.id, new.incarnation)

    def last_call_number(self) -> int:
        """See `Recorder`."""
        return task_runs.last_number(self._database.reader(), self.key)

    def interrupt(self, error: BaseException) -> None:
        """See `Recorder`."""
        self._database.interrupt(error)

    def _apply(self, fact: Fact, write: Callable[[Operation[bool]], bool]) -> bool:
        apply = _APPLY[type(fact)]
        if not self._counts_due:
            return write(lambda connection: apply(self, connection, fact))
        # Taken out here: an operation may run twice.
        warnings, errors = self._take_counts()

        def apply_with_counts(connection: Connection) -> bool:
            flow_runs.add_log_counts(connection, self.key, warnings, errors)
            return apply(self, connection, fact)

        try:
            return write(apply_with_counts)
        except BaseException:
            self._owe(warnings, errors)
            raise

    def _start_timer(self, wait_seconds: float) -> None:
        self._timer = threading.Timer(wait_seconds, self._report_counts)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:  # no thread to be had, or the interpreter is about to end
            self._timer = None

    def _report_counts(self) -> None:
        """Bring the counts to the store now. Called from wherever something is logged: never waits, never raises."""
        self._timer = None
        self._counts_at = time.monotonic()
        warnings, errors = self._take_counts()
        if not (warnings or errors):
            return
        try:
            self._database.try_write(
                lambda connection: flow_runs.add_log_counts(connection, self.key, warnings, errors)
            )
        except (Busy, StoreError):
            self._owe(warnings, errors)

    def _take_counts(self) -> tuple[int, int]:
        self._counts_due = False
        warnings, errors = self._log.take_counts()
        while self._owed:
            more_warnings, more_errors = self._owed.popleft()
            warnings, errors = warnings + more_warnings, errors + more_errors
        return warnings, errors

    def _owe(self, warnings: int, errors: int) -> None:
        self._owed.append((warnings, errors))
        self._counts_due = True

    # -- facts as changes of rows --------------------------------------------------------------------------------

    def apply_made(self, connection: Connection, fact: TaskRunsMade) -> bool:
        """Write the fact's row."""
        return all(task_runs.insert(connection, call, fact.state, fact.at, None, None) for call in fact.calls)

    def apply_started(self, connection: Connection, fact: TaskRunStarted) -> bool:
        """Write the fact's row."""
        call = fact.call
        if not fact.made:
            return task_runs.insert(connection, call, fact.state, fact.at, fact.at, fact.worker)
        return task_runs.set_running(connection, call, fact.state, fact.at, fact.attempt, fact.worker)

    def apply_waits(self, connection: Connection, fact: TaskRunWaits) -> bool:
        """Write the fact's row."""
        return task_runs.set_waiting(
            connection, fact.task_run_id, self.incarnation, fact.state, fact.at, error_to_json(fact.error)
        )

    def apply_ended(self, connection: Connection, fact: TaskRunEnded) -> bool:
        """Write the fact's row."""
        error = error_to_json(fact.error)
        return task_runs.set_final(
            connection, fact.task_run_id, self.incarnation, fact.state, fact.at, fact.preview, error
        )

    def apply_not_ready(self, connection: Connection, fact: TaskRunNotReady) -> bool:
        """Write the fact's row."""
        call = fact.call
        made = fact.made or task_runs.insert(connection, call, PENDING, fact.at, None, None)
        return made and task_runs.set_not_ready(connection, call.id, self.incarnation, fact.state, fact.at)

    def apply_flow_run(self, connection: Connection, fact: FlowRunChanged) -> bool:
        """Write the fact's row."""
        columns: dict[str, Any] = {"attempt": fact.attempt, "error": error_to_json(fact.error)}
        if fact.state.is_running():
            columns["started_at"] = fact.at
        if fact.state.is_final() and self.resource_use is not None:
            columns |= self.resource_use().columns()
        changed = flow_runs.set_state(
            connection, self.key, fact.state, fact.at, incarnation=self.incarnation, columns=columns
        )
        if changed and fact.close_below:
            self._close_below(connection, fact.at)
        return changed

    def _close_below(self, connection: Connection, at: int) -> None:
        """Whatever this run still has open is over with it."""
        leftover = named("Cancelled", LEFT_OVER)
        for key in flow_runs.descendants(connection, self.key, live_only=True):
            flow_runs.set_state(connection, key, leftover, at)
            task_runs.close_open(connection, key, leftover, at)
        task_runs.close_open(connection, self.key, leftover, at)


_APPLY: Final[dict[type, Callable[[StoreRecorder, Connection, Any], bool]]] = {
    TaskRunsMade: StoreRecorder.apply_made,
    TaskRunStarted: StoreRecorder.apply_started,
    TaskRunWaits: StoreRecorder.apply_waits,
    TaskRunEnded: StoreRecorder.apply_ended,
    TaskRunNotReady: StoreRecorder.apply_not_ready,
    FlowRunChanged: StoreRecorder.apply_flow_run,
}
