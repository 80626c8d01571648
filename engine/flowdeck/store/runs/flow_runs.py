"""Flow runs in the store: making them, and changing their state, always guarded by the transition table."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, NamedTuple

from flowdeck.rules.states import FLOW_RUN_TRANSITIONS, TERMINAL, State, StateType, sources_of
from flowdeck.store.database.index_expressions import LIVE_RUNS
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.run_values import CALLS_PER_RUN


@dataclass(frozen=True, slots=True)
class NewFlowRun:
    """What is known of a flow run when its row is made. Times in microseconds since 1970 UTC."""

    id: str
    name: str
    flow_name: str
    entrypoint: str | None
    working_dir: str
    source_file: str | None
    """Real path of the file that defines the flow."""
    function: str | None
    state: State
    at: int
    triggered_by: str
    parameters: str
    """JSON object."""
    root_run_id: str
    scheduled_at: int | None = None
    parent_key: int | None = None
    parent_task_run_id: int | None = None
    parent_attempt: int | None = None
    origin_run_id: str | None = None
    dedup_key: str | None = None
    tags: tuple[str, ...] = ()
    environment: str | None = None
    """JSON object of the environment that an engine shall give the run; None for a run in the caller's process."""
    interpreter: str | None = None
    pid: int | None = None
    pid_token: str | None = None
    incarnation: int = 0
    call_key: bytes | None = None
    """Of a subflow: stands for its call in every attempt of the run that calls it."""
    crash_retries: int = 0
    """How often it is started again after its process died."""
    hooks: str | None = None
    """JSON array of the ends for which its flow has hooks: an end that its process does not live to see needs them."""


_PLAIN_COLUMNS: Final = tuple(field.name for field in fields(NewFlowRun) if field.name not in {"state", "at", "tags"})


_REASON_OF_CANCEL: Final = "coalesce(CASE WHEN state_type = 'CANCELLING' THEN state_message END, ?)"


def insert(connection: Connection, new: NewFlowRun) -> int:
    """Make a flow run in its first state; return its key."""
    columns: dict[str, Any] = {name: getattr(new, name) for name in _PLAIN_COLUMNS}
    columns |= {
        "state_type": new.state.type,
        "state_name": new.state.name,
        "state_message": new.state.message,
        "state_at": new.at,
        "created_at": new.at,
        "started_at": new.at if new.state.type is StateType.RUNNING else None,
        "attempt": 1,
        "seq": 1,
        "tags": json.dumps(new.tags),
    }
    names = ", ".join(columns)
    cursor = connection.execute(f"INSERT INTO flow_run({names}) VALUES ({marks(columns)})", [*columns.values()])
    key = cursor.lastrowid
    assert key is not None
    return key


def below(
    new: NewFlowRun, first_task_id: int, parent_task_run_id: int | None, parent_attempt: int, root_run_id: str
) -> NewFlowRun:
    """Return the new run as a subflow of the run whose calls begin at `first_task_id`."""
    return replace(
        new,
        parent_key=first_task_id // CALLS_PER_RUN,
        parent_task_run_id=parent_task_run_id,
        parent_attempt=parent_attempt,
        root_run_id=root_run_id,
        triggered_by="flow",
    )


def resume(connection: Connection, key: int, new: NewFlowRun, at: int) -> tuple[int, int] | None:
    """Begin the next attempt of a subflow run that is over, in the process of the run that calls it again.

    Args:
        connection: a connection for writing, inside a transaction.
        key: integer key of the subflow run.
        new: the run that would be made if there was none, with its process and its call.
        at: time of the change, in microseconds since 1970 UTC.

    Returns:
        Its attempt and incarnation from now on, or None when it is not over.
    """
    scheduled = State(StateType.SCHEDULED, "Scheduled", "Its parent run calls it again.")
    row = connection.execute("SELECT attempt, incarnation FROM flow_run WHERE key = ?", (key,)).fetchone()
    if row is None or not set_state(connection, key, scheduled, at, expected=TERMINAL):
        return None
    attempt, incarnation = row[0] + 1, row[1] + 1
    columns: dict[str, Any] = {
        "attempt": attempt, "incarnation": incarnation, "reused": 0, "started_at": at, "ended_at": None, "error": None,
        "exit_code": None, "signal": None, "cancel_forced": None, "parent_attempt": new.parent_attempt,
        "parent_task_run_id": new.parent_task_run_id, "pid": new.pid, "pid_token": new.pid_token,
        "interpreter": new.interpreter, "parameters": new.parameters, "hooks": new.hooks,
    }  # fmt: skip
    running = State(StateType.RUNNING, "Running", f"Attempt {attempt}.")
    set_state(connection, key, running, at, columns=columns)
    return attempt, incarnation


