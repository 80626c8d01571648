"""How a flow run begins in this process: called by a script, called by another flow, or claimed for an engine."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from flowdeck.execution.calls import context
from flowdeck.execution.calls.context import FlowRunContext
from flowdeck.execution.limits import timeouts
from flowdeck.execution.logs import extra_loggers
from flowdeck.execution.logs.run_logs import engine_line, set_level
from flowdeck.execution.recording import results
from flowdeck.execution.recording.facts import Declared, FlowRunChanged, SubflowTaken
from flowdeck.execution.recording.failures import storable
from flowdeck.execution.recording.recorder import Recorder
from flowdeck.execution.recording.run_identity import RunIdentity, RunSettings
from flowdeck.execution.recording.store_recorder import StoreRecorder
from flowdeck.execution.runners.run_runners import RunRunners
from flowdeck.execution.starts.process_environment import use_from_now
from flowdeck.execution.transactions import transactions
from flowdeck.rules.clock import SYSTEM_CLOCK, to_microseconds
from flowdeck.rules.exceptions import CancelledRun, RefusedError
from flowdeck.rules.keys import call_identity
from flowdeck.rules.keys.function_identity import FunctionIdentity
from flowdeck.rules.keys.refusals import NotKeyedError
from flowdeck.rules.options.hooks import HOOKS_OF_A_LOST_PROCESS
from flowdeck.rules.options.specs import FlowSpec
from flowdeck.rules.parameters import parameters as parameter_rules
from flowdeck.rules.runs.ids import new_run_id
from flowdeck.rules.runs.run_names import new_run_name
from flowdeck.rules.states import State, named
from flowdeck.store import processes
from flowdeck.store.database import descriptor_guard, foreign_access
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.home import Home, locate
from flowdeck.store.results.recorded_results import RecordedSubflow
from flowdeck.store.results.result_files import ResultLostError
from flowdeck.store.run_values import RunError, error_to_json
from flowdeck.store.runs import flow_runs
from flowdeck.store.runs.flow_runs import NewFlowRun
from flowdeck.store.runs.unstarted_runs import fail_unstarted

if TYPE_CHECKING:
    from flowdeck.store.records import FlowRun

RUNNING = named("Running")


def start(
    spec: FlowSpec, called: FunctionIdentity, code: CodeType, parameters: Mapping[str, Any], *, patient: bool = True
) -> FlowRunContext | State:
    """Make a run of a flow that was called: below the current run if there is one, else one of its own.

    A subflow that an earlier attempt of the current run has completed is not run again: then its state is returned.

    Args:
        spec: the options of the flow.
        called: the function of the flow, and what tells it from others.
        code: the code of its function, behind decorators.
        parameters: the parameters, bound and coerced.
        patient: True to wait for another process's lock; False to raise `Busy` instead, for event loops.

    Raises:
        StoreError: the home cannot be used.
        CancelledRun: the current run is being cancelled.
    """
    parent = context.flow_run.get()
    if parent is None:
        return _start_root(spec, code, parameters, patient)
    return _start_subflow(spec, called, code, parameters, parent, patient)


def record_refused(spec: FlowSpec, code: CodeType, arguments: Mapping[str, Any], error: BaseException) -> None:
    """Keep a run that failed before it began: its parameters do not fit."""
    parent = context.flow_run.get()
    if parent is not None:
        return  # the caller's own run shows the exception
    database = shared_database()
    sentence = storable(str(error))
    new = _new(spec, code, _as_json(arguments), named("Failed", sentence), context.current_tags.get())
    described = RunError(type(error).__name__, sentence, "", new.source_file, code.co_firstlineno)

    def record(connection: Connection) -> int:
        key = flow_runs.insert(connection, new)
        flow_runs.set_columns(connection, key, {"ended_at": new.at, "error": error_to_json(described)})
        return key

    fail_unstarted(database, new.id, f"Not started: {sentence}", new.at, record)


def attach(database: Database, spec: FlowSpec, key: int, incarnation: int) -> FlowRunContext:
    """Take over a run that an engine claimed for this process.

    Raises:
        CancelledRun: it was cancelled before it began.
        RefusedError: another process has it.
    """
    run = _row(database, key)
    recorder = StoreRecorder(database, key, run.id, incarnation)
    at = SYSTEM_CLOCK.now_microseconds()
    if not recorder.record(FlowRunChanged(RUNNING, at, run.attempt, declared=_declared(spec))):
        if _row(database, key).incarnation == incarnation:
            raise CancelledRun(f"Run '{run.name}' was cancelled before it began.")
        raise RefusedError(f"Run '{run.name}' belongs to another process by now.")
    _set_up_loggers(database)
    return _context_of(recorder, database, spec, run)


def look_back(database: Database, spec: FlowSpec, run: FlowRun) -> FlowRunContext:
    """Return a run that is over as its own process saw it, for its hooks."""
    _set_up_loggers(database)
    context_of_run = _context_of(StoreRecorder(database, run.key, run.id, run.incarnation), database, spec, run)
    context_of_run.is_over = True
    context_of_run.started_at = None if run.started_at is None else to_microseconds(run.started_at)
    return context_of_run


def _context_of(recorder: StoreRecorder, database: Database, spec: FlowSpec, run: FlowRun) -> FlowRunContext:
    scheduled_at = to_microseconds(run.scheduled_at or run.created_at)
    tags = frozenset(run.tags)
    identity = _identity(recorder, spec, run.name, run.root_run_id, run.attempt, tags=tags, scheduled_at=scheduled_at)
    settings = _settings(spec, database, echo=False)
    return FlowRunContext(identity, settings, recorder, RunRunners(spec.task_runner), dict(run.parameters))


def _settings(spec: FlowSpec, database: Database, *, echo: bool) -> RunSettings:
    chosen = database.settings
    return RunSettings(
        bool(spec.log_prints), echo, chosen.task_runner_max_workers, cancel_grace_seconds=chosen.cancel_grace_seconds
    )


def _identity(
    recorder: Recorder,
    spec: FlowSpec,
    name: str,
    root_run_id: str,
    attempt: int,
    *,
    tags: frozenset[str],
    scheduled_at: int,
    parent_run_id: str | None = None,
) -> RunIdentity:
    """Return who a run is. The one place where that is put together, for runs of every beginning."""
    return RunIdentity(
        id=recorder.run_id, first_task_id=recorder.first_task_id, incarnation=recorder.incarnation, name=name,
        flow_name=spec.name, flow_version=spec.version, root_run_id=root_run_id, parent_run_id=parent_run_id,
        attempt=attempt, tags=tags, scheduled_at=scheduled_at,
    )  # fmt: skip


def _declared(spec: FlowSpec) -> Declared:
    kinds = [kind for kind in HOOKS_OF_A_LOST_PROCESS if kind in spec.hooks]
    return Declared(spec.crash_retries, json.dumps(kinds) if kinds else None)


def _row(database: Database, key: int) -> FlowRun:
    # Only the process of a claimed run reads a whole row; a script would pay 8 ms for the record's class.
    from flowdeck.store.runs import flow_run_queries  # noqa: PLC0415

    return flow_run_queries.by_keys(database.reader(), [key])[0]


_databases: Final[dict[str, Database]] = {}
"""This process's databases, by the path of their home."""


