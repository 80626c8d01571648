"""The life of a flow run, once, top to bottom, for every driver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from flowdeck.execution.calls import context
from flowdeck.execution.calls.context import FlowRunContext
from flowdeck.execution.drivers.drivers import Driver
from flowdeck.execution.engine.flow_outcome import final_state
from flowdeck.execution.hooks import hooks, naming, run_views
from flowdeck.execution.hooks.hooks import end_kind
from flowdeck.execution.limits import cancellation, timeouts
from flowdeck.execution.limits.timeouts import TimeLimit, TimeLimitReached
from flowdeck.execution.logs.run_logs import capture_prints, engine_line
from flowdeck.execution.recording import results
from flowdeck.execution.recording.facts import FlowRunChanged
from flowdeck.execution.recording.failures import describe, state_of_error
from flowdeck.execution.recording.outcome import Outcome
from flowdeck.rules.exceptions import CancelledRun
from flowdeck.rules.options.retries import wait_text
from flowdeck.rules.options.specs import FlowSpec
from flowdeck.rules.states import State, named
from flowdeck.rules.text.previews import preview
from flowdeck.store.calls.task_runs import NO_VALUE, RecordedValue

RUNNING: Final = named("Running")
GIVEN_UP_GRACE_SECONDS: Final = 0.2
"""When a flow's time is up, how long its submitted calls have to be over before they are given up."""
GRACE_SHARE: Final = 0.9
"""Of the grace of a cancel, this is the flow's own: what is left to record the end lies before its host's kill."""
COROUTINE_GRACE_SECONDS: Final = 0.05
"""Calls that end within this time, as cancelled coroutines do, are not worth a line."""
_PARAMETERS_SHOWN: Final = 200
"""Characters; inspect has them whole."""


@dataclass(slots=True)
class FlowCall:
    """A flow run whose row is RUNNING, and what to call for it."""

    flow: Any
    """What the decorator made, for hooks."""
    spec: FlowSpec
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    run: FlowRunContext


async def run_flow(call: FlowCall, driver: Driver) -> State:
    """Run a flow to its end and return its final state, which is recorded by then."""
    run = call.run
    if run.settings.log_prints or call.spec.log_prints is None or not run.settings.echo:
        capture_prints()
    flow_token, task_token = context.flow_run.set(run), context.task_run.set(None)
    cancel_token = cancellation.goes_on.set(lambda: not run.closing and run.recorder.may_go_on())
    try:
        return await _live(call, driver)
    except BaseException as error:
        # Not the author's function: an interrupt between two steps, or the store. The row shall not say "running".
        if not run.is_forked_copy():
            ended = _close(call, driver, error)
            if ended is not None and not isinstance(error, GeneratorExit):
                await _run_hooks(end_kind(ended), call, driver, ended)
        raise
    finally:
        context.leave(cancellation.goes_on, cancel_token)
        context.leave(context.flow_run, flow_token)
        context.leave(context.task_run, task_token)
        run.runners.close()


async def _live(call: FlowCall, driver: Driver) -> State:
    run = call.run
    started = driver.clock.monotonic_seconds()
    tries = 1
    if call.spec.run_name is not None:
        await naming.name_flow_run(run, call.spec, driver)
    beginning = f"Run '{run.identity.name}' of flow '{call.spec.name}' started"
    engine_line(run, logging.INFO, f"{beginning}{_given(run)}{_attempt(run)}.")
    entered = RUNNING
    while True:
        state = await _attempt_once(call, driver, entered)
        if run.is_forked_copy():
            return state  # the author forked in the body; the original records the run
        delay_seconds = await _delay_seconds(call, driver, tries, state)
        if delay_seconds is None or not await _start_again(call, driver, state, delay_seconds):
            return await _end(call, driver, state, driver.clock.monotonic_seconds() - started)
        tries += 1
        entered = _retrying(run.identity.attempt)


async def _attempt_once(call: FlowCall, driver: Driver, entered: State) -> State:
    """Call the author's function, wait for what it submitted, and return the state of the attempt."""
    run, spec = call.run, call.spec
    run.started_at = driver.clock.now_microseconds()
    await _run_hooks("running", call, driver, entered)
    limit = timeouts.limit_of(spec.timeout_seconds, lambda: f"Flow run '{run.identity.name}'", run.recorder.interrupt)
    outcome = await driver.call(call.function, call.args, call.kwargs, limit)
    if run.is_forked_copy():
        return final_state(outcome, ())
    if outcome.error is not None:
        run.close_calls(outcome.error)
    try:
        outcome = await _wait_for_calls(run, driver, outcome, limit)
    except GeneratorExit:
        raise
    except BaseException as error:
        if outcome.error is not None and not isinstance(outcome.error, Exception):
            raise  # the body was interrupted already: a second interrupt waits for nothing more
        # An interrupt while it waits is the same as one in the body.
        run.close_calls(error)
        outcome = await _wait_for_calls(run, driver, Outcome(None, error), limit)
    return final_state(outcome, run.submitted)


