"""What may be asked about flow runs: the base of Deck that answers it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from flowdeck.rules.clock import MICROSECONDS_PER_SECOND, SYSTEM_CLOCK, Clock, to_datetime
from flowdeck.rules.runs.run_order import Place
from flowdeck.rules.states import StateType
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.logs.log_merge import LogPart, MergedLog
from flowdeck.store.logs.log_reader import LogReader
from flowdeck.store.records import FlowRun, RunQuery, StateRecord
from flowdeck.store.run_values import CALLS_PER_RUN
from flowdeck.store.runs import blockers, flow_run_queries
from flowdeck.store.runs.blockers import Waits
from flowdeck.store.runs.run_scan import RunScan

ALL_ROOTS: Final = RunQuery(roots_only=True)
FAILED_WINDOW_SECONDS: Final = 24 * 3600
"""How far back `active_counts` counts failures."""


class RunReader:
    """Questions about the flow runs of one home; each is a short read."""

    def __init__(self, database: Database, clock: Clock = SYSTEM_CLOCK) -> None:
        """Args: database: of the home. clock: tells the time."""
        self._database = database
        self._clock = clock

    def flow_runs(self, query: RunQuery = ALL_ROOTS) -> list[FlowRun]:
        """List flow runs in the query's order."""
        return flow_run_queries.by_query(self._reader(), query, self._now())

    def flow_run_total(self, query: RunQuery) -> int:
        """Count the flow runs that a query means, whatever its limit."""
        return flow_run_queries.count(self._reader(), query, self._now())

    def flow_run_pages(self, query: RunQuery) -> RunPages:
        """Return what reads a list step by step: for who must not wait until a rare run is found among many."""
        return RunPages(self._database, RunScan(self._reader(), query, self._now()))

    def listed(self, keys: Collection[int], query: RunQuery) -> frozenset[int]:
        """Return which of these runs belong to a list, wherever in it they stand."""
        return flow_run_queries.listed(self._reader(), keys, query, self._now())

    def flow_run_keys(self, query: RunQuery, *, until: Place | None = None) -> list[int]:
        """Return the keys of the listed runs, in order: those behind the query's place, up to another one.

        Args:
            query: the list; its limit holds.
            until: the last one; if no run of the list stands there any more, there are none.
        """
        return flow_run_queries.keys(self._reader(), query, self._now(), until)

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

    def waits(self, keys: Collection[int] | None = None) -> Waits:
        """Return what decides whether runs move: `Waits.reason` tells it for each.

        Args:
            keys: look at the processes of these runs; None for all that are not over.
        """
        return blockers.look(self._database, keys)

    def subflow_runs(self, flow_run_key: int) -> list[FlowRun]:
        """Return the runs that the current attempt of a run started directly, in their order."""
        return self.flow_runs(RunQuery(parent_key=flow_run_key, limit=0))[::-1]

    def states(self, flow_run_key: int) -> list[StateRecord]:
        """Return every state that a run has been in, oldest first."""
        return flow_run_queries.states(self._reader(), flow_run_key)

    def log(self, flow_run: FlowRun) -> LogReader:
        """Return a reader of a run's log; the caller closes it."""
        path = self._database.home.log_file(flow_run.id)
        return LogReader(path, flow_run.id, flow_run.key * CALLS_PER_RUN)

    def merged_log(self, flow_run: FlowRun, *, subflows: bool = True) -> MergedLog:
        """Return a reader of a run's log, by default together with those of its subflow runs, by time.

        The caller closes it.
        """
        parts: dict[int, LogPart] = {flow_run.key: LogPart(self.log(flow_run))}

        def find() -> list[LogPart]:
            for key, run_id, name in flow_run_queries.below(self._reader(), flow_run.key) if subflows else ():
                if key not in parts:
                    path = self._database.home.log_file(run_id)
                    parts[key] = LogPart(LogReader(path, run_id, key * CALLS_PER_RUN), name)
            return list(parts.values())

        return MergedLog(find, self._clock.now_microseconds)

    def active_counts(self) -> dict[StateType, int]:
        """Count root runs that are not over by type, and under FAILED those that failed in the last 24 hours."""
        since = self._clock.now_microseconds() - FAILED_WINDOW_SECONDS * MICROSECONDS_PER_SECOND
        return flow_run_queries.counts_by_type(self._reader(), since)

    def _reader(self) -> Connection:
        return self._database.reader()

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_microseconds())


class RunPages:
    """A list of runs, read step by step. Each step is short, and may be made by any thread, one at a time."""

    def __init__(self, database: Database, scan: RunScan) -> None:
        """Args: database: of the home. scan: the pass."""
        self._database = database
        self._scan = scan

    @property
    def is_over(self) -> bool:
        """Whether the list is at its end."""
        return self._scan.is_over

    def step(self, limit: int) -> list[FlowRun]:
        """Read on for a while; return up to `limit` runs, or none although there are more."""
        connection = self._database.reader()
        return flow_run_queries.in_order(connection, self._scan.step(connection, limit))

    def count_step(self) -> int:
        """Count on for a while, whatever the order; return how many more there are."""
        return self._scan.count_step(self._database.reader())