def set_state(
    connection: Connection,
    key: int,
    state: State,
    at: int,
    *,
    incarnation: int | None = None,
    expected: Collection[StateType] | None = None,
    columns: Mapping[str, Any] | None = None,
) -> bool:
    """Change a flow run's state if the transition table allows it from where the run now is.

    Args:
        connection: a connection for writing, inside a transaction.
        key: integer key of the flow run.
        state: the new state.
        at: time of the change, in microseconds since 1970 UTC.
        incarnation: of the process that says so; a process that has been replaced is refused. None for an engine or
            a user, who may speak of any.
        expected: narrower than the table: only from these types.
        columns: further columns to set with it.

    Returns:
        True when it was changed; False when it was refused (look at the row to see why).
    """
    sources = sources_of(FLOW_RUN_TRANSITIONS, state.type)
    if expected is not None:
        sources &= frozenset(expected)
    assignments = _assignments(state, at, columns or {})
    values: list[Any] = [*assignments.values(), key]
    where = f"key = ? AND state_type IN ({marks(sources)})"
    values.extend(sorted(sources))
    if incarnation is not None:
        where += " AND incarnation = ?"
        values.append(incarnation)
    settings = ", ".join(f"{column} = ?" for column in assignments)
    if state.type is StateType.CANCELLED:
        # Who asked for the cancel, and how, stays on the run; how its process was then told is not worth a word.
        settings = settings.replace("state_message = ?", f"state_message = {_REASON_OF_CANCEL}")
    cursor = connection.execute(f"UPDATE flow_run SET {settings}, seq = seq + 1 WHERE {where}", values)
    return cursor.rowcount == 1


