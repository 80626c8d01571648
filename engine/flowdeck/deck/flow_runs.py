"""Deck's questions and commands about flow runs."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from flowdeck.deck.flows import Flows
from flowdeck.deck.open_home import OpenHome
from flowdeck.deck.run_pages import RunPages
from flowdeck.rules.clock import MICROSECONDS_PER_SECOND, to_microseconds
from flowdeck.rules.exceptions import NotFoundError, RefusedError
from flowdeck.rules.runs.run_actions import Obstacle, cancel_obstacle, delete_obstacle, retry_obstacle
from flowdeck.rules.runs.run_order import Place
from flowdeck.rules.states import RETRYABLE, StateType, named
from flowdeck.store.database.sqlite import Connection, IntegrityError
from flowdeck.store.records import FlowEntry, FlowRun, RunQuery, StateRecord
from flowdeck.store.runs import blockers, flow_run_queries, flow_runs
from flowdeck.store.runs.blockers import Waits
from flowdeck.store.runs.run_scan import RunScan
from flowdeck.store.runs.scheduled_runs import RunRequest, check_record, entry_of, scheduled

ALL_ROOTS: Final = RunQuery(roots_only=True)
FAILED_WINDOW_SECONDS: Final = 24 * 3600
"""How far back `active_counts` counts failures."""


class FlowRuns:
    """The flow runs of one home. A question is a short read; a command is a change of a row that an engine acts on."""

    def __init__(self, home: OpenHome, flows: Flows) -> None:
        """Take what the methods work with.

        Args:
            home: the open home.
            flows: the flows of the home, by which an earlier run is run again.
        """
        self._home = home
        self._flows = flows

    def select(self, query: RunQuery = ALL_ROOTS) -> list[FlowRun]:
        """List flow runs in the query's order."""
        return flow_run_queries.by_query(self._home.reader(), query, self._home.now())

    def count(self, query: RunQuery) -> int:
        """Count the flow runs that a query means, whatever its limit."""
        return flow_run_queries.count(self._home.reader(), query, self._home.now())

    def pages(self, query: RunQuery) -> RunPages:
        """Return what reads a list step by step: for who must not wait until a rare run is found among many."""
        return RunPages(self._home.database, RunScan(self._home.reader(), query, self._home.now()))

    def listed(self, keys: Collection[int], query: RunQuery) -> frozenset[int]:
        """Return which of these runs belong to a list, wherever in it they stand."""
        return flow_run_queries.listed(self._home.reader(), keys, query, self._home.now())

    def keys(self, query: RunQuery, *, until: Place | None = None) -> list[int]:
        """Return the keys of the listed runs, in order: those behind the query's place, up to another one.

        Args:
            query: the list; its limit holds.
            until: the last one; if no run of the list stands there any more, there are none.
        """
        return flow_run_queries.keys(self._home.reader(), query, self._home.now(), until)

    def find(self, reference: str) -> FlowRun:
        """Return the run of this id, unique id prefix or suffix (4 characters or more), or unique name.

        Raises:
            NotFoundError: there is none.
            AmbiguousError: there are several.
        """
        return flow_run_queries.find(self._home.reader(), reference)

    def by_key(self, key: int) -> FlowRun | None:
        """Return the run of this key, or None when it was deleted."""
        found = self.by_keys([key])
        return found[0] if found else None

    def by_keys(self, keys: Collection[int]) -> list[FlowRun]:
        """Return those of the runs that still exist, newest first."""
        return flow_run_queries.by_keys(self._home.reader(), keys)

    def waits(self, keys: Collection[int] | None = None) -> Waits:
        """Return what decides whether runs move: `Waits.reason` tells it for each.

        Args:
            keys: integer keys of the flow runs whose processes count; None for all runs that are not over.
        """
        return blockers.look(self._home.database, keys)

    def subflows(self, flow_run_key: int) -> list[FlowRun]:
        """Return the runs that the current attempt of a run started directly, in their order."""
        return self.select(RunQuery(parent_key=flow_run_key, limit=0))[::-1]

    def states(self, flow_run_key: int) -> list[StateRecord]:
        """Return every state that a run has been in, oldest first."""
        return flow_run_queries.states(self._home.reader(), flow_run_key)

    def active_counts(self) -> dict[StateType, int]:
        """Count root runs that are not over by type, and under FAILED those that failed in the last 24 hours."""
        since = self._home.now_microseconds() - FAILED_WINDOW_SECONDS * MICROSECONDS_PER_SECOND
        return flow_run_queries.counts_by_type(self._home.reader(), since)

    def create(
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
            flow: the flow to run.
            parameters: JSON values by name; those left out take their defaults.
            name: name of the run; None for a random one of two words.
            scheduled_at: time of the start; None for now.
            key: a name of your own for this request: asked again with the same, the first run is returned.
            triggered_by: origin of the request: `cli`, `tui` or `api`.
            tags: tags of the run.
            origin: the run that is run once more, with these parameters.

        Raises:
            ParameterError: the parameters do not fit the flow.
            RefusedError: the flow's file has no version that could be imported.
        """
        start = None if scheduled_at is None else to_microseconds(scheduled_at)
        request = RunRequest(self._home.now_microseconds(), name, start, key, triggered_by, tags)
        new = scheduled(flow, parameters, request, origin)
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
            reference: id, unique part of the id, or name of the earlier run.
            parameters: all of the new run's; None for those of the earlier one.
            name: name of the new run; None for a random one.
            triggered_by: origin of the request: `cli`, `tui` or `api`.
            tags: tags of the new run; None for those of the earlier one.

        Raises:
            ParameterError: the parameters do not fit the flow as it is now.
            RefusedError: it cannot be started from the earlier run's record.
        """
        run = self.find(reference)
        given = run.parameters if parameters is None else parameters
        check_record(run, "rerun", given)
        flow = self._flows.of_run(run) or entry_of(run)
        new_tags = run.tags if tags is None else tags
        return self.create(flow, given, name=name, triggered_by=triggered_by, tags=new_tags, origin=run)

    def retry(self, reference: str, *, completed: bool = False) -> FlowRun:
        """Schedule the next attempt of a run that failed, crashed or was cancelled; recorded calls are not run again.

        Args:
            reference: id, unique part of the id, or name of the run.
            completed: whether a completed run may be retried too.

        Raises:
            RefusedError: the run is not over, is a subflow, or cannot be started from its record.
        """
        run = self.find(reference)
        self._check_retry(run, completed)
        at = self._home.now_microseconds()
        attempt = run.attempt + 1
        environment = json.dumps(dict(os.environ))
        state = named("Scheduled", f"Attempt {attempt} was asked for.")

        def change(connection: Connection) -> bool:
            return flow_runs.schedule_again(
                connection, run.key, state, at, attempt=attempt, environment=environment, incarnation=run.incarnation,
                expected=RETRYABLE,
            )  # fmt: skip

        if not self._home.database.write(change):
            raise RefusedError(f"Run '{run.name}' was changed by someone else just now; look at it and try again.")
        return self._existing(run.key)

    def cancel(self, reference: str, *, force: bool = False) -> FlowRun:
        """Ask for a run to be cancelled; one that has not started is Cancelled at once.

        Args:
            reference: id, unique part of the id, or name of the run.
            force: whether the run has no time to tidy up.

        Raises:
            RefusedError: the run is over, or is a subflow.
        """
        run = self.find(reference)
        obstacle = cancel_obstacle(run, again=True)
        if obstacle is Obstacle.OVER:
            raise RefusedError(f"Run '{run.name}' is over already: {run.state_name}.")
        if obstacle is Obstacle.SUBFLOW:
            raise RefusedError(
                f"Run '{run.name}' is a subflow and shares the process of its parent; cancel {run.root_run_id}."
            )
        at = self._home.now_microseconds()
        message = "Cancelled by force." if force else "Cancelled on request."
        self._home.database.write(lambda connection: flow_runs.cancel(connection, run.key, message, at, forced=force))
        return self._existing(run.key)

    def delete(self, reference: str) -> None:
        """Delete a run that is over (or waits to start), with its subflow runs and logs.

        Raises:
            RefusedError: it still runs, or is a subflow.
        """
        run = self.find(reference)
        if delete_obstacle(run) is Obstacle.SUBFLOW:
            raise RefusedError(f"Run '{run.name}' is a subflow; delete its root run {run.root_run_id}.")

        def remove(connection: Connection) -> list[str] | None:
            if not (flow_runs.is_over(connection, run.key) or flow_runs.is_unclaimed(connection, run.key)):
                return None
            run_ids = flow_runs.ids_of_root(connection, run.id)
            flow_runs.delete(connection, [run.key])
            return run_ids

        deleted = self._home.database.write(remove)
        if deleted is None:
            word = self._existing(run.key).state_name.lower()
            raise RefusedError(f"Run '{run.name}' is {word}; cancel it before you delete it.")
        for run_id in deleted:
            self._home.database.home.log_file(run_id).unlink(missing_ok=True)

    def _insert_once(self, new: flow_runs.NewFlowRun) -> int:
        """Make a run, unless its request was made before; return the key of the one that there is."""
        try:
            return self._home.database.write(lambda connection: flow_runs.insert(connection, new))
        except IntegrityError:
            earlier = None if new.dedup_key is None else flow_runs.key_of_request(self._home.reader(), new.dedup_key)
            if earlier is None:
                raise
            return earlier

    def _existing(self, key: int) -> FlowRun:
        run = self.by_key(key)
        if run is None:
            raise NotFoundError("The run was deleted by someone else just now.")
        return run

    def _check_retry(self, run: FlowRun, completed: bool) -> None:
        obstacle = retry_obstacle(run, completed=completed)
        if obstacle is Obstacle.NOT_OVER:
            waits = self.waits([run.key])
            lost = waits.reason(run, self._home.now()) if run.key in waits.lost else None
            remedy = f": {lost}" if lost else "; cancel it first"
            raise RefusedError(f"Run '{run.name}' is not over ({run.state_name}){remedy}.")
        if obstacle is Obstacle.COMPLETED:
            raise RefusedError(f"Run '{run.name}' completed; say so explicitly to retry it all the same (--completed).")
        if obstacle is Obstacle.SUBFLOW:
            raise RefusedError(f"Run '{run.name}' is a subflow; retry its root run {run.root_run_id}.")
        check_record(run, "retried", run.parameters)
