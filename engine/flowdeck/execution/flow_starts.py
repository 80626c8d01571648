"""How a flow run begins in this process: called by a script, called by another flow, or claimed for an engine."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from functools import cache
from types import CodeType
from typing import TYPE_CHECKING, Any

from flowdeck.execution import context
from flowdeck.execution.context import FlowRunContext
from flowdeck.execution.facts import FlowRunChanged
from flowdeck.execution.failures import storable
from flowdeck.execution.own_process import use_from_now
from flowdeck.execution.recorder import StoreRecorder
from flowdeck.execution.run_logs import set_level
from flowdeck.rules import parameters as parameter_rules
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.rules.exceptions import CancelledRun, RefusedError
from flowdeck.rules.ids import new_run_id
from flowdeck.rules.run_names import new_run_name
from flowdeck.rules.specs import FlowSpec
from flowdeck.rules.states import State, named
from flowdeck.store import flow_runs, foreign_access, processes
from flowdeck.store.database import Database
from flowdeck.store.flow_runs import NewFlowRun
from flowdeck.store.home import locate
from flowdeck.store.log_writer import LogWriter
from flowdeck.store.run_facts import RunError, error_to_json
from flowdeck.store.sqlite import Connection

if TYPE_CHECKING:
    from flowdeck.store.records import FlowRun

RUNNING = named("Running")


def start(spec: FlowSpec, code: CodeType, parameters: Mapping[str, Any], *, patient: bool = True) -> FlowRunContext:
    """Make a run of a flow that was called: below the current run if there is one, else one of its own.

    Args:
        spec: of the flow.
        code: of its function.
        parameters: bound and coerced.
        patient: wait for another process's lock; otherwise raise `Busy` rather than that, for event loops.

    Raises:
        StoreError: the home cannot be used.
        CancelledRun: the current run is being cancelled.
    """
    parent = context.flow_run.get()
    if parent is None:
        return _start_root(spec, code, parameters, patient)
    return _start_subflow(spec, code, parameters, parent, patient)


def record_refused(spec: FlowSpec, code: CodeType, arguments: Mapping[str, Any], error: BaseException) -> None:
    """Keep a run that failed before it began: its parameters do not fit."""
    parent = context.flow_run.get()
    if parent is not None:
        return  # the caller's own run shows the exception
    database = shared_database()
    sentence = storable(str(error))
    new = _new(spec, code, _as_json(arguments), named("Failed", sentence), context.current_tags.get())
    described = RunError(type(error).__name__, sentence, "", new.source_file, code.co_firstlineno)
    log = LogWriter(database.home.log_file(new.id), max_bytes=database.settings.log_max_bytes)
    log.append(new.at, logging.ERROR, "engine", None, None, f"Not started: {sentence}")
    log.close()

    def record(connection: Connection) -> None:
        key = flow_runs.insert(connection, new)
        flow_runs.set_columns(connection, key, {"ended_at": new.at, "error": error_to_json(described)})
        flow_runs.add_log_counts(connection, key, 0, 1)

    database.write(record)


def attach(database: Database, spec: FlowSpec, key: int, incarnation: int) -> FlowRunContext:
    """Take over a run that an engine claimed for this process.

    Raises:
        CancelledRun: it was cancelled before it began.
        RefusedError: another process has it.
    """
    run = _row(database, key)
    recorder = StoreRecorder(database, key, run.id, incarnation)
    at = SYSTEM_CLOCK.now_microseconds()
    if not recorder.record(FlowRunChanged(RUNNING, at, run.attempt)):
        if _row(database, key).incarnation == incarnation:
            raise CancelledRun(f"Run '{run.name}' was cancelled before it began.")
        raise RefusedError(f"Run '{run.name}' belongs to another process by now.")
    set_level(database.settings.logging_level)
    return FlowRunContext(
        recorder=recorder, run_name=run.name, flow_name=spec.name, root_run_id=run.root_run_id, attempt=run.attempt,
        log_prints=bool(spec.log_prints), echo=False, max_workers=database.settings.task_runner_max_workers,
        parameters=dict(run.parameters), tags=frozenset(run.tags),
    )  # fmt: skip


def _row(database: Database, key: int) -> FlowRun:
    # Only the process of a claimed run reads a whole row; a script would pay 8 ms for the record's class.
    from flowdeck.store import flow_run_queries  # noqa: PLC0415

    return flow_run_queries.by_keys(database.reader(), [key])[0]


@cache
def _database_at(path: str) -> Database:
    del path  # a home that was given by name is opened once in a process
    database = Database()
    foreign_access.guard(database.home)  # here run flows of users
    return database


def shared_database() -> Database:
    """Return this process's database of the home that the environment names."""
    return _database_at(str(locate().path))


