"""The life of a flow run, once, top to bottom, for every driver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowdeck.execution import context
from flowdeck.execution.context import FlowRunContext
from flowdeck.execution.drivers import Driver
from flowdeck.execution.facts import FlowRunChanged
from flowdeck.execution.failures import describe
from flowdeck.execution.flow_outcome import final_state
from flowdeck.execution.run_logs import capture_prints, engine_line
from flowdeck.rules.specs import FlowSpec
from flowdeck.rules.states import State, named

REPLACED = "Another process has taken this run over; what this one still did is not recorded."


@dataclass(slots=True)
class FlowCall:
    """A flow run whose row is RUNNING, and what to call for it."""

    spec: FlowSpec
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    run: FlowRunContext


async def run_flow(call: FlowCall, driver: Driver) -> State:
    """Run a flow to its end and return its final state, which is recorded by then."""
    run = call.run
    if run.log_prints or call.spec.log_prints is None:
        capture_prints()
    flow_token, task_token = context.flow_run.set(run), context.task_run.set(None)
    started = driver.clock.monotonic_seconds()
    tries = 1
    try:
        engine_line(run, logging.INFO, f"Run '{run.run_name}' of flow '{call.spec.name}' started{_attempt(run)}.")
        while True:
            state = await _attempt_once(call, driver)
            delay_seconds = call.spec.retry.next_delay_seconds(tries) if state.is_failed() else None
            if delay_seconds is None:
                return await _end(call, driver, state, driver.clock.monotonic_seconds() - started)
            if not await _start_again(call, driver, state, delay_seconds):
                return await _end(call, driver, state, driver.clock.monotonic_seconds() - started)
            tries += 1
    finally:
        context.flow_run.reset(flow_token)
        context.task_run.reset(task_token)
        if run.runner is not None:
            run.runner.close()


async def _attempt_once(call: FlowCall, driver: Driver) -> State:
    """Call the author's function, wait for what it submitted, and decide what that amounts to."""
    run = call.run
    outcome = await driver.call(call.function, call.args, call.kwargs)
    run.closing = outcome.error is not None
    await driver.wait(run.submitted)
    return final_state(outcome, run.submitted)


async def _start_again(call: FlowCall, driver: Driver, state: State, delay_seconds: float) -> bool:
    """Let the delay pass and enter the next attempt; False when the run may not go on."""
    run, now = call.run, driver.clock.now_microseconds
    error = None if state.exception is None else describe(state.exception)
    wait = f"in {delay_seconds:g} s" if delay_seconds else "at once"
    engine_line(run, logging.WARNING, f"Attempt {run.attempt} failed: {state.message}. The next one {wait}.")
    waiting = named("AwaitingRetry", f"Attempt {run.attempt + 1} {wait}. {state.message or ''}".rstrip())
    if not await driver.record(run.recorder, FlowRunChanged(waiting, now(), run.attempt, error)):
        return False
    await driver.sleep(delay_seconds)
    next_attempt = run.attempt + 1
    retrying = named("Retrying", f"Attempt {next_attempt}.")
    if not await driver.record(run.recorder, FlowRunChanged(retrying, now(), next_attempt)):
        return False
    run.start_attempt(next_attempt)
    return True


async def _end(call: FlowCall, driver: Driver, state: State, seconds: float) -> State:
    run, now = call.run, driver.clock.now_microseconds
    error = None
    if state.exception is not None and not state.is_cancelled():
        error = describe(state.exception)
        told = "" if run.told is state.exception else f"\n{error.traceback}"
        engine_line(run, logging.ERROR, f"{state.name}: {error.type}: {error.message}{told}")
    level = logging.INFO if state.is_completed() else logging.WARNING
    engine_line(run, level, f"Run '{run.run_name}' ended: {state.name} after {seconds:.2f} s.")
    if await driver.record(run.recorder, FlowRunChanged(state, now(), run.attempt, error)):
        return state
    # Refused: a cancel came in between (a run that is being cancelled can only become Cancelled), or another process
    # has this run now.
    cancelled = named("Cancelled", "Cancelled on request.", exception=state.exception)
    if await driver.record(run.recorder, FlowRunChanged(cancelled, now(), run.attempt)):
        run.recorder.close_open_calls(FlowRunChanged(cancelled, now(), run.attempt))
        return cancelled
    engine_line(run, logging.WARNING, REPLACED)
    return state


def _attempt(run: FlowRunContext) -> str:
    return f", attempt {run.attempt}; all its tasks run again" if run.attempt > 1 else ""
