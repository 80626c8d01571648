"""What transactions leave in the store: calls that were committed, and calls that count as never made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flowdeck.rules.states import State
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.results.result_files import StoredResult


@dataclass(slots=True)
class CommittedCall:
    """A call whose transaction is committed."""

    task_run_id: int
    """The row that has its result: of an earlier attempt of the flow run when it was taken from there."""
    to_cache: bool
    """Its result is found under its cache key from now on."""
    expires_at: int | None
    """Microseconds since 1970 UTC; None for never."""


@dataclass(slots=True)
class CommittedKey:
    """The key of a transaction, and the value that was staged for it."""

    key: str
    value: StoredResult


def commit(connection: Connection, calls: Iterable[CommittedCall], flow_run_id: str, at: int) -> None:
    """Note that calls can no more be rolled back, and leave in the cache what they are to leave there."""
    for call in calls:
        connection.execute("UPDATE task_run SET committed_at = ? WHERE id = ?", (at, call.task_run_id))
        if call.to_cache:
            connection.execute(
                """INSERT OR REPLACE INTO cached_result
                   SELECT cache_key, id, ?, ?, ?, result, result_hash FROM task_run
                   WHERE id = ? AND cache_key <> '' AND result_bytes IS NOT NULL AND from_cache = 0""",
                (flow_run_id, at, call.expires_at, call.task_run_id),
            )


def roll_back(connection: Connection, task_run_ids: Iterable[int], state: State, at: int) -> None:
    """Give completed calls the name RolledBack: their type stays, yet no later attempt takes their results."""
    for task_run_id in task_run_ids:
        connection.execute(
            """UPDATE task_run SET state_name = ?, state_message = ?, state_at = ?, seq = seq + 1
               WHERE id = ? AND state_type = 'COMPLETED' AND state_name <> 'RolledBack'""",
            (state.name, state.message, at, task_run_id),
        )


def keep_values(connection: Connection, task_run_id: int, values: bytes) -> None:
    """Keep what a call's body has set in its transaction, for the hooks of a later attempt."""
    connection.execute("UPDATE task_run SET transaction_values = ? WHERE id = ?", (values, task_run_id))
