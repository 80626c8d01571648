"""Recorded results of a flow run's calls: which there are, and where each of them lies."""

from __future__ import annotations

from typing import NamedTuple

from flowdeck.store.database.sqlite import Connection
from flowdeck.store.run_values import CALLS_PER_RUN


class RecordedCall(NamedTuple):
    """A completed call of an earlier attempt."""

    task_run_id: int
    is_top_level: bool
    """No other task called it."""


class RecordedResult(NamedTuple):
    """What was recorded of a completed call."""

    flow_attempt: int
    inline: bytes | None
    file_hash: str | None
    size_bytes: int | None
    preview: str | None
    committed_at: int | None
    """When its transaction was committed, in microseconds; None for a call of none, or of one that was not."""
    transaction_values: bytes | None
    """What its body has set in its transaction, pickled."""


class RecordedSubflow(NamedTuple):
    """A subflow run of an earlier attempt."""

    key: int
    id: str
    name: str
    attempt: int
    incarnation: int
    completed: int
    """1 when it completed with a recorded result."""
    inline: bytes | None
    file_hash: str | None


def calls(connection: Connection, flow_run_key: int) -> dict[bytes, RecordedCall]:
    """Return the completed calls of a run whose results are recorded, by call key; of two the later one."""
    first = flow_run_key * CALLS_PER_RUN
    rows = connection.execute(
        """SELECT call_key, id, parent_id IS NULL FROM task_run
           WHERE id >= ? AND id < ? AND state_type = 'COMPLETED' AND state_name <> 'RolledBack' AND reused = 0
               AND call_key IS NOT NULL AND result_bytes IS NOT NULL
           ORDER BY id""",
        (first, first + CALLS_PER_RUN),
    )
    return {call_key: RecordedCall(task_run_id, bool(top)) for call_key, task_run_id, top in rows.fetchall()}


def result(connection: Connection, task_run_id: int) -> RecordedResult | None:
    """Return what was recorded of a call; None when its row is gone."""
    row = connection.execute(
        """SELECT flow_attempt, result, result_hash, result_bytes, result_preview, committed_at, transaction_values
           FROM task_run WHERE id = ?""",
        (task_run_id,),
    ).fetchone()
    return None if row is None else RecordedResult(*row)


def names(connection: Connection, task_run_ids: list[int]) -> list[str]:
    """Return calls as people write them: `extract[0]`."""
    marks = ", ".join("?" * len(task_run_ids))
    rows = connection.execute(
        f"SELECT task_name || '[' || call_index || ']' FROM task_run WHERE id IN ({marks}) ORDER BY id", task_run_ids
    )
    return [name for (name,) in rows.fetchall()]


def subflows(connection: Connection, flow_run_key: int) -> dict[bytes, RecordedSubflow]:
    """Return the subflow runs that a run has made in earlier attempts, by call key."""
    rows = connection.execute(
        """SELECT call_key, key, id, name, attempt, incarnation,
               state_type = 'COMPLETED' AND (result IS NOT NULL OR result_hash IS NOT NULL), result, result_hash
           FROM flow_run WHERE parent_key = ? AND call_key IS NOT NULL ORDER BY key""",
        (flow_run_key,),
    )
    return {row[0]: RecordedSubflow(*row[1:]) for row in rows.fetchall()}