def shared_database() -> Database:
    """Return this process's database of the home that the environment names."""
    home = locate()
    database = _databases.get(str(home.path))
    if database is not None:
        return database
    with descriptor_guard.opening:
        database = _databases.get(str(home.path))
        if database is None:  # no other thread was faster
            database = Database(home)
            foreign_access.guard(database.home)  # here run flows of users
            _databases[str(home.path)] = database
    return database


def close_shared_database(home: Home) -> None:
    """Close this process's database of a home that is about to go; nothing if there is none."""
    database = _databases.pop(str(home.path), None)
    if database is not None:
        database.close()


def _set_up_loggers(database: Database) -> None:
    set_level(database.settings.logging_level)
    extra_loggers.attach(extra_loggers.names_in(database.settings.logging_extra_loggers))


def _start_root(spec: FlowSpec, code: CodeType, parameters: Mapping[str, Any], patient: bool) -> FlowRunContext:
    database = shared_database()
    _set_up_loggers(database)
    tags = context.current_tags.get()
    new = _new(spec, code, _as_json(parameters), RUNNING, tags)
    write = database.write if patient else database.try_write
    key = write(lambda connection: flow_runs.insert(connection, new))
    recorder = StoreRecorder(database, key, new.id, new.incarnation)
    recorder.rows.resource_use = use_from_now()
    identity = _identity(recorder, spec, new.name, new.id, 1, tags=tags, scheduled_at=new.at)
    settings = _settings(spec, database, echo=True)
    return FlowRunContext(identity, settings, recorder, RunRunners(spec.task_runner), dict(parameters))