async def _wait_for_calls(run: FlowRunContext, driver: Driver, outcome: Outcome, limit: TimeLimit | None) -> Outcome:
    """Wait for the calls that were submitted, while there is time; of a run that is closing, say so."""
    if outcome.error is not None and not outcome.timed_out and _is_cancel(outcome.error):
        await _wait_for_grace(run, driver, outcome.error)
        return outcome
    running = run.runners.running() if run.closing else 0
    if running and not outcome.timed_out:
        engine_line(run, logging.INFO, f"Waiting for submitted task calls that have begun ({running} are not over).")
    if limit is None or (not outcome.timed_out and await driver.wait(run.submitted, limit.seconds_left())):
        await driver.wait(run.submitted)
        return outcome
    run.close_calls()
    limit.give_up()
    await _give_up_after(run, driver, GIVEN_UP_GRACE_SECONDS)
    return outcome if outcome.timed_out else Outcome(None, limit.error(), timed_out=True)


def _is_cancel(error: BaseException) -> bool:
    """Tell whether an exception cancels the whole run: by a signal, by a command, or by the event loop."""
    if isinstance(error, TimeLimitReached):
        return False  # a flow around this one has its own way to leave calls behind
    return isinstance(error, CancelledRun | KeyboardInterrupt) or type(error).__name__ == "CancelledError"


async def _wait_for_grace(run: FlowRunContext, driver: Driver, error: BaseException) -> None:
    """Let calls of a cancelled run that have begun come to an end, if they do so within the grace."""
    now_seconds = driver.clock.monotonic_seconds()
    # The exception goes through all flows that are around this one: they have the one grace together.
    ends_at: float = vars(error).setdefault(
        "flowdeck_grace_ends_at", now_seconds + run.settings.cancel_grace_seconds * GRACE_SHARE
    )
    left_seconds = max(0.0, ends_at - now_seconds)
    if (begun := run.runners.running()) and not await driver.wait(run.submitted, COROUTINE_GRACE_SECONDS):
        calls = "1 submitted task call has" if begun == 1 else f"{begun} submitted task calls have"
        text = f"{calls} begun: waiting {left_seconds:.0f} s at most for the end. A second signal ends the run at once."
        engine_line(run, logging.INFO, text)
    await _give_up_after(run, driver, left_seconds)


async def _give_up_after(run: FlowRunContext, driver: Driver, seconds: float) -> None:
    """Wait for the submitted calls for some time, and leave those behind that are not over by then."""
    if not await driver.wait(run.submitted, seconds):
        left = sum(not future.is_done() for future in run.submitted)
        calls = "1 submitted task call was" if left == 1 else f"{left} submitted task calls were"
        engine_line(run, logging.WARNING, f"{calls} not over, and will not be waited for.")
        run.give_up_calls()


async def _delay_seconds(call: FlowCall, driver: Driver, tries: int, state: State) -> float | None:
    """Return how long to wait before the next attempt; None when there is to be none."""
    policy = call.spec.retry
    delay_seconds = policy.next_delay_seconds(tries) if state.is_failed() else None
    if delay_seconds is not None and not driver.may_repeat:
        engine_line(call.run, logging.WARNING, "It is not tried again: it has given items, which would be given twice.")
        return None
    if delay_seconds is None or policy.condition is None:
        return delay_seconds
    arguments = (call.flow, run_views.of_flow_run(call.run, state), state)
    return delay_seconds if await hooks.agrees(policy.condition, arguments, call.run, driver) else None


async def _run_hooks(kind: str, call: FlowCall, driver: Driver, state: State) -> None:
    chosen = call.spec.hooks.get(kind)
    if chosen:
        arguments = (call.flow, run_views.of_flow_run(call.run, state), state)
        await hooks.run_hooks(kind, chosen, arguments, call.run, driver)


def _retrying(attempt: int) -> State:
    return named("Retrying", f"Attempt {attempt}.")


