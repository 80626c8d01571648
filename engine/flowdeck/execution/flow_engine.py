"""The life of a flow run, once, top to bottom, for every driver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from flowdeck.execution import context
from flowdeck.execution.context import FlowRunContext
from flowdeck.execution.drivers import Driver, Outcome
from flowdeck.execution.facts import FlowRunChanged
from flowdeck.execution.failures import describe, state_of_error
from flowdeck.execution.flow_outcome import final_state
from flowdeck.execution.run_logs import capture_prints, engine_line
from flowdeck.execution.task_engine import LONGEST_SLEEP_SECONDS
from flowdeck.rules.exceptions import CancelledRun
from flowdeck.rules.previews import preview
from flowdeck.rules.specs import FlowSpec
from flowdeck.rules.states import State, named

_PARAMETERS_SHOWN: Final = 200
"""Characters; inspect has them whole."""


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
    if run.log_prints or call.spec.log_prints is None or not run.echo:
        capture_prints()
    flow_token, task_token = context.flow_run.set(run), context.task_run.set(None)
    try:
        return await _live(call, driver)
    except BaseException as error:
        # Not the author's function: an interrupt between two steps, or the store. The row shall not say "running".
        if not run.is_forked_copy():
            _close(call, driver, error)
        raise
    finally:
        context.leave(context.flow_run, flow_token)
        context.leave(context.task_run, task_token)
        if run.runner is not None:
            run.runner.close()


async def _live(call: FlowCall, driver: Driver) -> State:
    run = call.run
    started = driver.clock.monotonic_seconds()
    tries = 1
    beginning = f"Run '{run.run_name}' of flow '{call.spec.name}' started"
    engine_line(run, logging.INFO, f"{beginning}{_given(run)}{_attempt(run)}.")
    while True:
        state = await _attempt_once(call, driver)
        if run.is_forked_copy():
            return state  # the author forked in the body; the original records the run
        delay_seconds = call.spec.retry.next_delay_seconds(tries) if state.is_failed() else None
        if delay_seconds is None or not await _start_again(call, driver, state, delay_seconds):
            return await _end(call, driver, state, driver.clock.monotonic_seconds() - started)
        tries += 1


async def _attempt_once(call: FlowCall, driver: Driver) -> State:
    """Call the author's function, wait for what it submitted, and decide what that amounts to."""
    run = call.run
    outcome = await driver.call(call.function, call.args, call.kwargs)
    if run.is_forked_copy():
        return final_state(outcome, ())
    run.closing = outcome.error is not None
    try:
        await _wait_for_calls(run, driver)
    except GeneratorExit:
        raise
    except BaseException as error:  # noqa: BLE001 - an interrupt while it waits: the same as one in the body
        outcome = Outcome(None, error)
        run.closing = True
        await _wait_for_calls(run, driver)
    return final_state(outcome, run.submitted)


async def _wait_for_calls(run: FlowRunContext, driver: Driver) -> None:
    """Wait for the calls that were submitted; of a run that is closing, say so: it may take its time."""
    running = sum(not future.is_done() for future in run.submitted) if run.closing else 0
    if running:
        engine_line(run, logging.INFO, f"Waiting for submitted task calls that have begun ({running} are not over).")
    await driver.wait(run.submitted)


async def _start_again(call: FlowCall, driver: Driver, state: State, delay_seconds: float) -> bool:
    """Let the delay pass and enter the next attempt; False when the run may not go on."""
    run, now = call.run, driver.clock.now_microseconds
    error = None if state.exception is None else describe(state.exception)
    wait = f"in {delay_seconds:g} s" if delay_seconds else "at once"
    engine_line(run, logging.WARNING, f"Attempt {run.attempt} failed: {state.message}. The next one {wait}.")
    waiting = named("AwaitingRetry", f"Attempt {run.attempt + 1} {wait}. {state.message or ''}".rstrip())
    if not await driver.record(run.recorder, FlowRunChanged(waiting, now(), run.attempt, error)):
        return False
    await _pass_delay(run, driver, delay_seconds)
    next_attempt = run.attempt + 1
    retrying = named("Retrying", f"Attempt {next_attempt}.")
    if not await driver.record(run.recorder, FlowRunChanged(retrying, now(), next_attempt)):
        return False
    run.start_attempt(next_attempt)
    return True


async def _pass_delay(run: FlowRunContext, driver: Driver, delay_seconds: float) -> None:
    """Let the delay pass, unless the run is cancelled meanwhile: of a script no engine may be there to say so."""
    left_seconds = delay_seconds
    while left_seconds > 0 and run.recorder.may_go_on():
        await driver.sleep(min(left_seconds, LONGEST_SLEEP_SECONDS))
        left_seconds -= LONGEST_SLEEP_SECONDS


async def _end(call: FlowCall, driver: Driver, state: State, seconds: float) -> State:
    run = call.run
    ended = _ended(run, state, driver)
    level = logging.INFO if state.is_completed() else logging.WARNING
    engine_line(run, level, f"Run '{run.run_name}' ended: {state.name} after {seconds:.2f} s.")
    if await driver.record(run.recorder, ended):
        return state
    # Refused: a cancel came in between (a run that is being cancelled can only become Cancelled), or another process
    # has this run now.
    reason = run.recorder.refusal()
    error = CancelledRun(reason)
    error.__cause__ = state.exception
    cancelled = named("Cancelled", reason, exception=error)
    if await driver.record(run.recorder, _ended(run, cancelled, driver)):
        engine_line(run, logging.WARNING, f"Run '{run.run_name}' was being cancelled, so that it is Cancelled.")
        return cancelled
    engine_line(run, logging.WARNING, f"What this process still did is not recorded. {reason}")
    return state


def _ended(run: FlowRunContext, state: State, driver: Driver) -> FlowRunChanged:
    """Return the last fact of a run, after the log was told of its error."""
    error = None
    if state.exception is not None and not state.is_cancelled():
        error = describe(state.exception)
        told = "" if run.told is state.exception else f"\n{error.traceback}"
        engine_line(run, logging.ERROR, f"{state.name}: {error.type}: {error.message}{told}")
    close_below = run.torn or not state.is_completed()
    return FlowRunChanged(state, driver.clock.now_microseconds(), run.attempt, error, close_below)


def _close(call: FlowCall, driver: Driver, error: BaseException) -> None:
    """Record the end of a run that was torn away from it; if that fails, whoever finds its process gone does."""
    run = call.run
    state = state_of_error(error)
    with suppress(Exception):
        if run.recorder.record(_ended(run, state, driver)):
            engine_line(run, logging.WARNING, f"Run '{run.run_name}' ended: {state.name}.")


def _given(run: FlowRunContext) -> str:
    """Name the parameters and their values, as far as they fit a line."""
    given = ", ".join(f"{name}={preview(value)}" for name, value in run.parameters.items())
    return f" with {given[:_PARAMETERS_SHOWN]}{'…' if len(given) > _PARAMETERS_SHOWN else ''}" if given else ""


def _attempt(run: FlowRunContext) -> str:
    return f", attempt {run.attempt}; all its tasks run again" if run.attempt > 1 else ""
