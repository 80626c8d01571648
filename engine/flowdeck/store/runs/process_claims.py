"""Flow runs as seen by those who start and watch processes: engine and run host.

Every change here names the processes that it believes in, and is refused when the row knows others by now: a run that
was retried meanwhile belongs to somebody else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from flowdeck.rules.states import TERMINAL, State, StateType, named
from flowdeck.store.calls import task_runs
from flowdeck.store.database.index_expressions import LIVE_RUNS
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.runs import flow_runs, launch_context
from flowdeck.store.runs.launch_context import INTERPRETER

NOTHING: Final[Mapping[str, Any]] = {}
_OVER: Final = "state_type IN ('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED')"


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a run host must know of the run that it was given."""

    key: int
    run_id: str
    incarnation: int
    working_dir: str
    source_file: str
    interpreter: str | None
    """That of its last attempt, else the one by which its file was described; None when neither is known."""
    environment: Mapping[str, str] | None
    """As it was where the run was triggered; None when it was not kept."""


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A flow run that is not over, with the processes that its row names."""

    key: int
    run_id: str
    name: str
    state_type: StateType
    state_at: int
    """Microseconds since 1970 UTC."""
    incarnation: int
    pid: int | None
    pid_token: str | None
    host_pid: int | None
    host_token: str | None
    cancel_forced: bool

    @property
    def holder(self) -> Holder:
        """The run with its processes, to end it by."""
        return Holder(self.key, self.incarnation, self.host_pid, self.pid)


class Holder(NamedTuple):
    """The processes that a run is believed to belong to."""

    key: int
    incarnation: int
    host_pid: int | None
    """None for a run that has no run host: a script's, or one that was never started."""
    pid: int | None
    """None before the flow process was noted."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a run host looks at again and again."""

    state_type: StateType
    cancel_forced: bool

    @property
    def is_over(self) -> bool:
        """Tell whether the run has its final state."""
        return self.state_type in TERMINAL


# -- run hosts ---------------------------------------------------------------------------------------------------------


def take_assignment(
    connection: Connection, key: int, incarnation: int, host_pid: int, host_token: str | None
) -> Assignment | None:
    """Note the host of a claimed run and hand over what it needs. The environment, which may hold secrets, goes.

    Returns:
        None when the run is not waiting for this host: it was cancelled, given back or deleted meanwhile.
    """
    row = connection.execute(
        f"""SELECT id, working_dir, source_file, environment, {INTERPRETER} FROM flow_run
           WHERE key = ? AND incarnation = ? AND state_type IN ('PENDING', 'CANCELLING') AND host_pid IS NULL""",
        (key, incarnation),
    ).fetchone()
    if row is None:
        return None
    run_id, working_dir, source_file, environment, interpreter = row
    flow_runs.set_columns(connection, key, {"host_pid": host_pid, "host_token": host_token, "environment": None})
    kept = None if environment is None else json.loads(environment)
    return Assignment(key, run_id, incarnation, working_dir, source_file or "", interpreter, kept)


def note_process(connection: Connection, key: int, incarnation: int, host_pid: int, columns: Mapping[str, Any]) -> bool:
    """Note the flow process of a run; False when the run may not start any more."""
    row = connection.execute(
        "SELECT state_type = 'PENDING' FROM flow_run WHERE key = ? AND incarnation = ? AND host_pid = ?",
        (key, incarnation, host_pid),
    ).fetchone()
    if row is None:
        return False
    flow_runs.set_columns(connection, key, columns)
    return bool(row[0])


def standing(connection: Connection, key: int, incarnation: int, host_pid: int) -> Standing | None:
    """Return where a run is; None when it does not belong to this host any more."""
    row = connection.execute(
        "SELECT state_type, cancel_forced FROM flow_run WHERE key = ? AND incarnation = ? AND host_pid = ?",
        (key, incarnation, host_pid),
    ).fetchone()
    return None if row is None else Standing(StateType(row[0]), bool(row[1]))


def protected_pids(connection: Connection) -> set[int]:
    """Return the processes that no cancel may end, whoever started them: the engine and every live run host."""
    rows = connection.execute(
        f"SELECT pid FROM engine UNION SELECT host_pid FROM flow_run WHERE {LIVE_RUNS} AND host_pid IS NOT NULL"
    )
    return {pid for (pid,) in rows.fetchall()}


