"""The life of a task call, once, top to bottom, for every driver."""

from __future__ import annotations

import functools
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from flowdeck.execution import caching, context, results
from flowdeck.execution.arguments import Inputs, resolve
from flowdeck.execution.caching import CachedTaskRun
from flowdeck.execution.context import FlowRunContext, TaskRunContext
from flowdeck.execution.drivers import Driver, Outcome
from flowdeck.execution.facts import TaskRunEnded, TaskRunNotReady, TaskRunStarted, TaskRunTaken, TaskRunWaits
from flowdeck.execution.failures import describe, sentence, state_of_error
from flowdeck.execution.futures import TaskFuture
from flowdeck.execution.run_logs import engine_line
from flowdeck.rules.cache_policies import SERIALIZABLE
from flowdeck.rules.call_identity import call_inputs, call_key
from flowdeck.rules.exceptions import CancelledRun, UnfinishedRun
from flowdeck.rules.previews import preview
from flowdeck.rules.specs import TaskSpec
from flowdeck.rules.states import State, named
from flowdeck.store.recorded_results import RecordedCall
from flowdeck.store.result_files import ResultLostError
from flowdeck.store.run_facts import CALLS_PER_RUN
from flowdeck.store.task_run_reuse import Origin
from flowdeck.store.task_runs import NO_VALUE, CacheNote, NewTaskRun, RecordedValue

RUNNING: Final = named("Running")
NOT_STARTED: Final = "Its flow run ended before this call began."
LOCK_INTERVAL_SECONDS: Final = 0.02
"""How often a call looks whether another one with its cache key is over."""
LONGEST_SLEEP_SECONDS: Final = 1.0
"""A wait for a retry is slept in pieces of this length, so that the end of the flow ends it too."""


class StoredFor(NamedTuple):
    """A run as a `result_storage_key` names it."""

    id: str | int
    name: str


@dataclass(slots=True)
class TaskCall:
    """A call of a task: what to call with what, and the run that it belongs to."""

    spec: TaskSpec
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    needs: list[TaskFuture[Any]]
    """Futures among the arguments, and those that the author said to wait for."""
    to_resolve: bool
    """There are futures or states among the arguments, whose values take their place."""
    run: FlowRunContext
    row: NewTaskRun
    name: str
    made: bool
    """Its row is there: it was submitted, or has begun."""
    cache: CacheNote | None = None
    """Where its result is to be found later; None for a task that is not cached."""


def make_call(
    spec: TaskSpec,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    inputs: Inputs,
    run: FlowRunContext,
    group: int | None = None,
    submitted: bool = False,
) -> TaskCall:
    """Give a call its number in the run."""
    task_run_id, index = run.number_call(spec.name)
    parent = context.task_run.get()
    tags = spec.tags | context.current_tags.get()
    row = NewTaskRun(
        id=task_run_id,
        flow_run_key=task_run_id // CALLS_PER_RUN,
        flow_attempt=run.attempt,
        incarnation=run.recorder.incarnation,
        task_name=spec.name,
        index=index,
        name=None,
        group=group,
        parent_id=None if parent is None else parent.task_run_id,
        task_key=spec.key,
        input_key=None,
        occurrence=0,
        upstream=json.dumps([future.task_run_id for future in inputs.futures]) if inputs.futures else None,
        tags=json.dumps(sorted(tags)) if tags else None,
    )
    name = f"{spec.name}-{index}"
    return TaskCall(spec, function, args, kwargs, inputs.futures, inputs.to_resolve, run, row, name, submitted)


async def run_task(call: TaskCall, driver: Driver) -> State:
    """Run a call to its end and return its final state; every change of state is recorded before it takes effect."""
    try:
        return await _live(call, driver)
    except BaseException as error:
        # Not the author's function: an interrupt between two steps, or the store. The row shall not say "running".
        if call.made and not call.run.is_forked_copy():
            _close(call, driver, error)
        raise


async def _live(call: TaskCall, driver: Driver) -> State:
    run, row = call.run, call.row
    if call.needs:
        await driver.wait(call.needs)
    if run.closing:
        return await _not_started(call, driver, NOT_STARTED)
    failed = next((future for future in call.needs if not future.final_state().is_completed()), None)
    if failed is not None:
        return await _not_ready(call, driver, failed)
    if call.to_resolve:
        call.args, call.kwargs = resolve(tuple(call.args)), resolve(dict(call.kwargs))
    row.call_key = _identify(call)
    known = _reuse(call, driver, run.replay.take(row.call_key))
    if known is None and call.spec.cache.is_on():
        return await _cached(call, driver, row.call_key)
    return known or await _attempts(call, driver, row.call_key)


