"""Calling registered hooks, and the condition of a retry. What they raise is logged and changes nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from flowdeck.execution.calls.context import FlowRunContext
from flowdeck.execution.drivers.drivers import Driver
from flowdeck.execution.limits.signals import AskedToEnd
from flowdeck.execution.limits.timeouts import TimeLimitReached
from flowdeck.execution.logs.run_logs import engine_line
from flowdeck.execution.recording.failures import describe
from flowdeck.execution.recording.loggers import RUN_LOGGER
from flowdeck.rules.options.hooks import hook_name
from flowdeck.rules.states import State, StateType

_END_KINDS = {
    StateType.COMPLETED: "completion",
    StateType.FAILED: "failure",
    StateType.CANCELLED: "cancellation",
    StateType.CRASHED: "crashed",
}


def end_kind(state: State) -> str:
    """Return the kind of hooks that a final state calls for."""
    return _END_KINDS.get(state.type, "")


async def run_hooks(
    kind: str,
    hooks: Iterable[Callable[..., Any]],
    arguments: tuple[Any, ...],
    run: FlowRunContext | None,
    driver: Driver,
) -> None:
    """Call hooks one after another, in the context of their run.

    Args:
        kind: the kind of the hooks, such as `failure`.
        hooks: the functions to call.
        arguments: flow or task, its run, its state; of a transaction that alone.
        run: the flow run whose log names a hook that fails; None outside of all runs.
        driver: the driver of the run.
    """
    for hook in hooks:
        try:
            await driver.finish(hook(*arguments))
        except BaseException as error:
            if is_from_outside(error):
                raise
            _tell(run, f"Hook '{hook_name(hook)}' (on_{kind}) failed", error)


async def agrees(
    condition: Callable[..., Any], arguments: tuple[Any, Any, State], run: FlowRunContext, driver: Driver
) -> bool:
    """Ask an author's condition whether there shall be another attempt; one that fails says no."""
    try:
        return bool(await driver.finish(condition(*arguments)))
    except BaseException as error:
        if is_from_outside(error):
            raise
        _tell(run, f"retry_condition_fn '{hook_name(condition)}' failed, so that there is no retry", error)
        return False


def is_from_outside(error: BaseException) -> bool:
    """Tell whether an exception was brought into code that others wait for, rather than raised by it."""
    outside = (KeyboardInterrupt, GeneratorExit, AskedToEnd, TimeLimitReached)
    return isinstance(error, outside) or type(error).__name__ == "CancelledError"


def _tell(run: FlowRunContext | None, what: str, error: BaseException) -> None:
    told = describe(error)
    text = f"{what}: {told.type}: {told.message}\n{told.traceback}"
    if run is None:
        RUN_LOGGER.error(text)
    else:
        engine_line(run, logging.ERROR, text)
