"""Calls that have a time limit: in the main thread, in a thread that can be left behind, on an event loop."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from flowdeck.execution.limits import main_thread_timeouts, slot_lending
from flowdeck.execution.limits.timeouts import TimeLimit, TimeLimitReached, current, run_under
from flowdeck.execution.recording.generator_results import collected_async
from flowdeck.execution.recording.outcome import Outcome

THREAD_GRACE_SECONDS: Final = 0.05
"""How long code that could be interrupted has to leave, before its thread is said to be busy."""
COROUTINE_GRACE_SECONDS: Final = 0.5
"""How long a coroutine that was cancelled has to tidy up."""
STILL_BUSY: Final = "Its thread could not be interrupted and is still busy with it."
CANCEL_CAUGHT: Final = "It goes on, since it caught the cancel."
LOOP_KEPT_BUSY: Final = "It could not be interrupted, since it awaited nothing meanwhile."


def call(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], limit: TimeLimit) -> Outcome:
    """Call a function until it ends or its time is up."""
    if threading.current_thread() is threading.main_thread() and main_thread_timeouts.can_ring():
        return main_thread_timeouts.call(function, args, kwargs, limit)
    return _ThreadCall(function, args, kwargs, limit).outcome()


class _ThreadCall:
    """A call in a thread of its own: no other thread can be made to stop, but this one need not be waited for."""

    def __init__(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], limit: TimeLimit
    ) -> None:
        self._function, self._args, self._kwargs = function, args, kwargs
        self._limit = limit
        self._context = contextvars.copy_context()
        self._pool = slot_lending.current_pool()
        self._lock = threading.Lock()
        self._is_over = False
        """The author's code is behind it: nothing may be raised in its thread any more."""
        self._over = threading.Event()
        self._outcome: Outcome | None = None
        # A daemon: it may never end, and the process shall.
        self._thread = threading.Thread(target=self._work, name=threading.current_thread().name, daemon=True)

    def outcome(self) -> Outcome:
        """Wait for the end of the call or of its time."""
        try:
            self._thread.start()
        except RuntimeError as error:  # the system gives no more threads
            return Outcome(None, error)
        if self._over.wait(self._limit.seconds_left()) and self._outcome is not None:
            return self._outcome
        self._limit.give_up()
        self._interrupt()
        is_busy = not self._over.wait(THREAD_GRACE_SECONDS)
        return Outcome(None, self._limit.error(STILL_BUSY if is_busy else ""), timed_out=True)

    def _work(self) -> None:
        try:
            if self._pool is not None:
                slot_lending.enter(self._pool)
            try:
                outcome = Outcome(self._context.run(run_under, self._limit, self._function, self._args, self._kwargs))
            except BaseException as error:  # noqa: BLE001 - the body decides what each kind means
                outcome = Outcome(None, error)
            with self._lock:
                self._is_over = True
            self._outcome = outcome
        except TimeLimitReached:
            pass  # it came when the author's code was just over
        finally:
            self._over.set()

    def _interrupt(self) -> None:
        """Raise in the author's code, which notices when it next executes a step of Python: not in a sleep."""
        import ctypes  # noqa: PLC0415 - 10 ms that only a timeout costs

        limit = self._limit

        class Reached(TimeLimitReached):
            """What a thread is made to raise is a class: Python makes the instance."""

            def __init__(self) -> None:
                super().__init__(limit)

        ident = self._thread.ident
        with self._lock:
            if not self._is_over and ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Reached))


async def call_async(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], limit: TimeLimit
) -> Outcome:
    """Call a coroutine function until it ends or its time is up; it is a task of the event loop of its own."""
    import asyncio  # noqa: PLC0415 - loaded by now

    async def body() -> Outcome:
        try:
            outcome = Outcome(await collected_async(function(*args, **kwargs)))
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a SystemExit must not reach the event loop
            outcome = Outcome(None, error)
        if limit.seconds_left() > 0:
            return outcome
        limit.give_up()
        return Outcome(None, limit.error(LOOP_KEPT_BUSY), timed_out=True)

    here = contextvars.copy_context()
    here.run(current.set, limit)
    task = asyncio.get_running_loop().create_task(body(), context=here)
    try:
        await asyncio.wait({task}, timeout=limit.seconds_left())
    except asyncio.CancelledError as cancelled:
        task.cancel(*cancelled.args)  # as if there was no task of its own
        await asyncio.wait({task}, timeout=limit.seconds_left())
    except GeneratorExit:
        task.cancel()
        raise
    if task.done():
        return _outcome_of(task)
    limit.give_up()
    task.cancel()
    await asyncio.wait({task}, timeout=COROUTINE_GRACE_SECONDS)
    remark = "" if task.done() or _close(task) else CANCEL_CAUGHT
    return Outcome(None, limit.error(remark), timed_out=True)


def _outcome_of(task: Any) -> Outcome:
    try:
        return task.result()
    except BaseException as error:  # noqa: BLE001 - the body decides what each kind means
        return Outcome(None, error)


def _close(task: Any) -> bool:
    """End a coroutine that caught the cancel: its `finally` blocks run, but may await nothing; False if it goes on."""
    task.add_done_callback(_outcome_of)  # whatever comes of it now is of no interest
    try:
        task.get_coro().close()
    except RuntimeError:
        return False
    with suppress(RuntimeError):
        task.cancel()  # wakes the event loop's task, which finds nothing left to do
    return True
