"""Runs whose body cannot begin: their file cannot be imported, or their parameters do not fit."""

from __future__ import annotations

from collections.abc import Callable

from flowdeck.rules import log_levels
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck.store.runs import flow_runs


def fail_unstarted(database: Database, run_id: str, text: str, at: int, record: Callable[[Connection], int]) -> None:
    """Log why a run cannot begin, and record it as Failed with the count of what was logged.

    Args:
        database: database of the home.
        run_id: id of the flow run.
        text: text of the log record.
        at: time of the failure, in microseconds since 1970 UTC.
        record: change of the row to Failed, inside a transaction; it returns the key of the flow run.
    """
    log = LogWriter(database.home.log_file(run_id), max_bytes=database.settings.log_max_bytes)
    log.append(at, log_levels.ERROR, "engine", None, None, text)
    warnings, errors = log.take_counts()
    log.close()

    def change(connection: Connection) -> None:
        flow_runs.add_log_counts(connection, record(connection), warnings, errors)

    database.write(change)
