"""Questions about flow runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from flowdeck.rules.clock import to_datetime
from flowdeck.rules.exceptions import AmbiguousError, NotFoundError
from flowdeck.rules.states import StateType
from flowdeck.store import processes
from flowdeck.store.flow_runs import marks
from flowdeck.store.records import FlowRun, RunQuery, StateRecord, TaskCounts
from flowdeck.store.run_facts import error_from_json, unused_from_json
from flowdeck.store.sqlite import Connection


def moment(microseconds: int | None) -> datetime | None:
    """Turn a nullable stored time into a datetime or None."""
    return None if microseconds is None else to_datetime(microseconds)


def _task_counts(text: str | None) -> TaskCounts:
    return TaskCounts() if text is None else TaskCounts(*map(int, text.split()))


_FIELDS: Final[dict[str, tuple[str, Callable[[Any], Any] | None]]] = {
    **{
        name: (name, None)
        for name in (
            "key", "id", "name", "flow_name", "entrypoint", "working_dir", "source_file", "function", "state_name",
            "state_message", "attempt", "incarnation", "parent_key", "root_run_id", "origin_run_id", "deployment_id",
            "triggered_by", "interpreter", "pid", "host_pid", "exit_code", "signal", "peak_rss_bytes",
            "cpu_seconds",
        )
    },
    **{name: (name, moment) for name in ("scheduled_at", "started_at", "ended_at")},
    "created_at": ("created_at", to_datetime),
    "state_type": ("state_type", StateType),
    "tags": ("tags", lambda text: tuple(json.loads(text))),
    "parameters": ("parameters", json.loads),
    "error": ("error", error_from_json),
    "reused": ("reused", bool),
    "unused_results": ("unused_results", unused_from_json),
    "parent_run_id": ("(SELECT p.id FROM flow_run p WHERE p.key = flow_run.parent_key)", None),
    "task_counts": ("total || ' ' || completed || ' ' || failed || ' ' || running", _task_counts),
    "warning_count": ("coalesce(warnings, 0)", None),
    "error_count": ("coalesce(errors, 0)", None),
}  # fmt: skip
"""Field of the record -> (SQL expression, what turns the stored value into the field's; None to take it as it is)."""
_COLUMNS: Final = ", ".join(expression for expression, _ in _FIELDS.values())
_CONVERTERS: Final = [(name, convert) for name, (_, convert) in _FIELDS.items()]
_KEYS_AT_ONCE: Final = 900
"""SQLite takes a limited number of `?` in a statement; of old versions 999."""
_FROM: Final = "FROM flow_run LEFT JOIN flow_run_count ON flow_run_count.flow_run = flow_run.key"


def by_query(connection: Connection, query: RunQuery) -> list[FlowRun]:
    """List flow runs, newest first."""
    where, values = _conditions(query)
    limit = f"LIMIT {int(query.limit)}" if query.limit else ""
    return _records(connection, f"{where} ORDER BY key DESC {limit}", values)


def count(connection: Connection, query: RunQuery) -> int:
    """Count what `by_query` would list without its limit."""
    where, values = _conditions(query)
    return connection.execute(f"SELECT count(*) FROM flow_run {where}", values).fetchone()[0]


def by_keys(connection: Connection, keys: Iterable[int]) -> list[FlowRun]:
    """Return those that still exist, newest first."""
    wanted = sorted(set(keys), reverse=True)
    found: list[FlowRun] = []
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        part = wanted[start : start + _KEYS_AT_ONCE]
        found.extend(_records(connection, f"WHERE key IN ({marks(part)}) ORDER BY key DESC", part))
    return found


def lost(connection: Connection, keys: Iterable[int]) -> frozenset[int]:
    """Return which of these runs name a process or a run host, neither of which is there any more."""
    wanted = list(keys)
    rows = connection.execute(
        f"""SELECT key, pid, pid_token, host_pid, host_token FROM flow_run
            WHERE key IN ({marks(wanted)}) AND (pid IS NOT NULL OR host_pid IS NOT NULL)""",
        wanted,
    ).fetchall()
    return frozenset(
        key
        for key, pid, token, host_pid, host_token in rows
        if not processes.is_alive(pid, token) and not processes.is_alive(host_pid, host_token)
    )


def find(connection: Connection, reference: str) -> FlowRun:
    """Return the run that a user names by id, by a unique prefix or suffix of at least 4 characters, or by name.

    Raises:
        NotFoundError: there is none.
        AmbiguousError: there are several; the sentence lists the newest of them.
    """
    wanted = reference.strip().lower()
    found = _records(connection, "WHERE id = ?", [wanted])
    if not found:
        found = _records(connection, "WHERE name = ? ORDER BY key DESC LIMIT 6", [reference.strip()])
    if not found and len(wanted) >= 4:
        escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        found = _records(
            connection,
            "WHERE id LIKE ? ESCAPE '\\' OR id LIKE ? ESCAPE '\\' ORDER BY key DESC LIMIT 6",
            [f"{escaped}%", f"%{escaped}"],
        )
    if not found:
        raise NotFoundError(f"There is no flow run '{reference}'. `flowdeck flow-run ls` lists them.")
    if len(found) > 1:
        candidates = ", ".join(f"{run.id} ({run.name})" for run in found[:5])
        raise AmbiguousError(f"'{reference}' stands for several flow runs: {candidates}. Give more of the id.")
    return found[0]


def states(connection: Connection, key: int) -> list[StateRecord]:
    """Return every state that the flow run has been in, oldest first."""
    rows = connection.execute(
        """SELECT seq, state_type, state_name, message, at, attempt FROM state
           WHERE flow_run = ? AND task_run = 0 ORDER BY seq""",
        (key,),
    )
    return [
        StateRecord(seq, None, StateType(state_type), name, message, to_datetime(at), attempt)
        for seq, state_type, name, message, at, attempt in rows.fetchall()
    ]


def counts_by_type(connection: Connection, failed_since: int) -> dict[StateType, int]:
    """Count root runs that are not over by type, and those that failed or crashed since a moment."""
    rows = connection.execute(
        """SELECT state_type, count(*) FROM flow_run
           WHERE state_type IN ('SCHEDULED','PENDING','RUNNING','PAUSED','CANCELLING') AND parent_key IS NULL
           GROUP BY state_type"""
    ).fetchall()
    counts = {StateType(state_type): number for state_type, number in rows}
    failed = connection.execute(
        """SELECT count(*) FROM flow_run WHERE state_type IN ('FAILED','CRASHED') AND parent_key IS NULL
           AND ended_at >= ?""",
        (failed_since,),
    ).fetchone()[0]
    return {**counts, StateType.FAILED: failed} if failed else counts


def _conditions(query: RunQuery) -> tuple[str, list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if query.state_types:
        conditions.append(f"state_type IN ({marks(query.state_types)})")
        values.extend(query.state_types)
    if query.flow_name is not None:
        conditions.append("flow_name = ?")
        values.append(query.flow_name)
    if query.text:
        conditions.append("(instr(lower(name || ' ' || flow_name), ?) OR instr(id, ?))")
        values.extend([query.text.lower()] * 2)
    if query.roots_only:
        conditions.append("parent_key IS NULL")
    if query.before_key is not None:
        conditions.append("key < ?")
        values.append(query.before_key)
    if query.parent_key is not None:
        conditions.append(
            "parent_key = ? AND parent_attempt = (SELECT p.attempt FROM flow_run p WHERE p.key = flow_run.parent_key)"
        )
        values.append(query.parent_key)
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), values


def _records(connection: Connection, tail: str, values: Sequence[Any]) -> list[FlowRun]:
    return [_record(row) for row in connection.execute(f"SELECT {_COLUMNS} {_FROM} {tail}", values).fetchall()]


def _record(row: Sequence[Any]) -> FlowRun:
    values = zip(_CONVERTERS, row, strict=True)
    return FlowRun(**{name: value if convert is None else convert(value) for (name, convert), value in values})
