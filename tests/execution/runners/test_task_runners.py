"""Where submitted calls run: on threads, or in the thread that submits them; also what holds for every runner."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable

import pytest

from flowdeck import flow, task
from flowdeck.deck import FlowRun, TaskRun
from flowdeck.task_runners import ProcessPoolTaskRunner, SequentialTaskRunner, ThreadPoolTaskRunner
from tests.support.scripts import PATIENCE_SECONDS

ONE_PROCESS = ProcessPoolTaskRunner(max_workers=1)


# -- threads -----------------------------------------------------------------------------------------------------------


def test_row_runners_thread_pool_max_workers() -> None:
    """`ThreadPoolTaskRunner(max_workers=2)`: two calls at once, never three."""
    both = threading.Barrier(2, timeout=PATIENCE_SECONDS)
    running, most = set[int](), 0

    @task
    def work(number: int) -> int:
        nonlocal most
        running.add(number)
        most = max(most, len(running))
        both.wait()
        running.discard(number)
        return number

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
    def main() -> list[int]:
        return work.map(range(6)).result()

    assert main() == list(range(6))
    assert most == 2


def test_row_runners_nested_submit_with_one_worker() -> None:
    """A bounded pool, a nested submit and `.result()`: no deadlock, with threads or processes."""

    @task
    def inner(number: int) -> int:
        return number + 1

    @task
    def outer(number: int) -> int:
        return inner.submit(number).result() * 10

    for runner in (ThreadPoolTaskRunner(max_workers=1), ONE_PROCESS):

        @flow(task_runner=runner)
        def main() -> list[int]:
            return outer.map([1, 2, 3]).result()

        assert main() == [20, 30, 40]


# -- at once -----------------------------------------------------------------------------------------------------------


def test_row_runners_sequential() -> None:
    """With `SequentialTaskRunner` a submitted call is over when `submit` returns; it ran in the thread that submits."""
    order: list[object] = []

    @task
    def work(number: int) -> int:
        order.append((number, threading.current_thread() is threading.main_thread()))
        return number

    @task
    async def work_async(number: int) -> int:
        await asyncio.sleep(0)
        return work.fn(number)

    @flow(task_runner=SequentialTaskRunner)
    def main() -> int:
        future = work.submit(1)
        assert future.is_done()
        order.append("submitted")
        assert work_async.submit(future).is_done()
        return sum(work.map([3, 4]).result())

    assert main() == 7
    assert order == [(1, True), "submitted", (1, True), (3, True), (4, True)]


def test_sequential_in_an_async_flow() -> None:
    """There the event loop is taken: an asynchronous call gets a thread, and is over when `submit` returns too."""

    @task
    async def work(number: int) -> int:
        await asyncio.sleep(0)
        return number

    @flow(task_runner=SequentialTaskRunner())
    async def main() -> int:
        future = work.submit(5)
        assert future.is_done()
        return await future

    assert asyncio.run(main()) == 5


def test_sequential_retries_and_failures(slept: list[float], calls: Callable[[], list[TaskRun]]) -> None:
    """A call that fails is tried again at once, within `submit`; then the next one begins."""
    attempts: list[int] = []

    @task(retries=2)
    def work(number: int) -> int:
        attempts.append(number)
        if number == 1 and len(attempts) < 3:
            raise ValueError("not yet")
        return number

    @flow(task_runner=SequentialTaskRunner())
    def main() -> list[int]:
        return work.map([1, 2]).result()

    assert main() == [1, 2]
    assert attempts == [1, 1, 1, 2]
    assert [call.attempt for call in calls()] == [3, 1]


def test_sequential_is_interrupted(last_run: Callable[[], FlowRun]) -> None:
    """Ctrl-C in a submitted call is meant for the flow: what would come after is not begun."""
    begun: list[int] = []

    @task
    def work(number: int) -> None:
        begun.append(number)
        signal.raise_signal(signal.SIGINT)

    @flow(task_runner=SequentialTaskRunner())
    def main() -> None:
        work.submit(1)
        work.submit(2)

    with pytest.raises(KeyboardInterrupt):
        main()
    assert begun == [1]
    assert last_run().state_name == "Cancelled"
