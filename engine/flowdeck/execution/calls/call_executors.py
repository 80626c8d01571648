"""Where the function of an attempt is called, if not in the thread that runs its call.

The engine body stays with the flow's process whatever the place: it records, retries, caches and keeps results. A
place is given one attempt at a time by each of the threads that use it, and says how the function ended.
"""

from __future__ import annotations

import contextvars
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from flowdeck.execution.recording.outcome import Outcome

if TYPE_CHECKING:
    from flowdeck.execution.calls.context import TaskRunContext
    from flowdeck.execution.calls.task_calls import TaskCall
    from flowdeck.execution.limits.timeouts import TimeLimit


@dataclass(eq=False, slots=True)
class Attempt:
    """One attempt of a task call."""

    call: TaskCall
    """Whose function is to be called."""
    task_run: TaskRunContext
    tags: frozenset[str]
    """That calls made by the function get."""


class Workplace(Protocol):
    """See the module. Thread-safe."""

    def call(self, attempt: Attempt, limit: TimeLimit | None) -> Outcome:
        """Call the function to its end, or until its time is up; whatever goes wrong is an outcome."""
        ...

    def stop(self, attempt: Attempt) -> None:
        """End the function of an attempt that `call` waits for, whatever it does."""
        ...

    def end(self) -> None:
        """End all of them: the run is being cancelled. Later ones do not begin."""
        ...

    def close(self) -> None:
        """Let go of the place; called when all calls are over."""
        ...


async def call_async(place: Workplace, attempt: Attempt, limit: TimeLimit | None) -> Outcome:
    """Call the function without stopping the event loop; a cancel of the caller ends it."""
    import asyncio  # noqa: PLC0415 - loaded by now

    loop = asyncio.get_running_loop()
    over: asyncio.Future[Outcome] = loop.create_future()
    here = contextvars.copy_context()

    def settle(outcome: Outcome) -> None:
        if not over.done():
            over.set_result(outcome)

    def work() -> None:
        outcome = here.run(place.call, attempt, limit)
        with suppress(RuntimeError):  # who waited gave up, and the loop is closed
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=work, name=threading.current_thread().name, daemon=True).start()
    try:
        return await asyncio.shield(over)
    except BaseException:
        place.stop(attempt)
        raise
