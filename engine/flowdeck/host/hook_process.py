"""Where hooks of a run whose process is gone run: `python -P -m flowdeck.host.hook_process KEY KIND`.

It imports the flow's file and calls the hooks of one kind (`cancellation`, `crashed`) with the run as it is recorded.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flowdeck.execution.calls import context
from flowdeck.execution.drivers.drivers import SyncDriver, finish
from flowdeck.execution.hooks import hooks, run_views
from flowdeck.execution.logs.run_logs import capture_prints
from flowdeck.execution.starts import run_creation
from flowdeck.host.loading import find_flow
from flowdeck.host.standard_streams import empty_stdin, show_lines_at_once
from flowdeck.rules.exceptions import FlowdeckError, NotFoundError
from flowdeck.rules.states import State
from flowdeck.store.runs import flow_run_queries


def main() -> int:
    """Run the hooks that the command line names; return the exit code."""
    empty_stdin()
    show_lines_at_once()
    run_recorded(int(sys.argv[1]), sys.argv[2])
    return 0


def run_recorded(key: int, kind: str) -> None:
    """Call a run's hooks of one kind.

    Raises:
        FlowdeckError: its flow is not to be had any more.
    """
    database = run_creation.shared_database()
    found = flow_run_queries.by_keys(database.reader(), [key])
    if not found or found[0].source_file is None or found[0].function is None:
        raise NotFoundError("Its run, or the file of its flow, is gone.")
    row = found[0]
    sys.argv = [str(row.source_file)]
    flow = find_flow(Path(str(row.source_file)), str(row.function))
    run = run_creation.look_back(database, flow.spec, row)
    capture_prints()
    context.flow_run.set(run)
    state = State(row.state_type, row.state_name, row.state_message, row.ended_at)
    arguments = (flow, run_views.of_flow_run(run, state), state)
    finish(hooks.run_hooks(kind, flow.spec.hooks.get(kind, ()), arguments, run, SyncDriver()))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FlowdeckError as problem:
        sys.exit(str(problem))  # to stderr, and so into the run's log
