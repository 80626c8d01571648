"""The attempts of a task call: each is recorded before it begins, the last one's end when it is over."""

from __future__ import annotations

import functools
import logging
import threading
from typing import Any, Final, NamedTuple

from flowdeck.execution.calls import caching, context
from flowdeck.execution.calls.context import TaskRunContext
from flowdeck.execution.calls.task_calls import Attempt, TaskCall
from flowdeck.execution.drivers.drivers import Driver
from flowdeck.execution.engine import task_outcome
from flowdeck.execution.engine.call_endings import not_started
from flowdeck.execution.hooks import hooks, run_views
from flowdeck.execution.limits import timeouts
from flowdeck.execution.logs.run_logs import call_line
from flowdeck.execution.recording import results
from flowdeck.execution.recording.facts import TaskRunEnded, TaskRunStarted, TaskRunWaits
from flowdeck.execution.recording.failures import describe, sentence
from flowdeck.execution.recording.outcome import Outcome
from flowdeck.execution.runners.run_runners import runners_of
from flowdeck.execution.transactions import task_transactions, transactions
from flowdeck.rules.exceptions import FailedRun
from flowdeck.rules.options.retries import wait_text
from flowdeck.rules.states import State, named
from flowdeck.store.calls.task_runs import NO_VALUE, RecordedValue

RUNNING: Final = named("Running")


class StoredFor(NamedTuple):
    """A run as a `result_storage_key` names it."""

    id: str | int
    name: str


async def run_attempts(call: TaskCall, driver: Driver, call_key: bytes) -> State:
    """Call the author's function until an attempt succeeds or is the last."""
    run, row, spec = call.run, call.row, call.spec
    log_prints = run.settings.log_prints if spec.log_prints is None else spec.log_prints
    task = TaskRunContext(row.id, spec.name, call.name, log_prints, call_key)
    task.call = call
    state = RUNNING
    while True:
        if not await _start(call, driver, state, task):
            return await not_started(call, driver, run.recorder.refusal())
        outcome = await _run_body(call, driver, task, state)
        ended = task_outcome.final_state(outcome)
        if run.is_forked_copy() or timeouts.given_up() is not None:
            return ended  # of no consequence: the original records the call, or its flow run has given it up
        scope = task_transactions.of_attempt(task)
        if scope is not None and not ended.is_completed():
            await scope.fail(driver, ended.message or f"It is {ended.name}.")
        delay_seconds = None if run.closing else await _delay_seconds(call, driver, task, ended)
        if delay_seconds is None:
            return await _end(call, driver, task, ended)
        await _await_retry(call, driver, task, ended, delay_seconds)
        task.attempt += 1
        if run.closing or timeouts.given_up() is not None:
            return await not_started(call, driver, f"Its flow run ended before attempt {task.attempt} began.")
        state = named("Retrying", f"Attempt {task.attempt} of {spec.retry.retries + 1}.")


async def _start(call: TaskCall, driver: Driver, state: State, task: TaskRunContext) -> bool:
    """Note that the body is about to run; False when the flow run may not start anything any more."""
    worker = threading.current_thread().name
    task.started_at = driver.clock.now_microseconds()
    started = TaskRunStarted(call.row, state, task.started_at, task.attempt, worker, call.made)
    # Set before: interrupted behind the commit, it would not be closed. Closing a row that is not there does nothing.
    call.made = True
    return await driver.record(call.run.recorder, started)


async def _run_body(call: TaskCall, driver: Driver, task: TaskRunContext, state: State) -> Outcome:
    spec = call.spec
    token, scope = context.task_run.set(task), task_transactions.begin(call, task)
    around = None if scope is None else transactions.current.set(scope)
    try:
        if spec.hooks:
            await _run_hooks("running", call, driver, task, state)
        limit = timeouts.limit_of(spec.timeout_seconds, lambda: f"Task run '{call.name}'", call.run.recorder.interrupt)
        executor = runners_of(call.run).own_workers(call.run) if spec.own_process else call.executor
        if executor is None:
            return await driver.call(call.function, call.args, call.kwargs, limit)
        attempt = Attempt(call, task, context.current_tags.get())
        return await driver.call_elsewhere(executor, attempt, limit)
    finally:
        context.leave(context.task_run, token)
        if around is not None:
            context.leave(transactions.current, around)


