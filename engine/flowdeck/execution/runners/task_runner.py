"""Runs submitted calls: synchronous ones on threads, asynchronous ones on one event loop in a thread of its own.

A call is handed over only once all that it needs is over, so no worker ever sits on a call that cannot go on.
Threads are daemons: a flow always waits for its calls, and a process that is told to end must not hang on a thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from typing import Any

from flowdeck.execution.calls.futures import TaskFuture
from flowdeck.execution.calls.task_calls import CallExecutor
from flowdeck.execution.limits import slot_lending, timeouts
from flowdeck.execution.limits.retry_timers import Job, RetryTimers

Body = Callable[[], Coroutine[Any, Any, None]]


class TaskRunner:
    """Workers of one flow run."""

    runs_at_once = False
    """A call is not over when it has been submitted."""

    def __init__(self, max_workers: int, name: str, executor: CallExecutor | None = None) -> None:
        """Make a runner without a thread yet.

        Args:
            max_workers: the number of calls that may run at once, of each kind.
            name: the name of the flow run; threads are named after it.
            executor: the executor that calls the functions of calls; None for these threads.
        """
        self.executor = executor
        self._max_workers = max_workers
        self._name = name
        self._threads = ThreadPool(max_workers, name)
        self._pauses = RetryTimers(f"{name}-pauses")
        self._loops: list[LoopThread] = []
        self._lock = threading.Lock()

    def submit(self, job: Job, needs: Sequence[TaskFuture[Any]], context: Context) -> None:
        """Run `job` on a thread once all of `needs` are over; a pause that it makes holds no thread."""

        def go_on() -> None:
            pause_seconds = context.run(job)
            if pause_seconds is not None:
                self._pauses.after(pause_seconds, lambda: self._threads.put(go_on))

        if needs:
            when_done(needs, lambda: self._threads.put(go_on))
        else:
            self._threads.put(go_on)

    def submit_async(self, body: Body, needs: Sequence[TaskFuture[Any]], context: Context) -> None:
        """Run the coroutine of `body` on the event loop once all of `needs` are over."""
        loop = self._loop_below(slot_lending.loop_depth.get())
        when_done(needs, lambda: loop.put(body, context))

    def end_pauses(self) -> None:
        """Let calls that wait for their next attempt see that there will be none."""
        self._pauses.end_all()

    def running(self) -> int:
        """Count the calls that have begun and are not over."""
        with self._lock:
            loops = tuple(self._loops)
        return self._threads.running() + sum(loop.running() for loop in loops)

    def cancel_async(self) -> None:
        """Cancel the coroutines that have begun."""
        with self._lock:
            loops = tuple(self._loops)
        for loop in loops:
            loop.cancel()

    def close(self) -> None:
        """Let the threads end; called when all calls are over."""
        self._threads.close()
        with self._lock:
            loops, self._loops = self._loops, []
        for loop in loops:
            loop.close()
        if self.executor is not None:
            self.executor.close()

    def _loop_below(self, depth: int) -> LoopThread:
        """Return the loop for calls that are made by an asynchronous call of this depth, or on its behalf.

        Each depth has a loop of its own: a call that blocks on the result of another would otherwise stop the loop
        which that one needs.
        """
        with self._lock:
            while len(self._loops) <= depth:
                self._loops.append(LoopThread(self._max_workers, self._name, len(self._loops) + 1))
            return self._loops[depth]


def when_done(needs: Sequence[TaskFuture[Any]], then: Callable[[], None]) -> None:
    """Call `then` once all futures are over, in whichever thread that happens."""
    open_needs = [future for future in needs if not future.is_done()]
    if not open_needs:
        then()
        return
    lock = threading.Lock()
    left = len(open_needs)

    def count_down(_: TaskFuture[Any]) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            then()

    for future in open_needs:
        future.add_done_callback(count_down)


class ThreadPool:
    """Threads that are made when there is work for them; one that waits for another call lends its slot."""

    def __init__(self, max_workers: int, name: str) -> None:
        self._slots = max_workers
        self._name = name
        self._jobs: deque[Callable[[], None]] = deque()
        self._nested_jobs: deque[Callable[[], None]] = deque()
        """Jobs that a worker made. They go first: it may be waiting for them, and holds up none that came before."""
        # Entered by itself, not through the condition: a signal may raise in the main thread inside of the condition's
        # `__exit__`, which is written in Python, and leave the lock taken for ever.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._idle = 0
        self._workers = 0
        self._made = 0
        self._closed = False

    def put(self, job: Callable[[], None]) -> None:
        """Queue a job."""
        jobs = self._nested_jobs if slot_lending.is_worker_of(self) else self._jobs
        with self._lock:
            jobs.append(job)
            try:
                self._staff()
            except RuntimeError:
                jobs.remove(job)
                raise

    def lend(self) -> None:
        """See `slot_lending.Pool`."""
        with self._lock:
            self._slots += 1
            self._staff()

    def take_back(self) -> None:
        """See `slot_lending.Pool`."""
        with self._lock:
            self._slots -= 1

    def running(self) -> int:
        """Count the workers that are at work, those that wait for other calls among them."""
        with self._lock:
            return self._workers - self._idle

    def close(self) -> None:
        """Let idle workers end."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()

    def _staff(self) -> None:
        """Wake a worker, or make one, if there is work and a free slot. The lock is held."""
        waiting = len(self._jobs) + len(self._nested_jobs)
        if not waiting:
            return
        if self._idle:
            self._changed.notify()
        # Those that were woken before still count as idle, and their jobs as waiting.
        if waiting > self._idle and self._workers < self._slots:
            self._hire()

    def _hire(self) -> None:
        self._workers += 1
        self._made += 1
        thread = threading.Thread(target=self._work, name=f"{self._name}-{self._made}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads: those that there are do it, one job after another
            self._workers -= 1
            if not self._workers:
                raise

    def _work(self) -> None:
        slot_lending.enter(self)
        while (job := self._next()) is not None:
            job()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            while True:
                if self._workers > self._slots:  # slots were taken back: one worker too many
                    self._changed.notify()  # it may have been woken for a job; an idle one that stays shall see to it
                    break
                if self._nested_jobs:
                    return self._nested_jobs.popleft()
                if self._jobs:
                    return self._jobs.popleft()
                if self._closed:
                    break
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            self._workers -= 1
            return None


class LoopThread:
    """One event loop in a thread, made when first needed; at most `max_running` coroutines on it at once."""

    def __init__(self, max_running: int, name: str, depth: int) -> None:
        self._max_running = max_running
        self._name = name
        self._depth = depth
        self._waiting: deque[tuple[Body, Context]] = deque()
        self._running: set[Any] = set()
        self._begun: set[Any] = set()
        """Those that run, and those that have lent their place in a pause."""
        self._returning: deque[tuple[Any, Any]] = deque()
        """Tasks that have paused and want to go on, each with its event."""
        self._loop: Any = None
        self._lock = threading.Lock()

    def put(self, body: Body, context: Context) -> None:
        """Queue a coroutine."""
        with self._lock:
            loop = self._loop or self._start()
            loop.call_soon_threadsafe(self._add, body, context)

    def running(self) -> int:
        """Count the coroutines that have begun and are not over."""
        return len(self._begun)

    def cancel(self) -> None:
        """Cancel the coroutines that have begun; one that waits for its turn is told then."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in tuple(self._begun):
            self._loop.call_soon(task.cancel)  # behind the first step of one that was just made: it must see its cancel

    def close(self) -> None:
        """Stop the loop; one that is used after that is made anew."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def lend_slot(self, task: Any) -> None:
        """See `slot_lending.Loop`."""
        self._running.discard(task)
        self._fill()

    async def take_slot_back(self, task: Any) -> None:
        """See `slot_lending.Loop`."""
        import asyncio  # noqa: PLC0415 - loaded by now

        turn = (task, asyncio.Event())
        self._returning.append(turn)
        self._fill()
        try:
            await turn[1].wait()
        except asyncio.CancelledError:
            if turn in self._returning:
                self._returning.remove(turn)
            raise

    def _start(self) -> Any:
        import asyncio  # noqa: PLC0415 - only flows with asynchronous tasks pay its 40 ms

        self._loop = asyncio.new_event_loop()
        name = f"{self._name}-async" if self._depth == 1 else f"{self._name}-async-{self._depth}"
        threading.Thread(target=self._serve, args=(self._loop,), name=name, daemon=True).start()
        return self._loop

    def _serve(self, loop: Any) -> None:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def _add(self, body: Body, context: Context) -> None:
        self._waiting.append((body, context))
        self._fill()

    def _fill(self) -> None:
        import asyncio  # noqa: PLC0415 - loaded by now

        while self._returning and len(self._running) < self._max_running:
            task, turn = self._returning.popleft()
            self._running.add(task)
            turn.set()
        while self._waiting and len(self._running) < self._max_running:
            body, context = self._waiting.popleft()
            context.run(slot_lending.loop_depth.set, self._depth)
            task = asyncio.get_running_loop().create_task(body(), context=context)
            self._running.add(task)
            self._begun.add(task)
            slot_lending.has_slot(task, self)
            timeouts.cancel_when_over(context, task)
            task.add_done_callback(self._ended)

    def _ended(self, task: Any) -> None:
        self._begun.discard(task)
        self._running.discard(task)
        self._fill()
