"""Drivers: the few things that the engine body awaits. The body is written once and knows neither threads nor asyncio.

`SyncDriver` never suspends, so `finish` runs the body with no event loop; `AsyncDriver` runs it under asyncio.
A user's exception never travels through the body as an exception but in an `Outcome`: Python would turn a StopIteration
that leaves a coroutine into a RuntimeError (PEP 479).
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flowdeck.execution.limits import slot_lending, timed_calls
from flowdeck.execution.limits.retry_timers import LONGEST_SLEEP_SECONDS, Pause
from flowdeck.execution.limits.timeouts import TimeLimit
from flowdeck.execution.recording.awaitables import awaited
from flowdeck.execution.recording.generator_results import collected, collected_async
from flowdeck.execution.recording.outcome import Outcome
from flowdeck.rules.clock import SYSTEM_CLOCK, Clock
from flowdeck.store.database.database import Busy

if TYPE_CHECKING:
    from flowdeck.execution.calls.futures import TaskFuture
    from flowdeck.execution.calls.task_calls import Attempt, CallExecutor
    from flowdeck.execution.recording.facts import Fact
    from flowdeck.execution.recording.recorder import Recorder

T = TypeVar("T")


class Driver(Protocol):
    """What the engine body may await."""

    clock: Clock

    @property
    def may_repeat(self) -> bool:
        """False when another attempt would do again what somebody has seen."""
        ...

    async def record(self, recorder: Recorder, fact: Fact) -> bool:
        """Keep a fact; True when the run is still ours."""
        ...

    async def call(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], limit: TimeLimit | None
    ) -> Outcome:
        """Call the user's function to its end, or until its time is up."""
        ...

    async def call_elsewhere(self, executor: CallExecutor, attempt: Attempt, limit: TimeLimit | None) -> Outcome:
        """Have the user's function called elsewhere than in this thread."""
        ...

    async def finish(self, value: Any) -> Any:
        """Return a value that a hook of the user's gave; of an awaitable what it comes to."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...

    async def pause(self, seconds: float, is_cut_short: Callable[[], bool]) -> None:
        """Let time pass until that is cut short; a submitted call holds no place among the workers meanwhile."""
        ...

    async def wait(self, futures: Sequence[TaskFuture[Any]], timeout_seconds: float | None = None) -> bool:
        """Wait until all of them are over, however they end; False when the time was not enough."""
        ...


class SyncDriver:
    """Runs the body in the calling thread."""

    may_repeat = True

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        """Args: clock: the clock to sleep by."""
        self.clock = clock

    async def record(self, recorder: Recorder, fact: Fact) -> bool:
        """See `Driver`."""
        return recorder.record(fact)

    async def call(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        limit: TimeLimit | None = None,
    ) -> Outcome:
        """See `Driver`."""
        if limit is not None:
            return timed_calls.call(function, args, kwargs, limit)
        try:
            return Outcome(collected(function(*args, **kwargs)))
        except BaseException as error:  # noqa: BLE001 - the body decides what each kind means
            return Outcome(None, error)

    async def call_elsewhere(self, executor: CallExecutor, attempt: Attempt, limit: TimeLimit | None) -> Outcome:
        """See `Driver`."""
        return executor.call(attempt, limit)

    async def sleep(self, seconds: float) -> None:
        """See `Driver`."""
        self.clock.sleep(seconds)

    async def pause(self, seconds: float, is_cut_short: Callable[[], bool]) -> None:
        """See `Driver`."""
        with slot_lending.allowed():
            await _sleep_in_pieces(self, seconds, is_cut_short)

    async def finish(self, value: Any) -> Any:
        """See `Driver`."""
        return awaited(value)

    async def wait(self, futures: Sequence[TaskFuture[Any]], timeout_seconds: float | None = None) -> bool:
        """See `Driver`."""
        if timeout_seconds is None:
            for future in futures:
                future.wait()
            return True
        deadline = self.clock.monotonic_seconds() + timeout_seconds
        return all(future.wait(max(0.0, deadline - self.clock.monotonic_seconds())) for future in futures)


class PausingDriver(SyncDriver):
    """Runs the body in the threads of a pool: it gives its thread back while it pauses."""

    async def pause(self, seconds: float, is_cut_short: Callable[[], bool]) -> None:
        """See `Driver`."""
        if not is_cut_short():
            await Pause(seconds)


class AsyncDriver:
    """Runs the body as a coroutine of the running event loop, which it never blocks on another process's lock."""

    may_repeat = True

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        """Args: clock: the clock that tells the time; sleeping is asyncio's."""
        self.clock = clock

    async def record(self, recorder: Recorder, fact: Fact) -> bool:
        """See `Driver`."""
        try:
            return recorder.try_record(fact)
        except Busy:
            import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

            return await asyncio.get_running_loop().run_in_executor(None, recorder.record, fact)

    async def call(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        limit: TimeLimit | None = None,
    ) -> Outcome:
        """See `Driver`."""
        try:
            if limit is not None:
                return await timed_calls.call_async(function, args, kwargs, limit)
            return Outcome(await collected_async(function(*args, **kwargs)))
        except GeneratorExit:  # the coroutine is thrown away where it waits: nothing may be awaited any more
            raise
        except BaseException as error:  # noqa: BLE001 - the body decides what each kind means
            return Outcome(None, error)

    async def call_elsewhere(self, executor: CallExecutor, attempt: Attempt, limit: TimeLimit | None) -> Outcome:
        """See `Driver`."""
        try:
            return await _call_beside_loop(executor, attempt, limit)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            return Outcome(None, error)

    async def sleep(self, seconds: float) -> None:
        """See `Driver`."""
        import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

        await asyncio.sleep(seconds)

    async def pause(self, seconds: float, is_cut_short: Callable[[], bool]) -> None:
        """See `Driver`."""
        import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

        async with slot_lending.slot_lent(asyncio.current_task()):
            await _sleep_in_pieces(self, seconds, is_cut_short)

    async def finish(self, value: Any) -> Any:
        """See `Driver`."""
        return await value if hasattr(value, "__await__") else value

    async def wait(self, futures: Sequence[TaskFuture[Any]], timeout_seconds: float | None = None) -> bool:
        """See `Driver`."""
        import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

        try:
            async with asyncio.timeout(timeout_seconds):
                await self._wait(futures)
        except TimeoutError:
            return False
        return True

    async def _wait(self, futures: Sequence[TaskFuture[Any]]) -> None:
        import asyncio  # noqa: PLC0415 - loaded by now

        loop = asyncio.get_running_loop()
        for future in futures:
            if future.is_done():
                continue
            over = asyncio.Event()
            future.add_done_callback(_waker(loop, over))
            await over.wait()


