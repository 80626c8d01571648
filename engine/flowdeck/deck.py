"""Deck: every question and every command that a front end or an author may ask of a home.

What Deck cannot say, no front end may do. Its methods are synchronous, short and safe to call from any thread.
A command is a change of a row; an engine acts on it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from flowdeck.rules.clock import SYSTEM_CLOCK, Clock, to_datetime, to_microseconds
from flowdeck.rules.exceptions import AmbiguousError, NotFoundError, RefusedError
from flowdeck.rules.states import RETRYABLE, TERMINAL, StateType, named
from flowdeck.rules.text.near_names import did_you_mean
from flowdeck.store import engines
from flowdeck.store.calls import task_run_queries
from flowdeck.store.catalogue import Catalogue, named_by
from flowdeck.store.database.database import Database
from flowdeck.store.database.feed import ChangeFeed
from flowdeck.store.database.sqlite import Connection, IntegrityError
from flowdeck.store.home import locate
from flowdeck.store.logs.log_lines import LOG_LEVELS, LineQuery, LogLine, LogRecord
from flowdeck.store.logs.log_merge import MergedLog
from flowdeck.store.logs.log_reader import LogReader
from flowdeck.store.records import (
    CallLine,
    CallPage,
    CallQuery,
    Changes,
    EngineStatus,
    FlowEntry,
    FlowRun,
    RunQuery,
    StateRecord,
    TaskCounts,
    TaskRun,
)
from flowdeck.store.run_values import RunError, UnusedResults
from flowdeck.store.runs import flow_runs
from flowdeck.store.runs.blockers import Waits
from flowdeck.store.runs.run_reader import ALL_ROOTS, RunPages, RunReader
from flowdeck.store.runs.scheduled_runs import Wish, check_record, entry_of, scheduled

__all__ = [
    "ALL_ROOTS",
    "LOG_LEVELS",
    "CallLine",
    "CallPage",
    "CallQuery",
    "ChangeFeed",
    "Changes",
    "Deck",
    "EngineStatus",
    "FlowEntry",
    "FlowRun",
    "LineQuery",
    "LogLine",
    "LogReader",
    "LogRecord",
    "MergedLog",
    "RunError",
    "RunPages",
    "RunQuery",
    "StateRecord",
    "TaskCounts",
    "TaskRun",
    "UnusedResults",
    "Waits",
]  # fmt: skip


class Deck(RunReader):
    """The façade of one home. What it answers about flow runs stands in `RunReader`."""

    def __init__(self, home: Path | str | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Open the home, creating it where needed.

        Args:
            home: the folder; None for $FLOWDECK_HOME, else ~/.flowdeck.
            clock: tells the time.

        Raises:
            StoreError: the home cannot be used.
            UsageError: a setting cannot be used.
        """
        super().__init__(Database(locate(home)), clock)
        self._catalogue = Catalogue(self._database)
        self.home = self._database.home.path

    def close(self) -> None:
        """Close the home's database in this process."""
        self._database.close()

    # -- task runs -----------------------------------------------------------------------------------------------

    def call_lines(self, flow_run_key: int) -> list[CallLine]:
        """Return the calls of a run's current attempt in order, each `.map()` as one line."""
        return task_run_queries.call_lines(self._reader(), flow_run_key)

    def call_page(self, flow_run_key: int, query: CallQuery) -> CallPage:
        """Return a stretch of the calls of a run's current attempt, or of the items of one `.map()` call."""
        return task_run_queries.call_page(self._reader(), flow_run_key, query, self._clock.now_microseconds())

    def task_runs(
        self, flow_run_key: int, *, group: int | None = None, flow_attempt: int | None = None, limit: int = 0
    ) -> list[TaskRun]:
        """Return the task runs of a run's current attempt (or of another), in call order.

        Args:
            flow_run_key: the run.
            group: only the items of this `.map()` call.
            flow_attempt: of this attempt of the run instead of the current one.
            limit: how many at most; 0 for all.
        """
        return task_run_queries.of_flow_run(
            self._reader(), flow_run_key, group=group, flow_attempt=flow_attempt, limit=limit
        )

    def task_run(self, task_run_id: int) -> TaskRun:
        """Return one task run.

        Raises:
            NotFoundError: there is none of this id.
        """
        found = task_run_queries.by_id(self._reader(), task_run_id)
        if found is None:
            raise NotFoundError(f"There is no task run {task_run_id}. `flowdeck task-run ls RUN` lists those of a run.")
        return found

    # -- flows ---------------------------------------------------------------------------------------------------

    def flows(self, folder: str | None = None) -> list[FlowEntry]:
        """Return the flows found in the watched folders (or in one), and the files that could not be described."""
        return self._catalogue.entries(folder)

    def flow(self, reference: str) -> FlowEntry:
        """Return the flow of this name, function name or FILE:FUNCTION.

        Raises:
            NotFoundError: there is none.
            AmbiguousError: there are several; the sentence lists them.
        """
        # A folder that is gone (a disk that may come back) keeps its flows, but they stand in nobody's way.
        entries = [entry for entry in self.flows() if entry.function is not None and os.path.isdir(entry.folder)]
        matches = named_by(reference, entries)
        if len(matches) == 1:
            return matches[0]
        if matches:
            candidates = ", ".join(f"{entry.folder}/{entry.entrypoint}" for entry in matches)
            raise AmbiguousError(f"'{reference}' stands for several flows: {candidates}. Give one of these.")
        hint = did_you_mean(reference, [name for entry in entries for name in (entry.name, entry.function) if name])
        raise NotFoundError(
            f"There is no flow '{reference}'.{hint} `flowdeck flow ls` lists the flows of watched folders."
        )

    # -- commands ------------------------------------------------------------------------------------------------

    def create_flow_run(
        self,
        flow: FlowEntry,
        parameters: Mapping[str, Any],
        *,
        name: str | None = None,
        scheduled_at: datetime | None = None,
        key: str | None = None,
        triggered_by: str = "api",
        tags: Collection[str] = (),
        origin: FlowRun | None = None,
    ) -> FlowRun:
        """Schedule a run of a flow, for an engine to start.

        Args:
            flow: what to run.
            parameters: JSON values by name; those left out take their defaults.
            name: of the run; None for a random one of two words.
            scheduled_at: when to start; None for now.
            key: a name of your own for this request: asked again with the same, the first run is returned.
            triggered_by: `cli`, `tui` or `api`.
            tags: of the run.
            origin: the run that is run once more, with these parameters.

        Raises:
            ParameterError: the parameters do not fit the flow.
            RefusedError: the flow's file has no version that could be imported.
        """
        start = None if scheduled_at is None else to_microseconds(scheduled_at)
        wish = Wish(self._clock.now_microseconds(), name, start, key, triggered_by, tags)
        new = scheduled(flow, parameters, wish, origin)
        return self._existing(self._insert_once(new))

    def rerun(
        self,
        reference: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        triggered_by: str = "api",
        tags: Collection[str] | None = None,
    ) -> FlowRun:
        """Schedule a new run of the flow of an earlier run, which stays as it is; the new one's origin is that run.

        Args:
            reference: the earlier run.
            parameters: all of the new run's; None for those of the earlier one.
            name: of the new run; None for a random one.
            triggered_by: `cli`, `tui` or `api`.
            tags: of the new run; None for those of the earlier one.

        Raises:
            ParameterError: the parameters do not fit the flow as it is now.
            RefusedError: it cannot be started from the earlier run's record.
        """
        run = self.flow_run(reference)
        given = run.parameters if parameters is None else parameters
        check_record(run, "rerun", given)
        flow = self.flow_of(run) or entry_of(run)
        new_tags = run.tags if tags is None else tags
        return self.create_flow_run(flow, given, name=name, triggered_by=triggered_by, tags=new_tags, origin=run)

    def flow_of(self, run: FlowRun) -> FlowEntry | None:
        """Return the flow of a run as the catalogue has it; None when no watched folder holds it."""
        entries = [entry for entry in self.flows() if os.path.join(entry.folder, entry.file) == run.source_file]
        found = [entry for entry in entries if entry.function is not None and entry.function == run.function]
        return next((entry for entry in found if entry.folder == run.working_dir), found[0] if found else None)

    def retry(self, reference: str, *, completed: bool = False) -> FlowRun:
        """Schedule the next attempt of a run that failed, crashed or was cancelled; recorded calls are not run again.

        Args:
            reference: the run.
            completed: allow it for a completed run too.

        Raises:
            RefusedError: the run is not over, is a subflow, or cannot be started from its record.
        """
        run = self.flow_run(reference)
        self._check_retry(run, completed)
        at = self._clock.now_microseconds()
        attempt = run.attempt + 1
        environment = json.dumps(dict(os.environ))
        state = named("Scheduled", f"Attempt {attempt} was asked for.")

        def change(connection: Connection) -> bool:
            return flow_runs.schedule_again(
                connection, run.key, state, at, attempt=attempt, environment=environment, incarnation=run.incarnation,
                expected=RETRYABLE,
            )  # fmt: skip

        if not self._database.write(change):
            raise RefusedError(f"Run '{run.name}' was changed by someone else just now; look at it and try again.")
        return self._existing(run.key)

    def cancel(self, reference: str, *, force: bool = False) -> FlowRun:
        """Ask for a run to be cancelled; one that has not started is Cancelled at once.

        Args:
            reference: the run.
            force: do not wait for the run to tidy up.

        Raises:
            RefusedError: the run is over, or is a subflow.
        """
        run = self.flow_run(reference)
        if run.is_final:
            raise RefusedError(f"Run '{run.name}' is over already: {run.state_name}.")
        if run.parent_key is not None:
            raise RefusedError(
                f"Run '{run.name}' is a subflow and shares the process of its parent; cancel {run.root_run_id}."
            )
        at = self._clock.now_microseconds()
        message = "Cancelled by force." if force else "Cancelled on request."
        self._database.write(lambda connection: flow_runs.cancel(connection, run.key, message, at, forced=force))
        return self._existing(run.key)

    def delete(self, reference: str) -> None:
        """Delete a run that is over (or waits to start), with its subflow runs and logs.

        Raises:
            RefusedError: it still runs, or is a subflow.
        """
        run = self.flow_run(reference)
        if run.parent_key is not None:
            raise RefusedError(f"Run '{run.name}' is a subflow; delete its root run {run.root_run_id}.")

        def remove(connection: Connection) -> list[str] | None:
            if not (flow_runs.is_over(connection, run.key) or flow_runs.is_unclaimed(connection, run.key)):
                return None
            rows = connection.execute("SELECT id FROM flow_run WHERE root_run_id = ?", (run.id,)).fetchall()
            flow_runs.delete(connection, [run.key])
            return [run_id for (run_id,) in rows]

        deleted = self._database.write(remove)
        if deleted is None:
            word = self._existing(run.key).state_name.lower()
            raise RefusedError(f"Run '{run.name}' is {word}; cancel it before you delete it.")
        for run_id in deleted:
            self._database.home.log_file(run_id).unlink(missing_ok=True)

    # -- engine --------------------------------------------------------------------------------------------------

    def watch_folder(self, folder: Path) -> None:
        """Add a folder to those that the engine watches.

        Raises:
            NotFoundError: there is no such folder.
            RefusedError: it may not be read.
        """
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise NotFoundError(f"There is no folder {path}.")
        if not os.access(path, os.R_OK | os.X_OK):
            raise RefusedError(f"The folder {path} may not be read; change its mode or choose another.")
        self._catalogue.watch_folder(os.path.realpath(path))

    def unwatch_folder(self, folder: Path) -> None:
        """Take a folder, which may be gone, from the watched ones, with its flows; runs stay, scheduled ones too.

        Raises:
            NotFoundError: it is not watched.
        """
        self._catalogue.forget_folder(os.path.realpath(Path(folder).expanduser()))

    def engine_status(self) -> EngineStatus:
        """Tell whether an engine serves this home, and which folders it watches."""
        return engines.status(self._database)

    def ensure_engine(self, *, started_by: str, replace_older: bool = False) -> EngineStatus:
        """Bring an engine up beside this process if none serves the home; return once it does (about 0.3 s).

        Args:
            started_by: `tui` or `cli`: such an engine ends by itself when nobody needs it; `server` stays.
            replace_older: put one in the place of an engine of an older flowdeck (see `version_note`); runs go on.

        Raises:
            RefusedError: it did not come up; the sentence says where its log is.
        """
        return engines.ensure(self._database, sys.executable, started_by, time.sleep, replace_older=replace_older)

    def stop_engine(self) -> bool:
        """Ask the engine to stop; runs go on. False when none was running."""
        return engines.stop(self._database, time.sleep)

    # -- feed ----------------------------------------------------------------------------------------------------

    def changes(self) -> ChangeFeed:
        """Return a feed of what changes from now on; the caller closes it, and uses it from one thread."""
        return ChangeFeed(self._database)

    def _insert_once(self, new: flow_runs.NewFlowRun) -> int:
        """Make a run, unless its request was made before; return the key of the one that there is."""
        try:
            return self._database.write(lambda connection: flow_runs.insert(connection, new))
        except IntegrityError:
            query = "SELECT key FROM flow_run WHERE dedup_key = ?"
            return self._reader().execute(query, (new.dedup_key,)).fetchone()[0]

    def _existing(self, key: int) -> FlowRun:
        run = self.flow_run_by_key(key)
        if run is None:
            raise NotFoundError("The run was deleted by someone else just now.")
        return run

    def _check_retry(self, run: FlowRun, completed: bool) -> None:
        if run.state_type not in TERMINAL:
            waits = self.waits([run.key])
            lost = waits.reason(run, to_datetime(self._clock.now_microseconds())) if run.key in waits.lost else None
            remedy = f": {lost}" if lost else "; cancel it first"
            raise RefusedError(f"Run '{run.name}' is not over ({run.state_name}){remedy}.")
        if run.state_type is StateType.COMPLETED and not completed:
            raise RefusedError(f"Run '{run.name}' completed; say so explicitly to retry it all the same (--completed).")
        if run.parent_key is not None:
            raise RefusedError(f"Run '{run.name}' is a subflow; retry its root run {run.root_run_id}.")
        check_record(run, "retried", run.parameters)
