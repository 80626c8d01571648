"""Facts of a run as changes of its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flowdeck.execution.recording.facts import (
    Fact,
    FlowRunChanged,
    FlowRunNamed,
    SubflowTaken,
    TaskRunEnded,
    TaskRunNotReady,
    TaskRunsMade,
    TaskRunsRolledBack,
    TaskRunStarted,
    TaskRunTaken,
    TaskRunWaits,
    TransactionCommitted,
)
from flowdeck.rules.runs.resource_use import ResourceUse
from flowdeck.rules.states import named
from flowdeck.store.calls import task_run_reuse, task_runs, transactions
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.results import cached_results
from flowdeck.store.run_values import error_to_json, unused_to_json
from flowdeck.store.runs import flow_runs

PENDING: Final = named("Pending")
LEFT_OVER: Final = "Its flow run ended before it did."


@dataclass(slots=True)
class RunRows:
    """The rows of one flow run, in the hands of one process.

    Attributes:
        key: of the flow run.
        run_id: of the flow run.
        incarnation: that the process was given; facts of an older one are refused.
        resource_use: tells what the run has used, to be recorded with its end; None where a run host does that.
    """

    key: int
    run_id: str
    incarnation: int
    resource_use: Callable[[], ResourceUse] | None = None

    def apply(self, connection: Connection, fact: Fact) -> bool:
        """Write a fact; False when the run is not this process's to change any more."""
        return _APPLY[type(fact)](self, connection, fact)

    def apply_made(self, connection: Connection, fact: TaskRunsMade) -> bool:
        """Insert the rows of calls that were submitted."""
        return all(task_runs.insert(connection, call, fact.state, fact.at, None, None) for call in fact.calls)

    def apply_started(self, connection: Connection, fact: TaskRunStarted) -> bool:
        """Insert the row of a call, or set it RUNNING."""
        call = fact.call
        if not fact.made:
            return task_runs.insert(connection, call, fact.state, fact.at, fact.at, fact.worker)
        return task_runs.set_running(connection, call, fact.state, fact.at, fact.attempt, fact.worker)

    def apply_waits(self, connection: Connection, fact: TaskRunWaits) -> bool:
        """Set a call's row AwaitingRetry."""
        return task_runs.set_waiting(
            connection, fact.task_run_id, self.incarnation, fact.state, fact.at, error_to_json(fact.error)
        )

    def apply_ended(self, connection: Connection, fact: TaskRunEnded) -> bool:
        """Give a call's row its final state; put its result into the cache if it is to be found there."""
        error = error_to_json(fact.error)
        ended = task_runs.set_final(
            connection, fact.task_run_id, self.incarnation, fact.state, fact.at, error, fact.value, fact.cache
        )
        note, result = fact.cache, fact.value.result
        if ended and note is not None and note.to_store and result is not None and fact.state.is_completed():
            cached_results.put(
                connection, note.key, result, task_run_id=fact.task_run_id, flow_run_id=self.run_id, at=fact.at,
                expires_at=note.expires_at,
            )  # fmt: skip
        if ended and fact.transaction_values is not None:
            transactions.keep_values(connection, fact.task_run_id, fact.transaction_values)
        return ended

    def apply_taken(self, connection: Connection, fact: TaskRunTaken) -> bool:
        """Complete a call's row with a result that is recorded already."""
        return task_run_reuse.take_over(
            connection, fact.call, fact.state, fact.at, fact.value, fact.origin, made=fact.made
        )

    def apply_not_ready(self, connection: Connection, fact: TaskRunNotReady) -> bool:
        """Set a call's row NotReady."""
        call = fact.call
        made = fact.made or task_runs.insert(connection, call, PENDING, fact.at, None, None)
        return made and task_runs.set_not_ready(connection, call.id, self.incarnation, fact.state, fact.at)

    def apply_transaction_committed(self, connection: Connection, fact: TransactionCommitted) -> bool:
        """Mark calls committed, and put what they and their transaction keep into the cache."""
        if not flow_runs.belongs_to(connection, self.key, self.incarnation):
            return False
        transactions.commit(connection, fact.calls, self.run_id, fact.at)
        for kept in fact.keys:
            cached_results.put(
                connection, kept.key, kept.value, task_run_id=None, flow_run_id=self.run_id, at=fact.at,
                expires_at=None,
            )  # fmt: skip
        return True

    def apply_rolled_back(self, connection: Connection, fact: TaskRunsRolledBack) -> bool:
        """Set calls' rows RolledBack."""
        if not flow_runs.belongs_to(connection, self.key, self.incarnation):
            return False
        transactions.roll_back(connection, fact.task_run_ids, fact.state, fact.at)
        return True

    def apply_subflow_taken(self, connection: Connection, fact: SubflowTaken) -> bool:
        """Mark a subflow's row reused by this attempt of its parent."""
        columns = {
            "reused": 1, "parent_attempt": fact.parent_attempt, "parent_task_run_id": fact.parent_task_run_id
        }  # fmt: skip
        flow_runs.set_columns(connection, fact.key, columns)
        return True

    def apply_name(self, connection: Connection, fact: FlowRunNamed) -> bool:
        """Rename the flow run."""
        if not flow_runs.belongs_to(connection, self.key, self.incarnation):
            return False
        flow_runs.set_columns(connection, self.key, {"name": fact.name})
        return True

    def apply_flow_run(self, connection: Connection, fact: FlowRunChanged) -> bool:
        """Give the flow run's row another state; close what is below it if asked to."""
        columns: dict[str, Any] = {"attempt": fact.attempt, "error": error_to_json(fact.error)}
        if fact.state.is_running():
            columns["started_at"] = fact.at
        elif fact.state.is_final():
            # Its hooks run in this process: nobody else need do it.
            columns |= {**_result_columns(fact), "hooks": None}
        if fact.declared is not None:
            columns |= {"crash_retries": fact.declared.crash_retries, "hooks": fact.declared.hooks}
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


def _result_columns(fact: FlowRunChanged) -> dict[str, Any]:
    names = ("result_preview", "result", "result_hash")
    columns: dict[str, Any] = dict(zip(names, task_runs.value_columns(fact.value), strict=False))
    return {**columns, "unused_results": unused_to_json(fact.unused)}


_APPLY: Final[dict[type, Callable[[RunRows, Connection, Any], bool]]] = {
    TaskRunsMade: RunRows.apply_made,
    TaskRunStarted: RunRows.apply_started,
    TaskRunWaits: RunRows.apply_waits,
    TaskRunEnded: RunRows.apply_ended,
    TaskRunTaken: RunRows.apply_taken,
    TransactionCommitted: RunRows.apply_transaction_committed,
    TaskRunsRolledBack: RunRows.apply_rolled_back,
    SubflowTaken: RunRows.apply_subflow_taken,
    FlowRunNamed: RunRows.apply_name,
    TaskRunNotReady: RunRows.apply_not_ready,
    FlowRunChanged: RunRows.apply_flow_run,
}