async def _start_again(call: FlowCall, driver: Driver, state: State, delay_seconds: float) -> bool:
    """Let the delay pass and enter the next attempt; False when the run may not go on."""
    run, now, attempt = call.run, driver.clock.now_microseconds, call.run.identity.attempt
    error = None if state.exception is None else describe(state.exception)
    wait, failed = wait_text(delay_seconds), (state.message or state.name).removesuffix(".")
    engine_line(run, logging.WARNING, f"Attempt {attempt} failed: {failed}. The next one {wait}.")
    waiting = named("AwaitingRetry", f"Attempt {attempt + 1} {wait}. {state.message or ''}".rstrip())
    if not await driver.record(
        run.recorder, FlowRunChanged(waiting, now(), attempt, error, close_below=run.has_interrupted_calls)
    ):
        return False
    await driver.pause(delay_seconds, lambda: timeouts.given_up() is not None or not run.recorder.may_go_on())
    if not await driver.record(run.recorder, FlowRunChanged(_retrying(attempt + 1), now(), attempt + 1)):
        return False
    run.start_attempt(attempt + 1)
    return True


async def _end(call: FlowCall, driver: Driver, state: State, seconds: float) -> State:
    run = call.run
    ended = _ended(call, state, driver)
    level = logging.INFO if state.is_completed() else logging.WARNING
    engine_line(run, level, f"Run '{run.identity.name}' ended: {state.name} after {seconds:.2f} s.")
    if await driver.record(run.recorder, ended):
        run.is_over = True
        await _run_hooks(end_kind(state), call, driver, state)
        return state
    # Refused: a cancel came in between (a run that is being cancelled can only become Cancelled), or another process
    # has this run now.
    reason = run.recorder.refusal()
    error = CancelledRun(reason)
    error.__cause__ = state.exception
    cancelled = named("Cancelled", reason, exception=error)
    if await driver.record(run.recorder, _ended(call, cancelled, driver)):
        run.is_over = True
        engine_line(run, logging.WARNING, f"Run '{run.identity.name}' was being cancelled, so that it is Cancelled.")
        await _run_hooks("cancellation", call, driver, cancelled)
        return cancelled
    engine_line(run, logging.WARNING, f"What this process still did is not recorded. {reason}")
    return state


def _ended(call: FlowCall, state: State, driver: Driver) -> FlowRunChanged:
    """Return the last fact of a run, after the log was told of its error."""
    run = call.run
    error = None
    if state.exception is not None and not state.is_cancelled():
        error = describe(state.exception)
        told = "" if run.logged_error is state.exception else f"\n{error.traceback}"
        engine_line(run, logging.ERROR, f"{state.name}: {error.type}: {error.message}{told}")
    close_below = run.has_interrupted_calls or bool(run.suspended) or not state.is_completed()
    value = _keep(call, state.data) if state.is_completed() else NO_VALUE
    unused = run.replay.unused() if state.is_completed() else None
    if unused is not None:
        named_ones = ", ".join(unused.calls) + (" …" if unused.count > len(unused.calls) else "")
        count = "1 recorded result" if unused.count == 1 else f"{unused.count} recorded results"
        engine_line(run, logging.WARNING, f"{count} unused: {named_ones}. The flow has changed since, or chose others.")
    at = driver.clock.now_microseconds()
    return FlowRunChanged(state, at, run.identity.attempt, error, close_below, value, unused)


def _keep(call: FlowCall, value: Any) -> RecordedValue:
    """Record what a flow returned, if a run that calls it may ask for it again, or the author wishes it."""
    options, run = call.spec.results, call.run
    wanted = options.persist if options.persist is not None else run.identity.is_subflow
    kept = results.keep(value, options.serializer, run.recorder.results, wanted=wanted)
    if kept.problem is not None:
        engine_line(run, logging.WARNING, kept.problem)
    return kept.value


def _close(call: FlowCall, driver: Driver, error: BaseException) -> State | None:
    """Record the end of a run that was interrupted before it; if that fails, whoever finds its process gone does.

    Returns:
        The state that it was given; None when it has another, or could not be given one.
    """
    run = call.run
    state = state_of_error(error)
    with suppress(Exception):
        if run.recorder.record(_ended(call, state, driver)):
            run.is_over = True
            engine_line(run, logging.WARNING, f"Run '{run.identity.name}' ended: {state.name}.")
            return state
    return None


def _given(run: FlowRunContext) -> str:
    """Name the parameters and their values, as far as they fit a line."""
    given = ", ".join(f"{name}={preview(value)}" for name, value in run.parameters.items())
    return f" with {given[:_PARAMETERS_SHOWN]}{'…' if len(given) > _PARAMETERS_SHOWN else ''}" if given else ""


def _attempt(run: FlowRunContext) -> str:
    if run.identity.attempt == 1:
        return ""
    recorded = len(run.replay)
    return f", attempt {run.identity.attempt}; {recorded} recorded result{'' if recorded == 1 else 's'} to reuse"
