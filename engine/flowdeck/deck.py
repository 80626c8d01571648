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
from typing import Any, Final

from flowdeck.rules import parameters as parameter_rules
from flowdeck.rules.clock import MICROSECONDS_PER_SECOND, SYSTEM_CLOCK, Clock, to_microseconds
from flowdeck.rules.exceptions import AmbiguousError, NotFoundError, ParameterError, RefusedError, UsageError
from flowdeck.rules.ids import new_run_id
from flowdeck.rules.run_names import new_run_name
from flowdeck.rules.states import RETRYABLE, TERMINAL, StateType, named
from flowdeck.store import engines, flow_run_queries, flow_runs, run_requests, task_run_queries
from flowdeck.store.catalogue import Catalogue, named_by
from flowdeck.store.database import Database
from flowdeck.store.feed import ChangeFeed
from flowdeck.store.home import locate
from flowdeck.store.log_lines import LogLine, LogRecord
from flowdeck.store.log_reader import LogReader
from flowdeck.store.records import (
    CallLine,
    Changes,
    EngineStatus,
    FlowEntry,
    FlowRun,
    RunQuery,
    StateRecord,
    TaskCounts,
    TaskRun,
)
from flowdeck.store.run_facts import CALLS_PER_RUN, RunError, UnusedResults
from flowdeck.store.sqlite import Connection, IntegrityError

__all__ = [
    "CallLine", "ChangeFeed", "Changes", "Deck", "EngineStatus", "FlowEntry", "FlowRun", "LogLine", "LogReader",
    "LogRecord", "RunError", "RunQuery", "StateRecord", "TaskCounts", "TaskRun", "UnusedResults",
]  # fmt: skip

ALL_ROOTS: Final = RunQuery(roots_only=True)
NAME_LENGTH: Final = 200
FAILED_WINDOW_SECONDS: Final = 24 * 3600
"""How far back `active_counts` counts failures."""


class Deck:
    """The façade of one home."""

    def __init__(self, home: Path | str | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Open the home, creating it where needed.

        Args:
            home: the folder; None for $FLOWDECK_HOME, else ~/.flowdeck.
            clock: tells the time.

        Raises:
            StoreError: the home cannot be used.
            UsageError: a setting cannot be used.
        """
        self._database = Database(locate(home))
        self._catalogue = Catalogue(self._database)
        self._clock = clock
        self.home = self._database.home.path

    def close(self) -> None:
        """Close the home's database in this process."""
        self._database.close()

    # -- flow runs -----------------------------------------------------------------------------------------------

    def flow_runs(self, query: RunQuery = ALL_ROOTS) -> list[FlowRun]:
        """List flow runs, newest first."""
        return flow_run_queries.by_query(self._reader(), query)

    def flow_run_total(self, query: RunQuery) -> int:
        """Count the flow runs that a query means, whatever its limit."""
        return flow_run_queries.count(self._reader(), query)

    def flow_run(self, reference: str) -> FlowRun:
        """Return the run of this id, unique id prefix or suffix (4 characters or more), or unique name.

        Raises:
            NotFoundError: there is none.
            AmbiguousError: there are several.
        """
        return flow_run_queries.find(self._reader(), reference)

    def flow_run_by_key(self, key: int) -> FlowRun | None:
        """Return the run of this key, or None when it was deleted."""
        found = self.flow_runs_by_keys([key])
        return found[0] if found else None

    def flow_runs_by_keys(self, keys: Collection[int]) -> list[FlowRun]:
        """Return those of the runs that still exist, newest first."""
        return flow_run_queries.by_keys(self._reader(), keys)

    def lost_runs(self, keys: Collection[int]) -> frozenset[int]:
        """Return which of these runs had a process that is there no more; an engine will close them."""
        return flow_run_queries.lost(self._reader(), keys)

    def subflow_runs(self, flow_run_key: int) -> list[FlowRun]:
        """Return the runs that the current attempt of a run started directly, in their order."""
        return flow_run_queries.by_query(self._reader(), RunQuery(parent_key=flow_run_key, limit=0))[::-1]

    def states(self, flow_run_key: int) -> list[StateRecord]:
        """Return every state that a run has been in, oldest first."""
        return flow_run_queries.states(self._reader(), flow_run_key)

    def log(self, flow_run: FlowRun) -> LogReader:
        """Return a reader of a run's log; the caller closes it."""
        path = self._database.home.log_file(flow_run.id)
        return LogReader(path, flow_run.id, flow_run.key * CALLS_PER_RUN)

    def active_counts(self) -> dict[StateType, int]:
        """Count root runs that are not over by type, and under FAILED those that failed in the last 24 hours."""
        since = self._clock.now_microseconds() - FAILED_WINDOW_SECONDS * MICROSECONDS_PER_SECOND
        return flow_run_queries.counts_by_type(self._reader(), since)

    # -- task runs -----------------------------------------------------------------------------------------------

    def call_lines(self, flow_run_key: int) -> list[CallLine]:
        """Return the calls of a run's current attempt in order, each `.map()` as one line."""
        return task_run_queries.call_lines(self._reader(), flow_run_key)

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
        raise NotFoundError(f"There is no flow '{reference}'. `flowdeck flow ls` lists the flows of watched folders.")

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

        Raises:
            ParameterError: the parameters do not fit the flow.
            RefusedError: the flow's file has no version that could be imported.
        """
        if flow.function is None or flow.parameter_schema is None:
            raise RefusedError(f"{flow.file} could not be imported, so it has no flow to run. Mend the file first.")
        if name is not None and not 0 < len(name) <= NAME_LENGTH:
            raise UsageError(f"A run's name has 1 to {NAME_LENGTH} characters, not {len(name)}.")
        problems = parameter_rules.validate(flow.parameter_schema, parameters)
        if problems:
            raise ParameterError(f"Flow '{flow.name}': " + " ".join(problems.values()))
        now = self._clock.now_microseconds()
        run_id = new_run_id()
        new = flow_runs.NewFlowRun(
            id=run_id,
            name=name or new_run_name(),
            flow_name=flow.name or flow.function,
            entrypoint=flow.entrypoint,
            working_dir=flow.folder,
            source_file=f"{flow.folder}/{flow.file}",
            function=flow.function,
            state=named("Scheduled"),
            at=now,
            scheduled_at=now if scheduled_at is None else to_microseconds(scheduled_at),
            triggered_by=triggered_by,
            parameters=json.dumps(dict(parameters)),
            root_run_id=run_id,
            dedup_key=key,
            tags=tuple(tags),
            environment=json.dumps(dict(os.environ)),
        )
        return self._existing(self._insert_once(new))

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

    def _reader(self) -> Connection:
        return self._database.reader()

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
            raise RefusedError(f"Run '{run.name}' is not over ({run.state_name}); cancel it first.")
        if run.state_type is StateType.COMPLETED and not completed:
            raise RefusedError(f"Run '{run.name}' completed; say so explicitly to retry it all the same (--completed).")
        if run.parent_key is not None:
            raise RefusedError(f"Run '{run.name}' is a subflow; retry its root run {run.root_run_id}.")
        reason = run_requests.why_not_startable(run.source_file, run.function, run.parameters)
        if reason is not None:
            raise RefusedError(f"Run '{run.name}' {reason}")