# -- ends --------------------------------------------------------------------------------------------------------------


class _HeldRun(NamedTuple):
    """A run that still belongs to the processes that are gone."""

    state_type: StateType
    message: str | None
    attempt: int
    crash_retries: int
    crashes: int
    is_root: bool
    source_file: str | None
    function: str | None
    parameters: str


def end(
    connection: Connection,
    holder: Holder,
    at: int,
    reason: str,
    columns: Mapping[str, Any] = NOTHING,
    environment: Mapping[str, str] | None = None,
) -> State | None:
    """Give a run whose process is gone its final state, unless it has one; its calls and subflow runs too.

    One that crashed is scheduled again, if its author said so and it can be started from its record.

    Args:
        connection: a connection for writing, inside a transaction.
        holder: the run and its processes, which are gone.
        at: time of the change, in microseconds since 1970 UTC.
        reason: the sentence for a crash; a run that was being cancelled is Cancelled.
        columns: columns to set in either case, such as the exit code.
        environment: environment of the next start; None for the engine's.

    Returns:
        The state that it was given; None when it had a final state, or belongs to another process by now.
    """
    held = _held(connection, holder)
    if held is None:
        return None
    state = _end_of(held, reason)
    if state is None:
        if columns:
            flow_runs.set_columns(connection, holder.key, columns)
        return None
    flow_runs.set_state(connection, holder.key, state, at, columns=columns)
    task_runs.close_open(connection, holder.key, state, at)
    _end_subflows(connection, holder.key, state, at)
    again = _next_start_of(held, state)
    if again is None:
        return state
    for key in flow_runs.descendants(connection, holder.key):
        flow_runs.set_columns(connection, key, {"hooks": None})  # nothing has come to its end yet
    kept = None if environment is None else json.dumps(dict(environment))
    counted = {"crashes": held.crashes + 1}
    flow_runs.schedule_again(
        connection, holder.key, again, at, attempt=held.attempt + 1, environment=kept, columns=counted
    )
    return again


def coming_end(connection: Connection, holder: Holder, reason: str) -> State | None:
    """Return the state that `end` would give, so that the log can say it before the run is over."""
    held = _held(connection, holder)
    state = None if held is None else _end_of(held, reason)
    return state if held is None or state is None else _next_start_of(held, state) or state


def _held(connection: Connection, holder: Holder) -> _HeldRun | None:
    """Return a run that still belongs to these processes."""
    row = connection.execute(
        """SELECT state_type, state_message, attempt, crash_retries, crashes, parent_key IS NULL, source_file, function,
               parameters
           FROM flow_run WHERE key = ? AND incarnation = ? AND host_pid IS ? AND pid IS ?""",
        holder,
    ).fetchone()
    return None if row is None else _HeldRun(StateType(row[0]), *row[1:])


def _end_of(held: _HeldRun, reason: str) -> State | None:
    if held.state_type in TERMINAL:
        return None
    return named("Cancelled", held.message) if held.state_type is StateType.CANCELLING else named("Crashed", reason)


def _next_start_of(held: _HeldRun, end: State) -> State | None:
    """Return the state of a run that crashed and is to be started again; None when it has come to its end."""
    if not end.is_crashed() or not held.is_root or held.crashes >= held.crash_retries:
        return None
    if launch_context.why_not_startable(held.source_file, held.function, json.loads(held.parameters)) is not None:
        return None
    return named("Scheduled", f"{end.message} Start {held.crashes + 2} of {held.crash_retries + 1}.")


def end_subflow(connection: Connection, key: int, state: State, at: int) -> None:
    """Give a subflow run whose process is gone, and what it started, a final state."""
    flow_runs.set_state(connection, key, state, at)
    task_runs.close_open(connection, key, state, at)
    _end_subflows(connection, key, state, at)


def _end_subflows(connection: Connection, key: int, state: State, at: int) -> None:
    """Close the runs below a run that shared its process."""
    rows = connection.execute(
        f"SELECT key FROM flow_run WHERE parent_key = ? AND host_pid IS NULL AND {LIVE_RUNS}", (key,)
    ).fetchall()
    for (child,) in rows:
        end_subflow(connection, child, state, at)