def _start_root(spec: FlowSpec, code: CodeType, parameters: Mapping[str, Any], patient: bool) -> FlowRunContext:
    database = shared_database()
    set_level(database.settings.logging_level)
    tags = context.current_tags.get()
    new = _new(spec, code, _as_json(parameters), RUNNING, tags)
    write = database.write if patient else database.try_write
    key = write(lambda connection: flow_runs.insert(connection, new))
    recorder = StoreRecorder(database, key, new.id, new.incarnation)
    recorder.resource_use = use_from_now()
    return FlowRunContext(
        recorder=recorder, run_name=new.name, flow_name=spec.name,
        root_run_id=new.id, attempt=1, log_prints=bool(spec.log_prints), echo=True,
        max_workers=database.settings.task_runner_max_workers, parameters=dict(parameters), tags=tags,
    )  # fmt: skip


def _start_subflow(
    spec: FlowSpec, code: CodeType, parameters: Mapping[str, Any], parent: FlowRunContext, patient: bool
) -> FlowRunContext:
    task = context.task_run.get()
    recorder = parent.recorder
    tags = parent.tags | context.current_tags.get()
    new = _new(spec, code, _as_json(parameters), RUNNING, tags)
    new = flow_runs.below(
        new, recorder.first_task_id, None if task is None else task.task_run_id, parent.attempt, parent.root_run_id
    )
    child = recorder.start_subflow(new, patient=patient)
    if child is None:
        raise CancelledRun(recorder.refusal())
    log_prints = parent.log_prints if spec.log_prints is None else spec.log_prints
    return FlowRunContext(
        recorder=child, run_name=new.name, flow_name=spec.name, root_run_id=parent.root_run_id, attempt=1,
        log_prints=log_prints, echo=parent.echo, max_workers=parent.max_workers, parameters=dict(parameters), tags=tags,
    )  # fmt: skip


def _new(spec: FlowSpec, code: CodeType, parameters: str, state: State, tags: frozenset[str]) -> NewFlowRun:
    run_id = new_run_id()
    working_dir = _working_dir()
    source = _source_file(code.co_filename)
    pid = os.getpid()
    return NewFlowRun(
        id=run_id, name=new_run_name(), flow_name=spec.name, entrypoint=_entrypoint(source, code.co_name, working_dir),
        working_dir=working_dir, source_file=source, function=code.co_name if source else None, state=state,
        at=SYSTEM_CLOCK.now_microseconds(), triggered_by="script", parameters=parameters, root_run_id=run_id,
        tags=tuple(sorted(tags)), interpreter=sys.executable, pid=pid, pid_token=processes.token(pid), incarnation=1,
    )  # fmt: skip


def _working_dir() -> str:
    try:
        return storable(os.getcwd())
    except FileNotFoundError:  # somebody has removed it
        return os.sep


def _source_file(filename: str) -> str | None:
    """Return the real path of a source file; None for code that has none (a notebook, an interactive session)."""
    if filename.startswith("<") or not os.path.exists(filename):
        return None
    return storable(os.path.realpath(filename))


def _entrypoint(source: str | None, function: str, working_dir: str) -> str | None:
    if source is None:
        return None
    root = os.path.realpath(working_dir) + os.sep
    return f"{source.removeprefix(root)}:{function}"


def _as_json(parameters: Mapping[str, Any]) -> str:
    return json.dumps(parameter_rules.to_json(parameters))
