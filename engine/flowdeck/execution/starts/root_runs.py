"""Runs that no other run called: what their process lends them, and how they begin on an event loop."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar

from flowdeck.execution.drivers.drivers import Driver
from flowdeck.execution.drivers.generators import SteppingDriver
from flowdeck.execution.engine.flow_engine import FlowCall, run_flow
from flowdeck.execution.limits import signals
from flowdeck.execution.starts.process_environment import ENVIRONMENT
from flowdeck.rules.exceptions import UsageError
from flowdeck.rules.states import State
from flowdeck.store.database.database import Busy

T = TypeVar("T")

_live: Final[dict[str, tuple[str, int]]] = {}
"""Root runs of flows in this process, by id: their names, and the threads that they were called in."""


async def run(call: FlowCall, driver: Driver) -> State:
    """Run a flow that no other flow called; a signal is raised in its code."""
    recorder = call.run.recorder
    with _lent_to(call), signals.handled(recorder.interrupt, lambda: call.run.is_over):
        return await run_flow(call, driver)


async def run_in_steps(call: FlowCall, driver: SteppingDriver) -> State:
    """Run a flow that is a generator; what the process lends to it, it has while its own code runs."""

    @contextmanager
    def around() -> Generator[None]:
        with _lent_to(call), signals.handled(call.run.recorder.interrupt, lambda: call.run.is_over):
            yield

    driver.around = around
    return await run_flow(call, driver)


async def run_async(call: FlowCall, driver: Driver) -> State:
    """Run an asynchronous flow that no other flow called; a signal cancels its coroutine."""
    interruption = signals.Interruption()
    handled = signals.handled(interruption.of_current_task(), lambda: call.run.is_over)
    with _lent_to(call), handled:
        state = await run_flow(call, driver)
    if interruption.error is not None and state.is_cancelled():
        return replace(state, exception=interruption.error)
    return state


def of_another_thread() -> str | None:
    """Return the name of a flow's run that another thread of this process is in the middle of; None for none."""
    here = threading.get_ident()
    return next((name for name, thread in list(_live.values()) if thread != here), None)


async def begun(start: Callable[[bool], T], name: str) -> T:
    """Start a run without waiting for another process's lock on the event loop.

    Args:
        start: the function that makes the run; it gets whether it may wait, and raises `Busy` if not.
        name: the name of the flow or task.

    Raises:
        UsageError: there is no event loop of asyncio.
    """
    check_event_loop(name)
    try:
        return start(False)
    except Busy:
        import asyncio  # noqa: PLC0415 - loaded by now

        here = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(None, lambda: here.run(start, True))


def check_event_loop(name: str) -> None:
    """Refuse event loops that are not asyncio's.

    Raises:
        UsageError: there is none of asyncio.
    """
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        raise UsageError(
            f"'{name}' is asynchronous and needs asyncio's event loop, which does not run here: call it with "
            "asyncio.run(...), or await it. Other loops, such as trio's, are not supported."
        )


@contextmanager
def _lent_to(call: FlowCall) -> Generator[None]:
    run = call.run
    with ENVIRONMENT.carrying(run.identity.id):
        _live[run.identity.id] = (run.identity.name, threading.get_ident())
        try:
            yield
        finally:
            _live.pop(run.identity.id, None)
