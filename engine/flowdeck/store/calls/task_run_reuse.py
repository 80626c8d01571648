"""Task calls that are completed without being run: their value was recorded by an earlier attempt, or is cached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flowdeck.rules.states import TASK_RUN_TRANSITIONS, State, StateType, sources_of
from flowdeck.store.calls.task_runs import CacheNote, NewTaskRun, RecordedValue, cache_columns, value_columns
from flowdeck.store.database.sqlite import Connection


@dataclass(slots=True)
class Origin:
    """Where the value of a call comes from that was not run."""

    task_run_id: int | None
    """Call of an earlier attempt of this flow run; None for a value of the cache."""
    cache: CacheNote | None
    """How it was found in the cache; None for a call of an earlier attempt."""


_VALUES: Final = (
    "state_name, state_message, state_at, ended_at, result_preview, result, result_hash, result_bytes, reused_from, "
    "reused, from_cache, cache_key, cache_reason"
)
_INSERT: Final = f"""
INSERT INTO task_run(id, flow_run, flow_attempt, incarnation, attempt, seq, task_name, call_index, name, group_number,
    parent_id, task_key, input_key, occurrence, call_key, upstream, tags, created_at, state_type, {_VALUES})
SELECT ?, key, attempt, incarnation, 1, 1, {", ".join("?" * 12)}, 'COMPLETED', {", ".join("?" * 13)}
FROM flow_run WHERE key = ? AND incarnation = ? AND state_type = 'RUNNING'
"""
_SOURCES: Final = ", ".join(f"'{source}'" for source in sorted(sources_of(TASK_RUN_TRANSITIONS, StateType.COMPLETED)))
_UPDATE: Final = f"""
UPDATE task_run SET state_type = 'COMPLETED', {_VALUES.replace(",", " = ?,")} = ?, name = ?, input_key = ?,
    occurrence = ?, call_key = ?, seq = seq + 1
WHERE id = ? AND incarnation = ? AND state_type IN ({_SOURCES})
"""


def take_over(
    connection: Connection, call: NewTaskRun, state: State, at: int, value: RecordedValue, origin: Origin, *, made: bool
) -> bool:
    """Complete a call with a value that is known.

    Args:
        connection: a connection for writing, inside a transaction.
        call: the call.
        state: COMPLETED by type; Cached by name when the value is of the cache.
        at: time of the change, in microseconds since 1970 UTC.
        value: the value itself.
        origin: origin of the value.
        made: the call's row is there already.

    Returns:
        False when its flow run may not start anything any more.
    """
    known: tuple[Any, ...] = (
        state.name, state.message, at, at, *value_columns(value), origin.task_run_id, int(origin.cache is None),
        int(origin.cache is not None), *cache_columns(origin.cache),
    )  # fmt: skip
    if made:
        marks = (call.name, call.input_key, call.occurrence, call.call_key, call.id, call.incarnation)
        return connection.execute(_UPDATE, (*known, *marks)).rowcount == 1
    identity = (
        call.id, call.task_name, call.index, call.name, call.group, call.parent_id, call.task_key, call.input_key,
        call.occurrence, call.call_key, call.upstream, call.tags, at,
    )  # fmt: skip
    return connection.execute(_INSERT, (*identity, *known, call.flow_run_key, call.incarnation)).rowcount == 1