async def _sleep_in_pieces(driver: Driver, seconds: float, is_cut_short: Callable[[], bool]) -> None:
    while seconds > 0 and not is_cut_short():
        await driver.sleep(min(seconds, LONGEST_SLEEP_SECONDS))
        seconds -= LONGEST_SLEEP_SECONDS


def _waker(loop: Any, over: Any) -> Callable[[Any], None]:
    def wake(_: Any) -> None:
        with suppress(RuntimeError):  # who waited gave up, and the loop is closed
            loop.call_soon_threadsafe(over.set)

    return wake


async def _call_beside_loop(executor: CallExecutor, attempt: Attempt, limit: TimeLimit | None) -> Outcome:
    """Have a function called without stopping the event loop; a cancel of the caller ends it."""
    import asyncio  # noqa: PLC0415 - loaded by now

    loop = asyncio.get_running_loop()
    over: asyncio.Future[Outcome] = loop.create_future()
    here = contextvars.copy_context()

    def settle(outcome: Outcome) -> None:
        if not over.done():
            over.set_result(outcome)

    def work() -> None:
        outcome = here.run(executor.call, attempt, limit)
        with suppress(RuntimeError):  # who waited gave up, and the loop is closed
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=work, name=threading.current_thread().name, daemon=True).start()
    try:
        return await asyncio.shield(over)
    except BaseException:
        executor.stop(attempt)
        raise


def finish(body: Coroutine[Any, Any, T]) -> T:
    """Run a body under a driver that never suspends, and return what it returns."""
    try:
        body.send(None)
    except StopIteration as stop:
        return stop.value
    body.close()
    raise RuntimeError("the body suspended under a driver that cannot wait")