async def _run_hooks(kind: str, call: TaskCall, driver: Driver, task: TaskRunContext, state: State) -> None:
    chosen = call.spec.hooks.get(kind)
    if chosen:
        view = run_views.of_task_call(call, task, state)
        await hooks.run_hooks(kind, chosen, (call.task, view, state), call.run, driver)


async def _delay_seconds(call: TaskCall, driver: Driver, task: TaskRunContext, state: State) -> float | None:
    """Return how long to wait before the next attempt; None when there is to be none."""
    policy = call.spec.retry
    delay_seconds = policy.next_delay_seconds(task.attempt) if state.is_failed() else None
    if delay_seconds is not None and not driver.may_repeat:
        call_line(call, logging.WARNING, "It is not tried again: it has given items, which would be given twice.")
        return None
    if delay_seconds is None or policy.condition is None:
        return delay_seconds
    token = context.task_run.set(task)
    try:
        arguments = (call.task, run_views.of_task_call(call, task, state), state)
        return delay_seconds if await hooks.agrees(policy.condition, arguments, call.run, driver) else None
    finally:
        context.leave(context.task_run, token)


async def _await_retry(
    call: TaskCall, driver: Driver, task: TaskRunContext, state: State, delay_seconds: float
) -> None:
    """Note the failed attempt and let the delay pass, unless the flow run ends meanwhile."""
    error = FailedRun(state.message or state.name) if state.exception is None else state.exception
    described = describe(error)
    attempts = call.spec.retry.retries + 1
    wait, failed = wait_text(delay_seconds), f"{described.type}: {described.message.removesuffix('.')}"
    text = f"Attempt {task.attempt} of {attempts} failed: {failed}. The next one {wait}."
    call_line(call, logging.WARNING, text)
    if not delay_seconds:
        return
    at = driver.clock.now_microseconds()
    waiting = named("AwaitingRetry", f"Attempt {task.attempt + 1} of {attempts} {wait}. {sentence(error)}")
    await driver.record(call.run.recorder, TaskRunWaits(call.row.id, waiting, at, described))
    await driver.pause(delay_seconds, lambda: call.run.closing or timeouts.given_up() is not None)


async def _end(call: TaskCall, driver: Driver, task: TaskRunContext, state: State) -> State:
    error = None if state.exception is None or state.is_cancelled() else describe(state.exception)
    if error is not None:
        call_line(call, logging.ERROR, f"{state.name}: {error.type}: {error.message}\n{error.traceback}")
        call.run.logged_error = state.exception
    value = _keep(call, state.data) if state.is_completed() else NO_VALUE
    scope = task_transactions.of_attempt(task) if state.is_completed() else None
    values = None if scope is None else scope.put_off(call)
    at = driver.clock.now_microseconds()
    await driver.record(call.run.recorder, TaskRunEnded(call.row.id, state, at, error, value, call.cache, values))
    if scope is not None:
        await scope.complete(call, state.data, driver)
    if call.spec.hooks:
        token = context.task_run.set(task)
        try:
            await _run_hooks(hooks.end_kind(state), call, driver, task, state)
        finally:
            context.leave(context.task_run, token)
    return state


def _keep(call: TaskCall, value: Any) -> RecordedValue:
    """Record what a call returned, as far as that can be done."""
    options, run = call.spec.results, call.run
    wanted = options.persist is not False
    name = None if options.storage_key is None else functools.partial(_storage_name, call, options.storage_key)
    kept = results.keep(value, options.serializer, run.recorder.results, wanted=wanted, name=name)
    if kept.problem is not None:
        call_line(call, logging.WARNING, kept.problem)
    stored = kept.value.result
    assert call.row.call_key is not None
    run.large_values.add(value, call.row.call_key, None if stored is None else stored.size_bytes)
    return kept.value


def _storage_name(call: TaskCall, key: str) -> str:
    run = call.run
    return results.storage_name(
        key,
        caching.arguments_by_name(call.function, call.args, call.kwargs),
        flow_run=StoredFor(run.identity.id, run.identity.name),
        task_run=StoredFor(call.row.id, call.name),
    )
