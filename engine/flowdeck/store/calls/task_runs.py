"""Task calls in the store. The two statements of a call's life are on the hot path: their text never varies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flowdeck.rules.states import TASK_RUN_TRANSITIONS, State, StateType, sources_of
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.results.result_files import StoredResult
from flowdeck.store.run_values import CALLS_PER_RUN


@dataclass(slots=True)
class NewTaskRun:
    """A call as its row is made. Not frozen: making frozen instances costs a microsecond on the hot path."""

    id: int
    flow_run_key: int
    flow_attempt: int
    incarnation: int
    task_name: str
    index: int
    name: str | None
    group: int | None
    parent_id: int | None
    task_key: str
    input_key: bytes | None
    occurrence: int
    upstream: str | None
    """JSON array of task run ids."""
    tags: str | None
    """JSON array."""
    call_key: bytes | None = None
    """Stands for the call in every attempt of its flow run, see `rules.call_identity`; None before it is known."""


@dataclass(slots=True, eq=False)
class RecordedValue:
    """What is kept of a call's value."""

    preview: str | None
    result: StoredResult | None = None
    """None when it was not recorded: too large, of no bytes, or not wanted."""


@dataclass(slots=True)
class CacheNote:
    """Under which key a call was looked for in the cache, and what came of that."""

    key: str
    reason: str
    """A sentence: why it was found, or why not."""
    to_store: bool = False
    """Its result is to be found under the key from now on."""
    expires_at: int | None = None
    """Microseconds since 1970 UTC; None for never."""


NO_VALUE: Final = RecordedValue(None)


_INSERT: Final = """
INSERT INTO task_run(id, flow_run, flow_attempt, incarnation, attempt, seq, task_name, call_index, name, group_number,
    parent_id, task_key, input_key, occurrence, state_type, state_name, state_message, state_at, created_at,
    started_at, worker, upstream, tags, call_key)
SELECT ?, key, attempt, incarnation, 1, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
FROM flow_run WHERE key = ? AND incarnation = ? AND state_type = 'RUNNING'
"""


def insert(
    connection: Connection, new: NewTaskRun, state: State, at: int, started_at: int | None, worker: str | None
) -> bool:
    """Make a call's row in its first state, if its flow run still runs and belongs to this process.

    Returns:
        False when it does not: it is being cancelled, it is over, or another process has taken it over.
    """
    cursor = connection.execute(
        _INSERT,
        (
            new.id, new.task_name, new.index, new.name, new.group, new.parent_id, new.task_key, new.input_key,
            new.occurrence, state.type, state.name, state.message, at, at, started_at, worker, new.upstream, new.tags,
            new.call_key, new.flow_run_key, new.incarnation,
        ),
    )  # fmt: skip
    return cursor.rowcount == 1


def _update(target: StateType, assignments: str) -> str:
    sources = ", ".join(f"'{source}'" for source in sorted(sources_of(TASK_RUN_TRANSITIONS, target)))
    return (
        f"UPDATE task_run SET state_type = '{target}', state_name = ?, state_message = ?, state_at = ?, {assignments}, "
        f"seq = seq + 1 WHERE id = ? AND incarnation = ? AND state_type IN ({sources})"
    )


_FINISH: Final = {
    target: _update(
        target,
        "ended_at = ?, error = ?, result_preview = ?, result = ?, result_hash = ?, result_bytes = ?, "
        "cache_key = ?, cache_reason = ?",
    )
    for target in (StateType.COMPLETED, StateType.FAILED, StateType.CRASHED)
} | {
    # Cancelled while it waited for its next attempt: what the last one failed of is still to be seen.
    StateType.CANCELLED: _update(
        StateType.CANCELLED,
        "ended_at = ?, error = coalesce(?, error), result_preview = ?, result = ?, result_hash = ?, result_bytes = ?, "
        "cache_key = ?, cache_reason = ?",
    )
}
_RUNNING: Final = (
    _update(
        StateType.RUNNING,
        "attempt = ?, worker = ?, started_at = coalesce(started_at, ?), name = ?, input_key = ?, occurrence = ?, "
        "call_key = ?",
    )
    + """ AND EXISTS (SELECT 1 FROM flow_run WHERE key = ? AND flow_run.incarnation = task_run.incarnation
                AND flow_run.state_type = 'RUNNING')"""
)
_WAITING: Final = _update(StateType.SCHEDULED, "error = ?")
_NOT_READY: Final = _update(StateType.PENDING, "ended_at = ?")


