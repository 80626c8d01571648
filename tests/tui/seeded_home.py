"""A home filled by the store itself: runs, calls, logs and flows with names and times that tests know."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flowdeck.deck import Deck, FlowEntry, FlowRun, RunError
from flowdeck.rules.clock import to_microseconds
from flowdeck.rules.runs.ids import new_run_id
from flowdeck.rules.states import State, StateType, named
from flowdeck.rules.versions import __version__
from flowdeck.store import engines
from flowdeck.store.calls import task_runs
from flowdeck.store.catalogue import Catalogue, FlowDescription
from flowdeck.store.database.database import Database
from flowdeck.store.home import locate
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck.store.run_values import CALLS_PER_RUN, error_to_json
from flowdeck.store.runs import flow_runs

NOW = datetime(2026, 5, 4, 12, 6, 10, tzinfo=UTC)
"""What the clock of a test shows."""


@dataclass(frozen=True)
class Call:
    """A task call to seed."""

    task_name: str
    state: str = "Completed"
    group: int | None = None
    message: str | None = None
    error: RunError | None = None


class SeededHome:
    """Writes into a home as flow processes and an engine would."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path = path
        self.folder = folder
        self.home = locate(path)
        self.database = Database(self.home)
        self.catalogue = Catalogue(self.database)
        self.deck = Deck(path)
        self._calls: dict[int, int] = {}

    def close(self) -> None:
        self.deck.close()
        self.database.close()

    def engine_up(self) -> None:
        """Let this process stand for the engine."""
        engines.register(self.database, __version__, "server")

    def run(
        self,
        name: str,
        flow_name: str = "etl",
        state: str = "Completed",
        *,
        ago_seconds: float = 60.0,
        now: datetime = NOW,
        took_seconds: float = 12.0,
        calls: Sequence[Call] = (),
        parent: FlowRun | None = None,
        error: RunError | None = None,
        message: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        incarnation: int = 1,
        file: str = "flows.py",
    ) -> FlowRun:
        """Make a run in a state, with its calls; times are counted back from `now`."""
        started = now - timedelta(seconds=ago_seconds)
        at = to_microseconds(started)
        run_id = new_run_id()
        new = flow_runs.NewFlowRun(
            id=run_id,
            name=name,
            flow_name=flow_name,
            entrypoint=f"{file}:{flow_name}",
            working_dir=str(self.folder),
            source_file=f"{self.folder}/{file}",
            function=flow_name.replace("-", "_"),
            state=named("Scheduled") if state in ("Scheduled", "Pending") else named("Running"),
            at=at,
            scheduled_at=at,
            triggered_by="cli",
            parameters=json.dumps(parameters or {}),
            root_run_id=parent.root_run_id if parent else run_id,
            parent_key=parent.key if parent else None,
            parent_attempt=parent.attempt if parent else None,
            incarnation=incarnation,
            interpreter="python",
        )
        key = self.database.write(lambda connection: flow_runs.insert(connection, new))
        for call in calls:
            self.call(key, call, at, incarnation)
        if state not in ("Scheduled", "Running"):
            self.set_state(key, state, started + timedelta(seconds=took_seconds), error=error, message=message)
        run = self.deck.flow_runs.by_key(key)
        assert run is not None
        return run

    def set_state(
        self,
        key: int,
        state: str,
        at: datetime = NOW,
        *,
        error: RunError | None = None,
        message: str | None = None,
    ) -> None:
        columns = {"error": error_to_json(error)} if error else {}
        wanted = named(state, message)
        self.database.write(
            lambda connection: flow_runs.set_state(connection, key, wanted, to_microseconds(at), columns=columns)
        )

    def call(self, run_key: int, call: Call, at: int, incarnation: int = 1) -> int:
        number = self._calls[run_key] = self._calls.get(run_key, 0) + 1
        call_id = run_key * CALLS_PER_RUN + number
        new = task_runs.NewTaskRun(
            id=call_id,
            flow_run_key=run_key,
            flow_attempt=1,
            incarnation=incarnation,
            task_name=call.task_name,
            index=number - 1,
            name=None,
            group=call.group,
            parent_id=None,
            task_key=f"flows.{call.task_name}",
            input_key=None,
            occurrence=0,
            upstream=None,
            tags=None,
        )
        waits = call.state == "Pending"
        first = named("Pending") if waits else named("Running")

        def write(connection: Any) -> None:
            task_runs.insert(connection, new, first, at, None if waits else at, "thread-1")
            if call.state in ("Completed", "Failed", "Crashed", "Cancelled"):
                final = State(StateType(call.state.upper()), call.state, call.message)
                task_runs.set_final(connection, call_id, incarnation, final, at + 1_500_000, None)

        self.database.write(write)
        return call_id

    def finish_call(self, call_id: int, at: datetime = NOW) -> None:
        self.database.write(
            lambda connection: task_runs.set_final(
                connection, call_id, 1, named("Completed"), to_microseconds(at), None
            )
        )

    def log(self, run: FlowRun, *lines: str, level: int = 20, task: str | None = None) -> None:
        writer = LogWriter(self.home.log_file(run.id))
        for line in lines:
            writer.append(to_microseconds(NOW), level, "logger", None, task, line)
        writer.close()

    def log_of_call(self, run: FlowRun, number: int, name: str, *lines: str) -> None:
        writer = LogWriter(self.home.log_file(run.id))
        for line in lines:
            writer.append(to_microseconds(NOW), 20, "logger", number, name, line)
        writer.close()

    def flow(
        self,
        name: str,
        schema: Mapping[str, Any] | None = None,
        *,
        file: str = "flows.py",
        description: str | None = None,
        others: Sequence[FlowDescription] = (),
    ) -> FlowEntry:
        described = FlowDescription(
            name.replace("-", "_"), name, 10, description, schema or {"type": "object", "properties": {}}
        )
        self.catalogue.put_file(str(self.folder), file, "0" * 64, "python", "ok", None, [described, *others])
        return next(entry for entry in self.deck.flows.entries(str(self.folder)) if entry.name == name)

    def broken_file(self, file: str, error: RunError) -> None:
        self.catalogue.put_file(str(self.folder), file, "0" * 64, "python", "import_error", error, None)