def _start_subflow(
    spec: FlowSpec,
    called: FunctionIdentity,
    code: CodeType,
    parameters: Mapping[str, Any],
    parent: FlowRunContext,
    patient: bool,
) -> FlowRunContext | State:
    timeouts.check_not_given_up()
    task = context.task_run.get()
    recorder = parent.recorder
    call_key = _call_key(spec, called, parameters, parent)
    recorded = parent.replay.take_subflow(call_key)
    # In a transaction its tasks must be known, to be undone with it: it is entered again, and they are reused.
    alone = transactions.current.get() is None
    if recorded is not None and alone and (known := _reuse(spec, called.function, recorded, parent)) is not None:
        return known
    tags = parent.identity.tags | context.current_tags.get()
    new = _new(spec, code, _as_json(parameters), RUNNING, tags)
    new = flow_runs.below(
        new,
        recorder.first_task_id,
        None if task is None else task.task_run_id,
        parent.identity.attempt,
        parent.identity.root_run_id,
    )
    new = replace(new, call_key=call_key)
    resumed = None if recorded is None else recorder.resume_subflow(recorded.key, new, patient=patient)
    child, attempt = (recorder.start_subflow(new, patient=patient), 1) if resumed is None else resumed
    if child is None:
        raise CancelledRun(recorder.refusal())
    name = new.name if resumed is None or recorded is None else recorded.name
    identity = _identity(
        child, spec, name, parent.identity.root_run_id, attempt, tags=tags, scheduled_at=new.at,
        parent_run_id=parent.identity.id,
    )  # fmt: skip
    log_prints = parent.settings.log_prints if spec.log_prints is None else spec.log_prints
    settings = parent.settings._replace(log_prints=log_prints)
    return FlowRunContext(identity, settings, child, RunRunners(spec.task_runner), dict(parameters))


def _call_key(spec: FlowSpec, called: FunctionIdentity, parameters: Mapping[str, Any], parent: FlowRunContext) -> bytes:
    """Return what stands for this call of a subflow in every attempt of the run that calls it."""
    task, known = context.task_run.get(), parent.large_values.keys()
    try:
        text = called.text(known)
    except NotKeyedError as error:
        if (subject := f"flow {spec.name}") not in parent.warned:
            parent.warned.add(subject)
            engine_line(parent, logging.INFO, call_identity.not_reused(f"flow '{spec.name}'", error))
        return call_identity.unknown_call()
    inputs = call_identity.call_inputs((), parameters, known)
    occurrence = parent.occurrence(None if task is None else task.task_run_id, text, inputs)
    return call_identity.call_key(b"" if task is None else task.call_key, text, inputs, occurrence)


def _reuse(
    spec: FlowSpec, function: Callable[..., Any], recorded: RecordedSubflow, parent: FlowRunContext
) -> State | None:
    """Return the state of a subflow that an earlier attempt has completed, if its value is still to be had."""
    if not recorded.completed:
        return None
    names = getattr(function, "__globals__", {})
    records = parent.recorder.results
    try:
        value = results.load(recorded.inline, recorded.file_hash, records, spec.results.serializer, names)
    except ResultLostError as error:
        engine_line(parent, logging.WARNING, f"Subflow '{recorded.name}' runs again: its result is lost, {error}.")
        return None
    task = context.task_run.get()
    taken = SubflowTaken(recorded.key, parent.identity.attempt, None if task is None else task.task_run_id)
    parent.recorder.note(taken)
    return named("Completed", "Reused from an earlier attempt.", data=value)


def _new(spec: FlowSpec, code: CodeType, parameters: str, state: State, tags: frozenset[str]) -> NewFlowRun:
    run_id = new_run_id()
    working_dir = _working_dir()
    source = _source_file(code.co_filename)
    pid, declared, function = os.getpid(), _declared(spec), _function_name(code)
    return NewFlowRun(
        id=run_id, name=new_run_name(), flow_name=spec.name, entrypoint=_entrypoint(source, function, working_dir),
        working_dir=working_dir, source_file=source, function=function if source else None, state=state,
        at=SYSTEM_CLOCK.now_microseconds(), triggered_by="script", parameters=parameters, root_run_id=run_id,
        tags=tuple(sorted(tags)), interpreter=sys.executable, pid=pid, pid_token=processes.token(pid), incarnation=1,
        crash_retries=declared.crash_retries, hooks=declared.hooks,
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


def _function_name(code: CodeType) -> str:
    """Return how a function is reached in its file; of one that a function makes there is only its own name."""
    return code.co_name if "<" in code.co_qualname else code.co_qualname


def _entrypoint(source: str | None, function: str, working_dir: str) -> str | None:
    if source is None:
        return None
    root = os.path.realpath(working_dir) + os.sep
    return f"{source.removeprefix(root)}:{function}"


def _as_json(parameters: Mapping[str, Any]) -> str:
    return json.dumps(parameter_rules.to_json(parameters))
