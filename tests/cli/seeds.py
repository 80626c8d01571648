"""Runs and flows for tests, made by the same functions of the store that flowdeck itself uses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from flowdeck.deck import Deck, FlowEntry, RunError
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.rules.runs.ids import new_run_id
from flowdeck.rules.states import named
from flowdeck.store import processes
from flowdeck.store.calls import task_runs
from flowdeck.store.calls.task_runs import NewTaskRun, RecordedValue
from flowdeck.store.catalogue import Catalogue, FlowDescription
from flowdeck.store.database.database import Database
from flowdeck.store.home import locate
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck.store.run_values import CALLS_PER_RUN, error_to_json
from flowdeck.store.runs import flow_runs
from flowdeck.store.runs.flow_runs import NewFlowRun

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Where to look."},
        "days": {"type": "integer", "default": 3},
        "options": {},
    },
    "required": ["city"],
    "additionalProperties": False,
}
ERROR = RunError(
    "ValueError", "no rows\nin \x1b[31mthe\x1b[0m table", "Traceback …\nValueError: no rows", "/f/etl.py", 12
)


class Seeds:
    """Writes into one home."""

    def __init__(self, home: Path) -> None:
        self.database = Database(locate(home))
        self.catalogue = Catalogue(self.database)

    def close(self) -> None:
        """Close the home."""
        self.database.close()

    def flow(self, deck: Deck, folder: Path, function: str = "report", name: str = "report") -> FlowEntry:
        """Make a described flow in a watched folder."""
        folder.mkdir(exist_ok=True)
        self.catalogue.watch_folder(str(folder))
        description = FlowDescription(function, name, 7, "Say what\nthere is.", SCHEMA)
        self.catalogue.put_file(str(folder), f"{function}.py", "0" * 64, "python", "ok", None, [description])
        return deck.flows.find(name)

    def broken_file(self, folder: Path) -> None:
        """Make a file that cannot be imported."""
        folder.mkdir(exist_ok=True)
        self.catalogue.watch_folder(str(folder))
        self.catalogue.put_file(str(folder), "broken.py", "1" * 64, "python", "import_error", ERROR, None)

    def run(self, state: str = "Running", *, pid: int | None = None, **columns: Any) -> str:
        """Make a run of a script in this process, Running or in a state after that; return its id."""
        run_id, at, pid = new_run_id(), SYSTEM_CLOCK.now_microseconds(), pid or os.getpid()
        new = NewFlowRun(
            id=run_id, name=columns.pop("name", f"run-{run_id[-4:]}"), flow_name=columns.pop("flow_name", "etl"),
            entrypoint="etl.py:etl", working_dir="/f", source_file="/f/etl.py", function="etl", state=named("Running"),
            at=at, triggered_by="script", parameters=json.dumps(columns.pop("parameters", {"path": "a.csv"})),
            root_run_id=run_id, tags=("nightly",), interpreter="/usr/bin/python3", pid=pid,
            pid_token=processes.token(pid) or "gone", incarnation=1,
        )  # fmt: skip
        key = self.database.write(lambda connection: flow_runs.insert(connection, new))
        if state != "Running":
            self.set_state(key, state, **columns)
        return run_id

    def set_state(self, key: int, state: str, **columns: Any) -> None:
        """Move a run on."""
        at = SYSTEM_CLOCK.now_microseconds()
        self.database.write(lambda connection: flow_runs.set_state(connection, key, named(state), at, columns=columns))

    def failed_run(self, deck: Deck) -> str:
        """Make a run that failed of a task call, the second of two, with a log."""
        run_id = self.run()
        key = deck.flow_runs.find(run_id).key
        first = self.call(key, 1, "extract", None)
        second = self.call(key, 2, "load", [first])
        at = SYSTEM_CLOCK.now_microseconds()
        error = error_to_json(ERROR)

        def end(connection: Any) -> None:
            task_runs.set_final(connection, first, 1, named("Completed"), at, None, RecordedValue("[1, 2]"))
            task_runs.set_final(connection, second, 1, named("Failed", "ValueError: no rows"), at, error)

        self.database.write(end)
        self.log(run_id, (20, "logger", 1, "extract-0", "412 rows"), (40, "engine", 2, "load-0", ERROR.message))
        self.database.write(lambda connection: flow_runs.add_log_counts(connection, key, 0, 1))
        self.set_state(key, "Failed", error=error, exit_code=1)
        return run_id

    def call(self, flow_run_key: int, number: int, task_name: str, needs: list[int] | None) -> int:
        """Make a task call that runs; return its id."""
        call = NewTaskRun(
            id=flow_run_key * CALLS_PER_RUN + number, flow_run_key=flow_run_key, flow_attempt=1, incarnation=1,
            task_name=task_name, index=0, name=None, group=None, parent_id=None, task_key=task_name, input_key=None,
            occurrence=0, upstream=json.dumps(needs) if needs else None, tags=None,
        )  # fmt: skip
        at = SYSTEM_CLOCK.now_microseconds()
        self.database.write(
            lambda connection: task_runs.insert(connection, call, named("Running"), at, at, "MainThread")
        )
        return call.id

    def log(self, run_id: str, *records: tuple[int, str, int | None, str | None, str]) -> None:
        """Append records: level, source, number and name of the call, text."""
        writer = LogWriter(self.database.home.log_file(run_id), max_bytes=1 << 20)
        for record in records:
            writer.append(SYSTEM_CLOCK.now_microseconds(), *record)
        writer.close()
