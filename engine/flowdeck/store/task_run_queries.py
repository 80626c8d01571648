"""Questions about task calls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from flowdeck.rules.clock import to_datetime
from flowdeck.rules.states import StateType
from flowdeck.store.flow_run_queries import moment
from flowdeck.store.records import CallLine, TaskCounts, TaskRun
from flowdeck.store.run_facts import CALLS_PER_RUN, error_from_json
from flowdeck.store.sqlite import Connection

_COLUMNS: Final = (
    "t.id, t.flow_run, f.id, t.name, t.task_name, t.call_index, t.flow_attempt, t.group_number, t.parent_id, "
    "t.state_type, t.state_name, t.state_message, t.attempt, t.from_cache, t.reused, t.worker, t.created_at, "
    "t.started_at, t.ended_at, t.upstream, t.result_preview, t.error, t.tags"
)


def of_flow_run(
    connection: Connection, flow_run_key: int, *, group: int | None, flow_attempt: int | None, limit: int
) -> list[TaskRun]:
    """Return a run's calls in the order they were made: of its current attempt, or of another one."""
    first = flow_run_key * CALLS_PER_RUN
    where = "t.id >= ? AND t.id < ? AND t.flow_attempt = coalesce(?, f.attempt)"
    values: list[Any] = [first, first + CALLS_PER_RUN, flow_attempt]
    if group is not None:
        where += " AND t.group_number = ?"
        values.append(group)
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM task_run t JOIN flow_run f ON f.key = t.flow_run WHERE {where} ORDER BY t.id"
        + (f" LIMIT {int(limit)}" if limit else ""),
        values,
    )
    return [_record(row) for row in rows.fetchall()]


def by_id(connection: Connection, task_run_id: int) -> TaskRun | None:
    """Return one call."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM task_run t JOIN flow_run f ON f.key = t.flow_run WHERE t.id = ?", (task_run_id,)
    ).fetchone()
    return None if row is None else _record(row)


def call_lines(connection: Connection, flow_run_key: int) -> list[CallLine]:
    """Return what a tree shows below a run: its calls of the current attempt, each `.map()` as one line."""
    first = flow_run_key * CALLS_PER_RUN
    rows = connection.execute(
        """SELECT min(t.id), t.group_number, t.task_name, t.name, t.call_index, count(*),
               sum(t.state_type = 'COMPLETED'), sum(t.state_type IN ('FAILED', 'CRASHED')),
               sum(t.state_type = 'RUNNING'), sum(t.ended_at IS NULL), t.state_type, t.state_name, t.state_message,
               min(t.started_at), max(t.ended_at), max(t.attempt)
           FROM task_run t JOIN flow_run f ON f.key = t.flow_run
           WHERE t.id >= ? AND t.id < ? AND t.flow_attempt = f.attempt
           GROUP BY coalesce(-t.group_number, t.id) ORDER BY 1""",
        (first, first + CALLS_PER_RUN),
    )
    return [_line(flow_run_key, row) for row in rows.fetchall()]


def _line(flow_run_key: int, row: Sequence[Any]) -> CallLine:
    (
        first_id, group, task_name, name, index, total, completed, failed, running, unfinished,
        state_type, state_name, message, started_at, ended_at, attempt,
    ) = row  # fmt: skip
    counts = TaskCounts(total, completed, failed, running)
    if group is not None:
        state_type, state_name, message = _group_state(counts, unfinished)
        name = f"{task_name} ×{total}"
    return CallLine(
        flow_run_key=flow_run_key, task_name=task_name, name=name or f"{task_name}-{index}", first_id=first_id,
        group=group, counts=counts, state_type=StateType(state_type), state_name=state_name, state_message=message,
        started_at=moment(started_at), ended_at=None if unfinished else moment(ended_at), attempt=attempt,
    )  # fmt: skip


def _group_state(counts: TaskCounts, unfinished: int) -> tuple[str, str, str | None]:
    if unfinished:
        started = counts.running or counts.completed or counts.failed
        return ("RUNNING", "Running", None) if started else ("PENDING", "Pending", None)
    if counts.failed:
        return "FAILED", "Failed", f"{counts.failed} of {counts.total} failed."
    if counts.completed < counts.total:
        return "CANCELLED", "Cancelled", f"{counts.total - counts.completed} of {counts.total} did not run."
    return "COMPLETED", "Completed", None


def _record(row: Sequence[Any]) -> TaskRun:
    (
        task_run_id, flow_run_key, flow_run_id, name, task_name, index, flow_attempt, group, parent_id,
        state_type, state_name, state_message, attempt, from_cache, reused, worker, created_at,
        started_at, ended_at, upstream, preview, error, tags,
    ) = row  # fmt: skip
    return TaskRun(
        id=task_run_id, flow_run_key=flow_run_key, flow_run_id=flow_run_id, name=name or f"{task_name}-{index}",
        task_name=task_name, tags=tuple(json.loads(tags)) if tags else (), index=index, flow_attempt=flow_attempt, group=group, parent_id=parent_id,
        state_type=StateType(state_type), state_name=state_name, state_message=state_message, attempt=attempt,
        from_cache=bool(from_cache), reused=bool(reused), worker=worker, created_at=to_datetime(created_at),
        started_at=moment(started_at), ended_at=moment(ended_at),
        upstream_ids=tuple(json.loads(upstream)) if upstream else (), result_preview=preview,
        error=error_from_json(error),
    )  # fmt: skip