async def _cached(call: TaskCall, driver: Driver, call_key: bytes) -> State:
    """Take a call's value from the cache, or run it and leave a note for its result."""
    run, row, spec = call.run, call.row, call.spec
    task_run = CachedTaskRun(row.id, call.name, run.run_id)
    call.cache = caching.key_of(spec, call.function, call.args, call.kwargs, run, task_run)
    if not call.cache.key:
        return await _attempts(call, driver, call_key)
    lock = run.recorder.results.lock(call.cache.key) if spec.cache.policy.isolation_level == SERIALIZABLE else None
    try:
        while lock is not None and not run.closing and not lock.try_acquire():
            await driver.sleep(LOCK_INTERVAL_SECONDS)
        found = caching.find(spec, call.function, run, call.cache, driver.clock.now_microseconds())
        if isinstance(found, caching.Hit):
            return await _take_cached(call, driver, found)
        call.cache = found
        return await _attempts(call, driver, call_key)
    finally:
        if lock is not None:
            lock.release()


async def _take_cached(call: TaskCall, driver: Driver, hit: caching.Hit) -> State:
    run, row = call.run, call.row
    assert row.call_key is not None
    run.large_values.add(hit.value, row.call_key, hit.stored.size_bytes)
    state = named("Cached", hit.note.reason, data=hit.value)
    value = RecordedValue(preview(hit.value), hit.stored)
    taken = TaskRunTaken(row, state, driver.clock.now_microseconds(), value, Origin(None, hit.note), call.made)
    if await driver.record(run.recorder, taken):
        return state
    return await _not_started(call, driver, run.recorder.refusal())


async def _attempts(call: TaskCall, driver: Driver, call_key: bytes) -> State:
    """Call the author's function until an attempt succeeds or is the last."""
    run, row, spec = call.run, call.row, call.spec
    log_prints = run.log_prints if spec.log_prints is None else spec.log_prints
    task = TaskRunContext(row.id, spec.name, call.name, log_prints, call_key)
    state = RUNNING
    while True:
        if not await _start(call, driver, state, task.attempt):
            return await _not_started(call, driver, run.recorder.refusal())
        token = context.task_run.set(task)
        try:
            outcome = await driver.call(call.function, call.args, call.kwargs)
        finally:
            context.leave(context.task_run, token)
        if run.is_forked_copy():
            return _final_state(outcome)  # the author forked in the body; the original records the call
        delay_seconds = None if run.closing else _delay_seconds(call, task, outcome)
        if outcome.error is None or delay_seconds is None:
            return await _end(call, driver, outcome)
        await _await_retry(call, driver, task, outcome.error, delay_seconds)
        task.attempt += 1
        if run.closing:
            return await _not_started(call, driver, f"Its flow run ended before attempt {task.attempt} began.")
        state = named("Retrying", f"Attempt {task.attempt} of {spec.retry.retries + 1}.")


def _identify(call: TaskCall) -> bytes:
    """Return what stands for this call in every attempt of its run."""
    run, row = call.run, call.row
    parent = context.task_run.get()
    row.input_key = call_inputs(call.args, call.kwargs, run.large_values.keys())
    row.occurrence = run.occurrence(row.parent_id, row.task_key, row.input_key)
    return call_key(b"" if parent is None else parent.call_key, row.task_key, row.input_key, row.occurrence)


def _reuse(call: TaskCall, driver: Driver, recorded: RecordedCall | None) -> State | None:
    """Complete a call with what an earlier attempt recorded, if it did and that is still to be had."""
    run, row, records = call.run, call.row, call.run.recorder.results
    if recorded is None or (found := records.of_call(recorded.task_run_id)) is None:
        return None
    names = getattr(call.function, "__globals__", {})
    try:
        value = results.load(found.inline, found.file_hash, records, call.spec.results.serializer, names)
    except ResultLostError as error:
        _say(call, logging.WARNING, f"Runs again, though attempt {found.flow_attempt} recorded its result: {error}.")
        return None
    assert row.call_key is not None
    run.large_values.add(value, row.call_key, found.size_bytes)
    state = named("Completed", f"Reused from attempt {found.flow_attempt}.", data=value)
    at = driver.clock.now_microseconds()
    origin = Origin(recorded.task_run_id, None)
    run.recorder.note(TaskRunTaken(row, state, at, RecordedValue(found.preview), origin, call.made))
    return state


async def _start(call: TaskCall, driver: Driver, state: State, attempt: int) -> bool:
    """Note that the body is about to run; False when the flow run may not start anything any more."""
    worker = threading.current_thread().name
    started = TaskRunStarted(call.row, state, driver.clock.now_microseconds(), attempt, worker, call.made)
    # Set before: torn away behind the commit, it would not be closed. Closing a row that is not there does nothing.
    call.made = True
    return await driver.record(call.run.recorder, started)


