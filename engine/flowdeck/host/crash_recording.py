"""Recording the end of a run whose process is gone: state, row and log line, the same for host and engine."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdeck.rules import log_levels
from flowdeck.rules.clock import SYSTEM_CLOCK, to_datetime
from flowdeck.rules.runs.resource_use import ResourceUse
from flowdeck.rules.states import State
from flowdeck.store.database.database import Database
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck.store.oom_kills import OomVerdict
from flowdeck.store.runs import flow_runs, process_claims
from flowdeck.store.runs.process_claims import Holder

if TYPE_CHECKING:
    from flowdeck.store.logs.log_reader import LogReader


def describe_exit(code: int | None) -> str:
    """Say why a run whose process ended before its flow was over is Crashed.

    Args:
        code: exit code; negative for a signal; None when it is not known.
    """
    if code is None:
        return "Its process is gone, and nothing is known of its end."
    if code < 0:
        return f"Its process was killed by {signal_name(-code)}."
    return f"Its process ended with exit code {code} before the flow was over."


def describe_kill(verdict: OomVerdict, use: ResourceUse | None) -> str:
    """Say what is known of a process that was ended by SIGKILL, which was not flowdeck's."""
    peak = "" if use is None else f" (peak memory {use.peak_memory})"
    if verdict is OomVerdict.CERTAIN:
        return f"Killed by the out-of-memory killer of the system{peak}."
    killed = "Its process was killed by SIGKILL, not by flowdeck"
    if verdict is OomVerdict.LIKELY:
        return f"{killed}; likely for lack of memory, for which the system ended a process meanwhile{peak}."
    if verdict is OomVerdict.UNKNOWN:
        return f"{killed}; the system does not tell whether for lack of memory{peak}."
    return f"{killed}{peak}."


def signal_name(number: int) -> str:
    """Return `SIGKILL` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def exit_columns(code: int | None) -> dict[str, int | None]:
    """Return what a row says of an exit."""
    if code is None:
        return {}
    return {"exit_code": code if code >= 0 else None, "signal": -code if code < 0 else None}


def end_run(
    database: Database,
    run_id: str,
    holder: Holder,
    reason: str,
    columns: Mapping[str, Any],
    log: LogWriter,
    environment: Mapping[str, str] | None = None,
) -> State | None:
    """Give a run whose process is gone its final state, unless it has one, and say so in its log.

    One that crashed and has crash retries left is scheduled again instead.

    Args:
        database: the database of the home.
        run_id: the UUID of the run.
        holder: the run and its processes, which are gone.
        reason: the sentence for a crash.
        columns: facts to note in either case.
        log: the log of the run.
        environment: the environment that the next start of a run that crashed shall have; None for the engine's.

    Returns:
        The state that it was given; None when it had one, or belongs to another process by now.

    Raises:
        StoreError: it could not be written.
    """
    at = SYSTEM_CLOCK.now_microseconds()
    coming = process_claims.coming_end(database.reader(), holder, reason)
    if coming is not None:
        # Before the state: who follows a log stops reading at the end of the run.
        level = log_levels.WARNING if coming.is_cancelled() else log_levels.ERROR
        text = f"{coming.name}: {coming.message}" if coming.message else coming.name
        _, since = process_claims.attempt_started_at(database.reader(), holder.key)
        log.append_once(at, level, "engine", text, since)  # this is tried again when the state cannot be written
    state = database.write(lambda connection: process_claims.end(connection, holder, at, reason, columns, environment))
    if state is None:
        return None
    log.take_counts()  # of an attempt that is past, or counted with the rest of the file
    if not state.is_final():
        return state
    count_levels_again(database, holder.key, run_id)
    return state


def count_levels_again(database: Database, key: int, run_id: str) -> None:
    """Count the warnings and errors of a run's attempt from its log: whoever counted them was killed."""
    # Only here: a run host whose run ends by itself does without the megabyte that reading logs takes.
    from flowdeck.store.logs.log_reader import LogReader  # noqa: PLC0415

    attempt, since = process_claims.attempt_started_at(database.reader(), key)
    reader = LogReader(database.home.log_file(run_id), run_id)
    try:
        warnings, errors = reader.count_levels() if attempt == 1 else _levels_since(reader, since)
    finally:
        reader.close()
    database.write(lambda connection: flow_runs.set_log_counts(connection, key, warnings, errors))


def _levels_since(reader: LogReader, since: int) -> tuple[int, int]:
    """Count the records of a later attempt, which stand behind those of earlier ones in the same file."""
    start = to_datetime(since)
    levels = [record.level for record in reader.records(run_is_over=True) if record.at >= start]
    return levels.count("WARNING"), sum(level in log_levels.ERROR_LEVELS for level in levels)
