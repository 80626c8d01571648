"""Questions about task calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from flowdeck.rules.clock import to_datetime, to_optional_datetime
from flowdeck.rules.states import StateType
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.records import CallLine, CallPage, CallQuery, TaskCounts, TaskRun
from flowdeck.store.run_values import CALLS_PER_RUN, error_from_json

_FIELDS: Final[dict[str, tuple[str, Callable[[Any], Any] | None]]] = {
    **{
        name: (f"t.{name}", None)
        for name in (
            "id", "task_name", "flow_attempt", "parent_id", "state_name", "state_message", "attempt", "worker",
            "result_preview", "result_bytes", "reused_from", "cache_reason",
        )
    },
    **{name: (f"t.{name}", to_optional_datetime) for name in ("started_at", "ended_at")},
    "flow_run_key": ("t.flow_run", None),
    "flow_run_id": ("f.id", None),
    "name": ("coalesce(t.name, t.task_name || '-' || t.call_index)", None),
    "index": ("t.call_index", None),
    "group": ("t.group_number", None),
    "state_type": ("t.state_type", StateType),
    "from_cache": ("t.from_cache", bool),
    "reused": ("t.reused", bool),
    "created_at": ("t.created_at", to_datetime),
    "upstream_ids": ("t.upstream", lambda text: tuple(json.loads(text)) if text else ()),
    "tags": ("t.tags", lambda text: tuple(json.loads(text)) if text else ()),
    "error": ("t.error", error_from_json),
}  # fmt: skip
"""Field of the record -> (SQL expression, what turns the stored value into the field's; None to take it as it is)."""
_COLUMNS: Final = ", ".join(expression for expression, _ in _FIELDS.values())
_CONVERTERS: Final = [(name, convert) for name, (_, convert) in _FIELDS.items()]


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


_LINE: Final = """min(t.id), t.group_number, t.task_name,
    coalesce(t.name, t.task_name || '-' || t.call_index), count(*),
    sum(t.state_type = 'COMPLETED'), sum(t.state_type IN ('FAILED', 'CRASHED')),
    sum(t.state_type = 'RUNNING'), sum(t.ended_at IS NULL), t.state_type, t.state_name, t.state_message,
    min(t.started_at), max(t.ended_at), max(t.attempt)"""
_OF_ATTEMPT: Final = """FROM task_run t JOIN flow_run f ON f.key = t.flow_run
    WHERE t.id >= ? AND t.id < ? AND t.flow_attempt = f.attempt"""
_BY_CALL: Final = "GROUP BY coalesce(-t.group_number, t.id)"
_BY_ITEM: Final = "GROUP BY t.id"
_ORDERS: Final = {
    "call": "1",
    "failed": "sum(t.state_type IN ('FAILED', 'CRASHED')) = 0, 1",
    "slowest": "coalesce(max(t.ended_at), ?) - min(t.started_at) DESC NULLS LAST, 1",
}


def call_lines(connection: Connection, flow_run_key: int) -> list[CallLine]:
    """Return what a tree shows below a run: its calls of the current attempt, each `.map()` as one line."""
    first = flow_run_key * CALLS_PER_RUN
    statement = f"SELECT {_LINE} {_OF_ATTEMPT} {_BY_CALL} ORDER BY 1"
    rows = connection.execute(statement, (first, first + CALLS_PER_RUN))
    return [_line(flow_run_key, row) for row in rows.fetchall()]


def call_page(connection: Connection, flow_run_key: int, query: CallQuery, now: int) -> CallPage:
    """Return a stretch of a run's calls of the current attempt, and how many there are.

    Args:
        connection: a connection for reading.
        flow_run_key: integer key of the flow run.
        query: the calls to list, and their order.
        now: microseconds since 1970 UTC; up to then a call that is not over has taken its time.
    """
    first = flow_run_key * CALLS_PER_RUN
    source, values = _OF_ATTEMPT, [first, first + CALLS_PER_RUN]
    conditions: list[Any] = []
    if query.group is not None:
        source += " AND t.group_number = ?"
        conditions.append(query.group)
    if query.text:
        source += " AND instr(lower(coalesce(t.name, t.task_name || '-' || t.call_index)), ?) > 0"
        conditions.append(query.text.lower())
    lines = f"{source} {_BY_CALL if query.group is None else _BY_ITEM}"
    (total,) = connection.execute(f"SELECT count(*) FROM (SELECT 1 {lines})", [*values, *conditions]).fetchone()
    until = [now] if query.order == "slowest" else []
    rows = connection.execute(
        f"SELECT {_LINE} {lines} ORDER BY {_ORDERS[query.order]} LIMIT ? OFFSET ?",
        [*values, *conditions, *until, query.limit or -1, query.offset],
    ).fetchall()
    is_item = query.group is not None
    return CallPage(query, total, tuple(_line(flow_run_key, row, is_item=is_item) for row in rows))


def _line(flow_run_key: int, row: Sequence[Any], *, is_item: bool = False) -> CallLine:
    first_id, group, task_name, name, total, completed, failed, running, unfinished, *state, start, end, attempt = row
    group = None if is_item else group
    counts = TaskCounts(total, completed, failed, running)
    state_type, state_name, message = state if group is None else _group_state(counts, unfinished)
    return CallLine(
        flow_run_key=flow_run_key,
        task_name=task_name,
        name=name if group is None else f"{task_name} ×{total}",
        first_id=first_id,
        group=group,
        counts=counts,
        state_type=StateType(state_type),
        state_name=state_name,
        state_message=message,
        started_at=to_optional_datetime(start),
        ended_at=None if unfinished else to_optional_datetime(end),
        attempt=attempt,
    )


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
    values = zip(_CONVERTERS, row, strict=True)
    return TaskRun(**{name: value if convert is None else convert(value) for (name, convert), value in values})