def _delay_seconds(call: TaskCall, task: TaskRunContext, outcome: Outcome) -> float | None:
    """Return how long to wait before the next attempt; None when there is to be none."""
    return call.spec.retry.next_delay_seconds(task.attempt) if isinstance(outcome.error, Exception) else None


async def _end(call: TaskCall, driver: Driver, outcome: Outcome) -> State:
    state = _final_state(outcome)
    error = None if outcome.error is None or state.is_cancelled() else describe(outcome.error)
    if error is not None:
        _say(call, logging.ERROR, f"{state.name}: {error.type}: {error.message}\n{error.traceback}")
        call.run.told = outcome.error
    value = _keep(call, outcome.value) if state.is_completed() else NO_VALUE
    at = driver.clock.now_microseconds()
    await driver.record(call.run.recorder, TaskRunEnded(call.row.id, state, at, error, value, call.cache))
    return state


def _keep(call: TaskCall, value: Any) -> RecordedValue:
    """Record what a call returned, as far as that can be done."""
    options, run = call.spec.results, call.run
    wanted = options.persist is not False
    name = None if options.storage_key is None else functools.partial(_storage_name, call, options.storage_key)
    kept = results.keep(value, options.serializer, run.recorder.results, wanted=wanted, name=name)
    if kept.problem is not None:
        _say(call, logging.WARNING, kept.problem)
    stored = kept.value.result
    assert call.row.call_key is not None
    run.large_values.add(value, call.row.call_key, None if stored is None else stored.size_bytes)
    return kept.value


def _storage_name(call: TaskCall, key: str) -> str:
    run = call.run
    return results.storage_name(
        key,
        caching.arguments_by_name(call.function, call.args, call.kwargs),
        flow_run=StoredFor(run.run_id, run.run_name),
        task_run=StoredFor(call.row.id, call.name),
    )


def _final_state(outcome: Outcome) -> State:
    return named("Completed", data=outcome.value) if outcome.error is None else state_of_error(outcome.error)


async def _await_retry(
    call: TaskCall, driver: Driver, task: TaskRunContext, error: BaseException, delay_seconds: float
) -> None:
    """Note the failed attempt and let the delay pass, unless the flow run ends meanwhile."""
    described = describe(error)
    attempts = call.spec.retry.retries + 1
    wait = f"in {delay_seconds:g} s" if delay_seconds else "at once"
    text = f"Attempt {task.attempt} of {attempts} failed: {described.type}: {described.message}. The next one {wait}."
    _say(call, logging.WARNING, text)
    if not delay_seconds:
        return
    at = driver.clock.now_microseconds()
    waiting = named("AwaitingRetry", f"Attempt {task.attempt + 1} of {attempts} {wait}. {sentence(error)}")
    await driver.record(call.run.recorder, TaskRunWaits(call.row.id, waiting, at, described))
    left_seconds = delay_seconds
    while left_seconds > 0 and not call.run.closing:
        await driver.sleep(min(left_seconds, LONGEST_SLEEP_SECONDS))
        left_seconds -= LONGEST_SLEEP_SECONDS


async def _not_ready(call: TaskCall, driver: Driver, failed: TaskFuture[Any]) -> State:
    """A call whose upstream failed does not run, and says whose fault it was."""
    upstream = failed.final_state()
    message = f"It needs {failed.name}, which is {upstream.name}."
    error = UnfinishedRun(f"'{call.name}' did not run. {message}")
    error.__cause__ = upstream.exception
    state = named("NotReady", message, exception=error)
    at = driver.clock.now_microseconds()
    await driver.record(call.run.recorder, TaskRunNotReady(call.row, state, at, call.made))
    _say(call, logging.WARNING, f"Not started: {message}")
    return state


async def _not_started(call: TaskCall, driver: Driver, reason: str) -> State:
    """Its flow run ended, or is being cancelled, before its turn (or that of its next attempt) came."""
    state = named("Cancelled", reason, exception=CancelledRun(reason))
    if call.made:
        at = driver.clock.now_microseconds()
        await driver.record(call.run.recorder, TaskRunEnded(call.row.id, state, at, None))
    return state


def _close(call: TaskCall, driver: Driver, error: BaseException) -> None:
    """Close the row of a call that was torn away from its end; what cannot be done here the end of the flow does."""
    state = state_of_error(error)
    described = None if state.is_cancelled() else describe(error)
    ended = TaskRunEnded(call.row.id, state, driver.clock.now_microseconds(), described)
    with suppress(Exception):
        call.run.recorder.try_record(ended)
    call.run.torn = True


def _say(call: TaskCall, level_number: int, text: str) -> None:
    """A line of the engine about a call."""
    token = context.task_run.set(TaskRunContext(call.row.id, call.spec.name, call.name, False))
    try:
        engine_line(call.run, level_number, text)
    finally:
        context.task_run.reset(token)
