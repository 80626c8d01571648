"""Drivers: the few things that the engine body awaits. The body is written once and knows neither threads nor asyncio.

`SyncDriver` never suspends, so `finish` runs the body with no event loop; `AsyncDriver` runs it under asyncio.
A user's exception never travels through the body as an exception but in an `Outcome`: Python would turn a StopIteration
that leaves a coroutine into a RuntimeError (PEP 479).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from flowdeck.rules.clock import SYSTEM_CLOCK, Clock
from flowdeck.store.database import Busy

if TYPE_CHECKING:
    from flowdeck.execution.facts import Fact
    from flowdeck.execution.futures import TaskFuture
    from flowdeck.execution.recorder import Recorder

T = TypeVar("T")


class Outcome(NamedTuple):
    """How a user's function ended: its value, or what it raised."""

    value: Any = None
    error: BaseException | None = None


class Driver(Protocol):
    """What the engine body may await."""

    clock: Clock

    async def record(self, recorder: Recorder, fact: Fact) -> bool:
        """Keep a fact; True when the run is still ours."""
        ...

    async def call(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Outcome:
        """Call the user's function to its end."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...

    async def wait(self, futures: Sequence[TaskFuture[Any]]) -> None:
        """Wait until all of them are over, however they end."""
        ...


class SyncDriver:
    """Runs the body in the calling thread."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        """Args: clock: to sleep by."""
        self.clock = clock

    async def record(self, recorder: Recorder, fact: Fact) -> bool:
        """See `Driver`."""
        return recorder.record(fact)

    async def call(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Outcome:
        """See `Driver`."""
        try:
            return Outcome(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - the body decides what each kind means
            return Outcome(None, error)

    async def sleep(self, seconds: float) -> None:
        """See `Driver`."""
        self.clock.sleep(seconds)

    async def wait(self, futures: Sequence[TaskFuture[Any]]) -> None:
        """See `Driver`."""
        for future in futures:
            future.wait()


class AsyncDriver:
    """Runs the body as a coroutine of the running event loop, which it never blocks on another process's lock."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        """Args: clock: tells the time; sleeping is asyncio's."""
        self.clock = clock

    async def record(self, recorder: Recorder, fact: Fact) -> bool:
        """See `Driver`."""
        try:
            return recorder.try_record(fact)
        except Busy:
            import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

            return await asyncio.get_running_loop().run_in_executor(None, recorder.record, fact)

    async def call(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Outcome:
        """See `Driver`."""
        try:
            return Outcome(await function(*args, **kwargs))
        except GeneratorExit:  # the coroutine is thrown away where it waits: nothing may be awaited any more
            raise
        except BaseException as error:  # noqa: BLE001 - the body decides what each kind means
            return Outcome(None, error)

    async def sleep(self, seconds: float) -> None:
        """See `Driver`."""
        import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

        await asyncio.sleep(seconds)

    async def wait(self, futures: Sequence[TaskFuture[Any]]) -> None:
        """See `Driver`."""
        import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

        loop = asyncio.get_running_loop()
        for future in futures:
            if future.is_done():
                continue
            over = asyncio.Event()
            future.add_done_callback(_waker(loop, over))
            await over.wait()


def _waker(loop: Any, over: Any) -> Callable[[Any], None]:
    def wake(_: Any) -> None:
        with suppress(RuntimeError):  # who waited gave up, and the loop is closed
            loop.call_soon_threadsafe(over.set)

    return wake


def finish(body: Coroutine[Any, Any, T]) -> T:
    """Run a body under a driver that never suspends, and return what it returns."""
    try:
        body.send(None)
    except StopIteration as stop:
        return stop.value
    body.close()
    raise RuntimeError("the body suspended under a driver that cannot wait")
