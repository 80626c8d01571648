"""The life of a task call, once, top to bottom, for every driver."""

from __future__ import annotations

import logging
from typing import Final

from flowdeck.execution.calls import caching, context
from flowdeck.execution.calls.arguments import resolve
from flowdeck.execution.calls.caching import CachedTaskRun
from flowdeck.execution.calls.task_calls import TaskCall
from flowdeck.execution.drivers.drivers import Driver
from flowdeck.execution.engine.call_endings import close_interrupted, not_ready, not_started
from flowdeck.execution.engine.task_attempts import run_attempts
from flowdeck.execution.hooks import naming
from flowdeck.execution.limits import timeouts
from flowdeck.execution.logs.run_logs import call_line
from flowdeck.execution.recording import results
from flowdeck.execution.recording.facts import TaskRunTaken
from flowdeck.execution.transactions import task_transactions, transactions
from flowdeck.rules.keys.cache_policies import SERIALIZABLE
from flowdeck.rules.keys.call_identity import call_inputs, call_key, not_reused, unknown_call
from flowdeck.rules.keys.refusals import NotKeyedError
from flowdeck.rules.states import State, named
from flowdeck.rules.text.previews import preview
from flowdeck.store.calls.task_run_reuse import Origin
from flowdeck.store.calls.task_runs import RecordedValue
from flowdeck.store.results.recorded_results import RecordedCall
from flowdeck.store.results.result_files import ResultLostError

NOT_STARTED: Final = "Its flow run ended before this call began."


async def run_task(call: TaskCall, driver: Driver) -> State:
    """Run a call to its end and return its final state; every change of state is recorded before it takes effect."""
    try:
        return await _live(call, driver)
    except BaseException as error:
        # Not the author's function: an interrupt between two steps, or the store. The row shall not say "running".
        if call.made and not call.run.is_forked_copy():
            close_interrupted(call, driver, error)
        raise


async def _live(call: TaskCall, driver: Driver) -> State:
    run, row = call.run, call.row
    if call.needs:
        await driver.wait(call.needs)
    if run.closing or timeouts.given_up() is not None:
        return await not_started(call, driver, NOT_STARTED)
    if task_transactions.is_failing():
        return await not_started(call, driver, "The transaction around it failed before this call began.")
    if call.inputs.to_resolve or call.needs or call.inputs.failed_state is not None:
        missing = call.inputs.missing()
        if missing is not None:
            return await not_ready(call, driver, *missing)
    if call.inputs.to_resolve:
        call.args, call.kwargs = resolve(tuple(call.args)), resolve(dict(call.kwargs))
    if call.spec.run_name is not None and row.name is None:
        naming.name_task_run(call)
    row.call_key = _identify(call)
    known = await _reuse(call, driver, run.replay.take(row.call_key))
    if known is None and call.spec.cache.is_on():
        return await _cached(call, driver, row.call_key)
    return known or await run_attempts(call, driver, row.call_key)


async def _cached(call: TaskCall, driver: Driver, call_key: bytes) -> State:
    """Take a call's value from the cache, or run it and leave a note for its result."""
    run, row, spec = call.run, call.row, call.spec
    task_run = CachedTaskRun(row.id, call.name, run.identity.id)
    call.cache = caching.key_of(spec, call.function, call.args, call.kwargs, run, task_run)
    if not call.cache.key:
        return await run_attempts(call, driver, call_key)
    lock = run.recorder.results.lock(call.cache.key) if spec.cache.policy.isolation_level == SERIALIZABLE else None
    transaction = transactions.current.get()
    if lock is not None and transaction is not None:
        await transaction.hold(call.cache.key, lock, driver)
        lock = None
    try:
        while lock is not None and not run.closing and not lock.try_acquire():
            await driver.pause(caching.LOCK_INTERVAL_SECONDS, lambda: run.closing)
        found = caching.find(spec, call.function, run, call.cache, driver.clock.now_microseconds())
        if isinstance(found, caching.Hit):
            return await _take_cached(call, driver, found)
        call.cache = found
        return await run_attempts(call, driver, call_key)
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
    return await not_started(call, driver, run.recorder.refusal())


def _identify(call: TaskCall) -> bytes:
    """Return what stands for this call in every attempt of its run."""
    run, row = call.run, call.row
    parent, known = context.task_run.get(), run.large_values.keys()
    row.input_key = call_inputs(call.args, call.kwargs, known)
    try:
        row.task_key = call.task.identity.text(known)
    except NotKeyedError as error:
        if (subject := f"task {call.spec.name}") not in run.warned:
            run.warned.add(subject)
            call_line(call, logging.INFO, not_reused(f"task '{call.spec.name}'", error))
        return unknown_call()
    row.occurrence = run.occurrence(row.parent_id, row.task_key, row.input_key)
    return call_key(b"" if parent is None else parent.call_key, row.task_key, row.input_key, row.occurrence)


async def _reuse(call: TaskCall, driver: Driver, recorded: RecordedCall | None) -> State | None:
    """Complete a call with what an earlier attempt recorded, if it did and that is still to be had."""
    run, row, records = call.run, call.row, call.run.recorder.results
    if recorded is None or (found := records.of_call(recorded.task_run_id)) is None:
        return None
    names = getattr(call.function, "__globals__", {})
    try:
        value = results.load(found.inline, found.file_hash, records, call.spec.results.serializer, names)
    except ResultLostError as error:
        call_line(
            call, logging.WARNING, f"Runs again, though attempt {found.flow_attempt} recorded its result: {error}."
        )
        return None
    assert row.call_key is not None
    run.large_values.add(value, row.call_key, found.size_bytes)
    state = named("Completed", f"Reused from attempt {found.flow_attempt}.", data=value)
    at = driver.clock.now_microseconds()
    origin = Origin(recorded.task_run_id, None)
    run.recorder.note(TaskRunTaken(row, state, at, RecordedValue(found.preview), origin, call.made))
    await task_transactions.reuse(call, value, recorded.task_run_id, found, driver)
    return state