def set_running(
    connection: Connection, call: NewTaskRun, state: State, at: int, attempt: int, worker: str | None
) -> bool:
    """Start a call that was waiting, or its next attempt, if its flow run still runs."""
    values = (
        state.name, state.message, at, attempt, worker, at, call.name, call.input_key, call.occurrence, call.call_key,
        call.id, call.incarnation, call.flow_run_key,
    )  # fmt: skip
    return connection.execute(_RUNNING, values).rowcount == 1


def flow_run_is_running(connection: Connection, flow_run_key: int, incarnation: int) -> bool:
    """Tell whether the flow run is RUNNING in the hands of this process."""
    row = connection.execute(
        "SELECT 1 FROM flow_run WHERE key = ? AND incarnation = ? AND state_type = 'RUNNING'",
        (flow_run_key, incarnation),
    ).fetchone()
    return row is not None


def set_final(
    connection: Connection,
    task_run_id: int,
    incarnation: int,
    state: State,
    at: int,
    error: str | None,
    value: RecordedValue = NO_VALUE,
    cache: CacheNote | None = None,
) -> bool:
    """End a call. It is recorded even while its flow run is being cancelled: what was done was done."""
    values = (
        state.name, state.message, at, at, error, *value_columns(value), *cache_columns(cache), task_run_id,
        incarnation,
    )  # fmt: skip
    return connection.execute(_FINISH[state.type], values).rowcount == 1


def value_columns(value: RecordedValue) -> tuple[str | None, bytes | None, str | None, int | None]:
    """Return result_preview, result, result_hash and result_bytes."""
    kept = value.result
    if kept is None:
        return value.preview, None, None, None
    return value.preview, kept.inline, kept.file_hash, kept.size_bytes


def cache_columns(cache: CacheNote | None) -> tuple[str | None, str | None]:
    """Return cache_key and cache_reason."""
    return (None, None) if cache is None else (cache.key, cache.reason)


def set_waiting(
    connection: Connection, task_run_id: int, incarnation: int, state: State, at: int, error: str | None
) -> bool:
    """Note that a call waits for its next attempt (AwaitingRetry)."""
    values = (state.name, state.message, at, error, task_run_id, incarnation)
    return connection.execute(_WAITING, values).rowcount == 1


def set_not_ready(connection: Connection, task_run_id: int, incarnation: int, state: State, at: int) -> bool:
    """Note that a call will never start, since what it needs failed."""
    values = (state.name, state.message, at, at, task_run_id, incarnation)
    return connection.execute(_NOT_READY, values).rowcount == 1


def close_open(connection: Connection, flow_run_key: int, state: State, at: int) -> int:
    """Give every call of a run that is not over a final state: its process is gone, or its flow has ended."""
    first = flow_run_key * CALLS_PER_RUN
    cursor = connection.execute(
        """UPDATE task_run SET state_type = ?, state_name = ?, state_message = ?, state_at = ?, ended_at = ?,
               seq = seq + 1
           WHERE id >= ? AND id < ? AND state_type IN ('SCHEDULED', 'PENDING', 'RUNNING')
               AND state_name <> 'NotReady'""",
        (state.type, state.name, state.message, at, at, first, first + CALLS_PER_RUN),
    )
    return cursor.rowcount


def last_number(connection: Connection, flow_run_key: int) -> int:
    """Return the highest call number that the run has used, over all attempts; 0 for none."""
    first = flow_run_key * CALLS_PER_RUN
    row = connection.execute(
        "SELECT max(id) FROM task_run WHERE id >= ? AND id < ?", (first, first + CALLS_PER_RUN)
    ).fetchone()
    return 0 if row[0] is None else row[0] - first
