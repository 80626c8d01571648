"""Questions about flow runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from flowdeck.rules.clock import to_datetime, to_optional_datetime
from flowdeck.rules.exceptions import AmbiguousError, NotFoundError
from flowdeck.rules.runs.run_order import Place
from flowdeck.rules.states import StateType
from flowdeck.store import processes
from flowdeck.store.database.index_expressions import FAILED_RUNS, LIVE_RUNS
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.records import FlowRun, RunQuery, StateRecord, TaskCounts
from flowdeck.store.run_values import error_from_json, unused_from_json
from flowdeck.store.runs.flow_runs import marks
from flowdeck.store.runs.run_conditions import escaped
from flowdeck.store.runs.run_scan import KEYS_AT_ONCE, RunScan, all_conditions, kept_keys


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
    **{name: (name, to_optional_datetime) for name in ("scheduled_at", "started_at", "ended_at")},
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


def by_query(connection: Connection, query: RunQuery, now: datetime) -> list[FlowRun]:
    """List flow runs in the query's order; `now` is that from which its filter counts back."""
    return in_order(connection, keys(connection, query, now))


def keys(connection: Connection, query: RunQuery, now: datetime, until: Place | None = None) -> list[int]:
    """List the keys of flow runs; with `until` up to the run that stands there, or none when it does not."""
    scan = RunScan(connection, query, now)
    found: list[int] = []
    while not scan.is_over and (not query.limit or len(found) < query.limit):
        step = scan.step(connection, query.limit - len(found) if query.limit else KEYS_AT_ONCE)
        if until is not None and until.key in step:
            return found + step[: step.index(until.key) + 1]
        found.extend(step)
    return found if until is None else []


def count(connection: Connection, query: RunQuery, now: datetime) -> int:
    """Count what `by_query` would list without its limit."""
    if not query.filter and query.roots_only and query.parent_key is None:
        return connection.execute("SELECT count(*) FROM flow_run WHERE parent_key IS NULL").fetchone()[0]
    scan = RunScan(connection, query, now)
    number = 0
    while not scan.is_over:
        number += scan.count_step(connection)
    return number


def listed(connection: Connection, wanted: Iterable[int], query: RunQuery, now: datetime) -> frozenset[int]:
    """Return which of these runs belong to a list, wherever they stand in it."""
    return kept_keys(connection, sorted(wanted), all_conditions(connection, query, now))


def in_order(connection: Connection, wanted: Sequence[int]) -> list[FlowRun]:
    """Return those of the runs that still exist, in the order given."""
    found = {run.key: run for run in by_keys(connection, wanted)}
    return [found[key] for key in wanted if key in found]


def by_keys(connection: Connection, wanted_keys: Iterable[int]) -> list[FlowRun]:
    """Return those that still exist, newest first."""
    wanted = sorted(set(wanted_keys), reverse=True)
    found: list[FlowRun] = []
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        part = wanted[start : start + _KEYS_AT_ONCE]
        found.extend(_records(connection, f"WHERE key IN ({marks(part)}) ORDER BY key DESC", part))
    return found


def lost(connection: Connection, wanted: Iterable[int], *, hosted_too: bool = False) -> frozenset[int]:
    """Return which of these runs name a process or a run host, neither of which is there any more.

    Args:
        connection: connection to the home's database.
        wanted: integer keys of the runs.
        hosted_too: count a run whose process is gone although its host is there, which waits to record that.
    """
    rows = connection.execute(
        """SELECT key, pid, pid_token, host_pid, host_token FROM flow_run
           WHERE key IN (SELECT value FROM json_each(?)) AND (pid IS NOT NULL OR host_pid IS NOT NULL)""",
        (json.dumps(list(wanted)),),
    ).fetchall()
    return frozenset(
        key
        for key, pid, token, host_pid, host_token in rows
        if not processes.is_alive(pid, token)
        and (not processes.is_alive(host_pid, host_token) or (hosted_too and pid is not None))
    )


def below(connection: Connection, key: int) -> list[tuple[int, str, str]]:
    """Return key, id and name of all runs that a run and its subflow runs have started, in their order."""
    return connection.execute(
        """WITH RECURSIVE below(key) AS (
               SELECT key FROM flow_run WHERE parent_key = ?
               UNION ALL SELECT child.key FROM flow_run child JOIN below ON child.parent_key = below.key)
           SELECT key, id, name FROM flow_run WHERE key IN below ORDER BY key""",
        (key,),
    ).fetchall()


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
        found = _records(
            connection,
            "WHERE id LIKE ? ESCAPE '\\' OR id LIKE ? ESCAPE '\\' ORDER BY key DESC LIMIT 6",
            [f"{escaped(wanted)}%", f"%{escaped(wanted)}"],
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
        f"SELECT state_type, count(*) FROM flow_run WHERE {LIVE_RUNS} AND parent_key IS NULL GROUP BY state_type"
    ).fetchall()
    counts = {StateType(state_type): number for state_type, number in rows}
    failed = connection.execute(
        f"SELECT count(*) FROM flow_run WHERE {FAILED_RUNS} AND ended_at >= ?", (failed_since,)
    ).fetchone()[0]
    return {**counts, StateType.FAILED: failed} if failed else counts


def _records(connection: Connection, tail: str, values: Sequence[Any]) -> list[FlowRun]:
    return [_record(row) for row in connection.execute(f"SELECT {_COLUMNS} {_FROM} {tail}", values).fetchall()]


def _record(row: Sequence[Any]) -> FlowRun:
    values = zip(_CONVERTERS, row, strict=True)
    return FlowRun(**{name: value if convert is None else convert(value) for (name, convert), value in values})
