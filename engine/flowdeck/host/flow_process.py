"""The process in which a claimed run's user code runs: `python -P -m flowdeck.host.flow_process KEY INCARNATION`.

It waits for its host's word, so that the store knows its pid before any code of the user has run; then it sets
`sys.path[0]` and `sys.argv` as for a script, imports the file and runs the flow. It ends with 0 if the run Completed.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from pathlib import Path
from typing import Any

from flowdeck.execution.starts.run_creation import shared_database
from flowdeck.flows import Flow
from flowdeck.host.loading import LoadError, find_flow
from flowdeck.host.spawning import GO
from flowdeck.host.standard_streams import empty_stdin, show_lines_at_once
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.rules.exceptions import CancelledRun, FlowdeckError, NotFoundError, RefusedError
from flowdeck.rules.states import named
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.records import FlowRun
from flowdeck.store.run_values import RunError, error_to_json
from flowdeck.store.runs import flow_run_queries, flow_runs
from flowdeck.store.runs.unstarted_runs import fail_unstarted


def main() -> int:
    """Run the flow run that the command line names; return the exit code."""
    permitted = os.read(0, len(GO)) == GO
    empty_stdin()
    return execute(int(sys.argv[1]), int(sys.argv[2])) if permitted else 1


def execute(key: int, incarnation: int) -> int:
    """Be the process of a flow run from here on; return the exit code."""
    show_lines_at_once()
    faulthandler.enable()  # of a crash in C code the log shows the author's line
    database = shared_database()
    found = flow_run_queries.by_keys(database.reader(), [key])
    if not found:
        raise NotFoundError("The run was deleted before it began.")
    flow = _flow_of(database, found[0], incarnation)
    if flow is None:
        return 1
    try:
        return 0 if flow.run_claimed(database, key, incarnation).is_completed() else 1
    except (CancelledRun, RefusedError):
        return 1  # cancelled before it began, or another process has it: the row says so already


def _flow_of(database: Database, run: FlowRun, incarnation: int) -> Flow[..., Any] | None:
    """Import the flow; None when it cannot be, which is the run's failure then."""
    if run.source_file is None or run.function is None:
        raise RefusedError(f"Run '{run.name}' has no file to start from: its flow was defined interactively.")
    sys.argv = [run.source_file]
    try:
        return find_flow(Path(run.source_file), run.function)
    except LoadError as error:
        _fail(database, run, incarnation, str(error), error.error)
    except NotFoundError as error:
        message = str(error)
        _fail(database, run, incarnation, message, RunError("NotFoundError", message, "", run.source_file))
    return None


def _fail(database: Database, run: FlowRun, incarnation: int, message: str, error: RunError) -> None:
    at = SYSTEM_CLOCK.now_microseconds()
    state, columns = named("Failed", message), {"error": error_to_json(error)}

    def record(connection: Connection) -> int:
        flow_runs.set_state(connection, run.key, state, at, incarnation=incarnation, columns=columns)
        return run.key

    text = f"{message}\n{error.traceback}" if error.traceback else message
    fail_unstarted(database, run.id, text, at, record)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FlowdeckError as problem:
        sys.exit(str(problem))  # to stderr, and so into the run's log
