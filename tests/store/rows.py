"""Rows as the tests of the store make them."""

from __future__ import annotations

from typing import Any

from flowdeck.rules.runs.ids import new_run_id
from flowdeck.rules.states import NAMES, TERMINAL, State, StateType, named
from flowdeck.store.calls import task_runs
from flowdeck.store.calls.task_runs import NewTaskRun
from flowdeck.store.database.database import Database
from flowdeck.store.run_values import CALLS_PER_RUN
from flowdeck.store.runs import flow_runs
from flowdeck.store.runs.flow_runs import NewFlowRun

NAME_OF = {state_type: name for name, state_type in reversed(NAMES.items())}
"""The plain name of each type."""


def state(state_type: StateType) -> State:
    """Return a state of a type."""
    return State(state_type, NAME_OF[state_type])


def new_run(**changes: Any) -> NewFlowRun:
    """Return a flow run that is about to be made; RUNNING unless told."""
    run_id = changes.pop("id", None) or new_run_id()
    values: dict[str, Any] = {
        "id": run_id, "name": "calm-otter", "flow_name": "etl", "entrypoint": "etl.py:etl", "working_dir": "/flows",
        "source_file": "/flows/etl.py", "function": "etl", "state": named("Running"), "at": 1_000,
        "triggered_by": "script", "parameters": "{}", "root_run_id": run_id, "incarnation": 1,
    }  # fmt: skip
    return NewFlowRun(**{**values, **changes})


def make_run(database: Database, **changes: Any) -> int:
    """Make a flow run; return its key."""
    return database.write(lambda connection: flow_runs.insert(connection, new_run(**changes)))


def make_child(database: Database, parent_key: int, **changes: Any) -> int:
    """Make a subflow run of the parent's first attempt; return its key."""
    root = database.reader().execute("SELECT root_run_id FROM flow_run WHERE key = ?", (parent_key,)).fetchone()[0]
    return make_run(database, parent_key=parent_key, parent_attempt=1, root_run_id=root, **changes)


def new_call(flow_run_key: int, number: int, **changes: Any) -> NewTaskRun:
    """Return a call that is about to be made."""
    values: dict[str, Any] = {
        "id": flow_run_key * CALLS_PER_RUN + number, "flow_run_key": flow_run_key, "flow_attempt": 1, "incarnation": 1,
        "task_name": "load", "index": number - 1, "name": None, "group": None, "parent_id": None,
        "task_key": "etl:load", "input_key": None, "occurrence": 0, "upstream": None, "tags": None,
    }  # fmt: skip
    return NewTaskRun(**{**values, **changes})


def make_call(
    database: Database, flow_run_key: int, number: int, state_type: StateType = StateType.RUNNING, **changes: Any
) -> int:
    """Make a task call in a state, whatever ways lead there; return its id."""
    call = new_call(flow_run_key, number, **changes)

    def make(connection: Any) -> None:
        assert task_runs.insert(connection, call, named("Running"), 2_000, 2_000, "worker-1")
        if state_type is not StateType.RUNNING:
            force(connection, "task_run", "id", call.id, state_type)

    database.write(make)
    return call.id


def force(connection: Any, table: str, column: str, key: int, state_type: StateType) -> None:
    """Put a row into a state past the transition table."""
    connection.execute(
        f"UPDATE {table} SET state_type = ?, state_name = ?, ended_at = ?, seq = seq + 1 WHERE {column} = ?",
        (state_type, NAME_OF[state_type], 3_000 if state_type in TERMINAL else None, key),
    )