def attempt_started_at(connection: Connection, key: int) -> tuple[int, int]:
    """Return a run's attempt and when that attempt was begun or asked for, in microseconds."""
    return connection.execute(
        """SELECT f.attempt, coalesce(min(s.at), f.created_at) FROM flow_run f
           LEFT JOIN state s ON s.flow_run = f.key AND s.task_run = 0 AND s.attempt = f.attempt WHERE f.key = ?""",
        (key,),
    ).fetchone()


# -- engine ------------------------------------------------------------------------------------------------------------


def live_runs(connection: Connection) -> list[LiveRun]:
    """Return the root runs that a process has, or should have."""
    rows = connection.execute(
        f"""SELECT key, id, name, state_type, state_at, incarnation, pid, pid_token, host_pid, host_token, cancel_forced
            FROM flow_run WHERE {LIVE_RUNS} AND parent_key IS NULL
                AND (state_type <> 'SCHEDULED' OR pid IS NOT NULL OR host_pid IS NOT NULL) ORDER BY key"""
    ).fetchall()
    return [_live_run(row) for row in rows]


def stray_subflows(connection: Connection) -> list[LiveRun]:
    """Return subflow runs that are not over although the run they all belong to is."""
    rows = connection.execute(
        f"""SELECT s.key, s.id, s.name, s.state_type, s.state_at, s.incarnation, s.pid, s.pid_token, s.host_pid,
                s.host_token, s.cancel_forced
            FROM flow_run s JOIN flow_run r ON r.id = s.root_run_id
            WHERE s.{LIVE_RUNS} AND s.parent_key IS NOT NULL AND r.{_OVER} ORDER BY s.key"""
    ).fetchall()
    return [_live_run(row) for row in rows]


def cancel_wanted(connection: Connection) -> bool:
    """Tell whether any run is being cancelled."""
    row = connection.execute(
        f"SELECT EXISTS(SELECT 1 FROM flow_run WHERE {LIVE_RUNS} AND state_type = 'CANCELLING')"
    ).fetchone()
    return bool(row[0])


def started_count(connection: Connection) -> int:
    """Count the runs that occupy a slot of the built-in pool: claimed, and neither over nor waiting for a retry."""
    row = connection.execute(
        f"""SELECT count(*) FROM flow_run WHERE {LIVE_RUNS} AND state_type IN ('PENDING', 'RUNNING', 'CANCELLING')
            AND parent_key IS NULL AND (host_pid IS NOT NULL OR pid IS NULL)"""
    ).fetchone()
    return row[0]


def give_back(connection: Connection, run: LiveRun, at: int, reason: str) -> State | None:
    """Let a run that was claimed but never started be claimed again, once in each attempt; then it is Crashed.

    Returns:
        Its new state; None when it started after all.
    """
    claims = connection.execute(
        """SELECT count(*) FROM state s JOIN flow_run f ON f.key = s.flow_run
           WHERE f.key = ? AND f.incarnation = ? AND f.host_pid IS NULL AND s.task_run = 0 AND s.attempt = f.attempt
               AND s.state_type = 'PENDING'""",
        (run.key, run.incarnation),
    ).fetchone()[0]
    if claims != 1 or run.state_type is StateType.CANCELLING:
        return end(connection, run.holder, at, reason) if claims else None
    state = named("Scheduled", "It was claimed, but its run host never started; it is claimed once more.")
    changed = flow_runs.set_state(
        connection, run.key, state, at, incarnation=run.incarnation, expected={StateType.PENDING}
    )
    return state if changed else None


def any_live(connection: Connection) -> bool:
    """Tell whether a run is scheduled, running, paused or waiting for a retry."""
    row = connection.execute(
        f"SELECT EXISTS(SELECT 1 FROM flow_run WHERE {LIVE_RUNS} AND parent_key IS NULL)"
    ).fetchone()
    return bool(row[0])


def retire_engine(connection: Connection, pid: int) -> bool:
    """Take the engine's row away if nothing needs an engine; who asks for one afterwards starts the next."""
    if any_live(connection):
        return False
    connection.execute("DELETE FROM engine WHERE pid = ?", (pid,))
    return True


def _live_run(row: Any) -> LiveRun:
    key, run_id, name, state_type, state_at, incarnation, pid, pid_token, host_pid, host_token, forced = row
    return LiveRun(
        key, run_id, name, StateType(state_type), state_at, incarnation, pid, pid_token, host_pid, host_token,
        bool(forced),
    )  # fmt: skip