def _assignments(state: State, at: int, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that come with a state; those of `columns` are set as they are."""
    assignments: dict[str, Any] = {
        "state_type": state.type,
        "state_name": state.name,
        "state_message": state.message,
        "state_at": at,
        **columns,
    }
    if state.is_final():
        assignments.setdefault("ended_at", at)
        assignments.setdefault("error", None)  # that of an earlier attempt is not the reason of this end
        assignments.setdefault("crashes", 0)
        assignments.setdefault("environment", None)  # it was for a start, and may hold secrets
    return assignments


_OF_AN_ATTEMPT: Final = (
    "started_at", "ended_at", "pid", "pid_token", "host_pid", "host_token", "exit_code", "signal", "error",
    "cancel_forced", "unused_results", "peak_rss_bytes", "cpu_seconds",
)  # fmt: skip


def schedule_again(  # noqa: PLR0913 - who asks, for what, and what goes along
    connection: Connection,
    key: int,
    state: State,
    at: int,
    *,
    attempt: int,
    environment: str | None,
    incarnation: int | None = None,
    expected: Collection[StateType] = TERMINAL,
    columns: Mapping[str, Any] | None = None,
) -> bool:
    """Let an engine start the next attempt of a run that is over.

    Args:
        connection: a connection for writing, inside a transaction.
        key: integer key of the flow run.
        state: a state of the type SCHEDULED.
        at: time of the change, in microseconds since 1970 UTC.
        attempt: the number of that attempt.
        environment: JSON object of the environment that it shall have; None for the engine's.
        incarnation: incarnation of the process that says so; see `set_state`.
        expected: types from which it may change; see `set_state`.
        columns: further columns to set with it.

    Returns:
        False when it was refused.
    """
    fresh = {
        **dict.fromkeys(_OF_AN_ATTEMPT), "attempt": attempt, "scheduled_at": at, "environment": environment,
        **(columns or {}),
    }  # fmt: skip
    return set_state(connection, key, state, at, incarnation=incarnation, expected=expected, columns=fresh)


def set_columns(connection: Connection, key: int, columns: Mapping[str, Any]) -> None:
    """Note facts beside the state: process ids, exit code, error."""
    settings = ", ".join(f"{column} = ?" for column in columns)
    connection.execute(f"UPDATE flow_run SET {settings} WHERE key = ?", (*columns.values(), key))


def add_log_counts(connection: Connection, key: int, warnings: int, errors: int) -> None:
    """Add to the counts of warning and error records."""
    connection.execute(
        "UPDATE flow_run_count SET warnings = warnings + ?, errors = errors + ? WHERE flow_run = ?",
        (warnings, errors, key),
    )


def set_log_counts(connection: Connection, key: int, warnings: int, errors: int) -> None:
    """Replace the counts, after the log was counted: its writer died before it could report."""
    connection.execute("UPDATE flow_run_count SET warnings = ?, errors = ? WHERE flow_run = ?", (warnings, errors, key))


def claim(connection: Connection, at: int) -> tuple[int, str, int] | None:
    """Claim the flow run that has been due longest, for an engine to start.

    Returns:
        (key, id, incarnation) of a run that is now PENDING and belongs to the caller, or None when none is due.
    """
    row = connection.execute(
        f"""SELECT key, id, incarnation FROM flow_run
           WHERE state_type = 'SCHEDULED' AND {LIVE_RUNS}
               AND scheduled_at <= ? AND pid IS NULL AND host_pid IS NULL
           ORDER BY scheduled_at, key LIMIT 1""",
        (at,),
    ).fetchone()
    if row is None:
        return None
    key, run_id, incarnation = row
    pending = State(StateType.PENDING, "Pending", "An engine is starting its process.")
    set_state(connection, key, pending, at, columns={"incarnation": incarnation + 1})
    return key, run_id, incarnation + 1


def cancel(connection: Connection, key: int, message: str, at: int, *, forced: bool) -> None:
    """Cancel a run that no process has; of any other note that it shall end, for its process and its engine to see.

    Its subflow runs are told too: the next task call inside of one is then refused, like one of its own.
    """
    columns = {"cancel_forced": 1} if forced else {}
    if is_unclaimed(connection, key):
        set_state(connection, key, State(StateType.CANCELLED, "Cancelled", message), at, columns=columns)
        return
    cancelling = State(StateType.CANCELLING, "Cancelling", message)
    if not set_state(connection, key, cancelling, at, columns=columns) and forced:
        set_columns(connection, key, columns)
    for below_key in descendants(connection, key):
        set_state(connection, below_key, cancelling, at)


def next_due_at(connection: Connection) -> int | None:
    """Return when the next scheduled run that an engine may claim is due, in microseconds."""
    return connection.execute(
        f"""SELECT min(scheduled_at) FROM flow_run
           WHERE state_type = 'SCHEDULED' AND {LIVE_RUNS}
               AND pid IS NULL AND host_pid IS NULL"""
    ).fetchone()[0]


def delete(connection: Connection, keys: Sequence[int]) -> None:
    """Delete flow runs with their subflow runs, calls and states."""
    doomed = [key for root in keys for key in (root, *descendants(connection, root))]
    for key in doomed:
        first = key * CALLS_PER_RUN
        connection.execute("DELETE FROM task_run WHERE id >= ? AND id < ?", (first, first + CALLS_PER_RUN))
        connection.execute("DELETE FROM state WHERE flow_run = ?", (key,))
        connection.execute("DELETE FROM flow_run_count WHERE flow_run = ?", (key,))
        connection.execute("DELETE FROM flow_run WHERE key = ?", (key,))


def is_unclaimed(connection: Connection, key: int) -> bool:
    """Tell whether a run waits for its start and no process has it: neither an engine's nor a script's own retry."""
    row = connection.execute(
        "SELECT 1 FROM flow_run WHERE key = ? AND state_type = 'SCHEDULED' AND pid IS NULL AND host_pid IS NULL", (key,)
    ).fetchone()
    return row is not None


def belongs_to(connection: Connection, key: int, incarnation: int) -> bool:
    """Tell whether the process of this incarnation is still the one that has the run."""
    row = connection.execute("SELECT 1 FROM flow_run WHERE key = ? AND incarnation = ?", (key, incarnation)).fetchone()
    return row is not None


def is_over(connection: Connection, key: int) -> bool:
    """Tell whether a run has a final state, or is not there (any more)."""
    row = connection.execute("SELECT state_type FROM flow_run WHERE key = ?", (key,)).fetchone()
    return row is None or StateType(row[0]) in TERMINAL


class RunStanding(NamedTuple):
    """Where the row of a flow run is."""

    state_type: StateType
    state_name: str
    incarnation: int


def standing(connection: Connection, key: int) -> RunStanding | None:
    """Return where a run is; None when there is no such run (any more)."""
    row = connection.execute(
        "SELECT state_type, state_name, incarnation FROM flow_run WHERE key = ?", (key,)
    ).fetchone()
    return None if row is None else RunStanding(StateType(row[0]), row[1], row[2])


def id_of(connection: Connection, key: int) -> str | None:
    """Return the id of a run; None when there is no such run (any more)."""
    row = connection.execute("SELECT id FROM flow_run WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def ids_of_root(connection: Connection, root_run_id: str) -> list[str]:
    """Return the ids of a root run and of all runs below it."""
    rows = connection.execute("SELECT id FROM flow_run WHERE root_run_id = ?", (root_run_id,)).fetchall()
    return [run_id for (run_id,) in rows]


def key_of_request(connection: Connection, dedup_key: str) -> int | None:
    """Return the key of the run that was made for a request of this name; None when there is none."""
    row = connection.execute("SELECT key FROM flow_run WHERE dedup_key = ?", (dedup_key,)).fetchone()
    return None if row is None else row[0]


def descendants(connection: Connection, key: int, *, live_only: bool = False) -> list[int]:
    """Return the keys of a run's subflow runs and of theirs, of all attempts; or only of those that are not over."""
    live = f"AND f.state_type NOT IN ({', '.join(repr(str(one)) for one in sorted(TERMINAL))})" if live_only else ""
    rows = connection.execute(
        f"""WITH RECURSIVE below(key) AS (
               SELECT f.key FROM flow_run f WHERE f.parent_key = ? {live}
               UNION SELECT f.key FROM flow_run f JOIN below ON f.parent_key = below.key {live})
           SELECT key FROM below ORDER BY key""",
        (key,),
    )
    return [found for (found,) in rows.fetchall()]


def marks(values: Collection[Any]) -> str:
    """Return a question mark for each value, for an SQL list."""
    return ", ".join("?" * len(values))
