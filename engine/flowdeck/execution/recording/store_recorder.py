"""The recorder of a run in flowdeck's own environment: its facts become rows of the store."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from flowdeck.execution.recording.fact_rows import RunRows
from flowdeck.execution.recording.facts import Fact
from flowdeck.execution.recording.result_records import ResultRecords
from flowdeck.execution.recording.store_results import StoreResults
from flowdeck.rules import log_levels
from flowdeck.rules.exceptions import StoreError
from flowdeck.rules.states import TERMINAL, StateType
from flowdeck.store.calls import task_runs
from flowdeck.store.database.database import Busy, Database, Operation
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck.store.run_values import CALLS_PER_RUN
from flowdeck.store.runs import flow_runs
from flowdeck.store.runs.flow_runs import NewFlowRun

COUNTS_INTERVAL_SECONDS: Final = 0.5
"""Counts of warnings and errors go to the store with the next fact, and at most this often by themselves."""

NOTES_MAX: Final = 256
"""So many facts are noted at most before they are written."""


class StoreRecorder:
    """Keeps facts in the store of this machine's home."""

    def __init__(self, database: Database, key: int, run_id: str, incarnation: int) -> None:
        """Make the recorder of one run.

        Args:
            database: the database of the home.
            key: the integer key of the flow run.
            run_id: the UUID of the flow run.
            incarnation: the incarnation that this process was given; facts of an older one are refused.
        """
        self.run_id = run_id
        self.key = key
        self.first_task_id = key * CALLS_PER_RUN
        self.incarnation = incarnation
        self.results: ResultRecords = StoreResults(database, key)
        self._database = database
        self.rows = RunRows(key, run_id, incarnation)
        self._log = LogWriter(database.home.log_file(run_id), max_bytes=database.settings.log_max_bytes)
        self._counts_at = -COUNTS_INTERVAL_SECONDS
        self._counts_due = False
        self._timer: threading.Timer | None = None
        """Runs while counts or notes wait for the interval to pass, in case no fact takes them along before that."""
        self._noted: deque[Fact] = deque()
        """Facts that wait for the next one, in order."""
        self._owed: deque[tuple[int, int]] = deque()
        """Counts of warnings and errors that were on their way to the store and did not arrive."""

    def record(self, fact: Fact) -> bool:
        """See `Recorder`."""
        return self._apply(fact, self._database.write)

    def try_record(self, fact: Fact) -> bool:
        """See `Recorder`."""
        return self._apply(fact, self._database.try_write)

    def note(self, fact: Fact) -> None:
        """See `Recorder`."""
        self._noted.append(fact)
        if len(self._noted) >= NOTES_MAX:
            with suppress(Busy):
                self._flush()
        elif self._timer is None:
            self._start_timer(COUNTS_INTERVAL_SECONDS)

    def may_go_on(self) -> bool:
        """See `Recorder`."""
        found = flow_runs.standing(self._database.reader(), self.key)
        if found is None or found.incarnation != self.incarnation:
            return False
        return found.state_type not in TERMINAL and found.state_type is not StateType.CANCELLING

    def refusal(self) -> str:
        """See `Recorder`."""
        found = flow_runs.standing(self._database.reader(), self.key)
        if found is None:
            return "Its flow run was deleted."
        if found.incarnation != self.incarnation:
            return "Another process has taken its flow run over."
        if found.state_type in {StateType.CANCELLING, StateType.CANCELLED}:
            return "Cancelled on request."
        return f"Its flow run is {found.state_name} already."

    def log(
        self, at: int, level_number: int, source: str, task_number: int | None, task_name: str | None, text: str
    ) -> None:
        """See `Recorder`."""
        self._log.append(at, level_number, source, task_number, task_name, text)
        if level_number >= log_levels.WARNING:
            self._counts_due = True
            wait_seconds = self._counts_at + COUNTS_INTERVAL_SECONDS - time.monotonic()
            if wait_seconds <= 0:
                self._report()
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

    def resume_subflow(self, key: int, new: NewFlowRun, *, patient: bool) -> tuple[StoreRecorder, int] | None:
        """See `Recorder`."""

        def resume(connection: Connection) -> tuple[str, int, int] | None:
            if not task_runs.flow_run_is_running(connection, self.key, self.incarnation):
                return None
            resumed = flow_runs.resume(connection, key, new, new.at)
            run_id = flow_runs.id_of(connection, key)
            return None if resumed is None or run_id is None else (run_id, *resumed)

        resumed = self._database.write(resume) if patient else self._database.try_write(resume)
        if resumed is None:
            return None
        run_id, attempt, incarnation = resumed
        return StoreRecorder(self._database, key, run_id, incarnation), attempt

    def last_call_number(self) -> int:
        """See `Recorder`."""
        return task_runs.last_number(self._database.reader(), self.key)

    def interrupt(self, error: BaseException) -> None:
        """See `Recorder`."""
        self._database.interrupt(error)

    def _apply(self, fact: Fact, write: Callable[[Operation[bool]], bool]) -> bool:
        apply = self.rows.apply
        if not self._counts_due and not self._noted:
            return write(lambda connection: apply(connection, fact))
        return self._write_with_backlog(write, lambda connection: apply(connection, fact))

    def _write_with_backlog(self, write: Callable[[Operation[bool]], bool], operation: Operation[bool]) -> bool:
        """Write what was noted, the counts that are due and then `operation`, in one transaction."""
        # Taken out here: an operation may run twice.
        warnings, errors = self._take_counts()
        noted = [self._noted.popleft() for _ in range(len(self._noted))]

        def apply_all(connection: Connection) -> bool:
            for fact in noted:
                self.rows.apply(connection, fact)
            if warnings or errors:
                flow_runs.add_log_counts(connection, self.key, warnings, errors)
            return operation(connection)

        try:
            return write(apply_all)
        except BaseException:
            self._owe(warnings, errors)
            self._noted.extendleft(reversed(noted))
            raise

    def _flush(self) -> None:
        """Write the backlog without waiting for another process.

        Raises:
            Busy: it stays for the next fact.
        """
        self._write_with_backlog(self._database.try_write, lambda _: True)

    def _start_timer(self, wait_seconds: float) -> None:
        self._timer = threading.Timer(wait_seconds, self._report)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:  # no thread to be had, or the interpreter is about to end
            self._timer = None

    def _report(self) -> None:
        """Bring the backlog to the store now. Called from wherever something is logged: never waits, never raises."""
        self._timer = None
        self._counts_at = time.monotonic()
        if not (self._counts_due or self._noted):
            return
        with suppress(Busy, StoreError):
            self._flush()

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
