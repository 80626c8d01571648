"""Submitted calls: their futures, one by one and several at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import State, TaskFuture, as_completed, flow, task, wait
from flowdeck.deck import TaskRun
from tests.execution.dialects import Dialect
from tests.execution.small_tasks import BrokenError, breaks, double

Calls = Callable[[], list[TaskRun]]


# -- results -----------------------------------------------------------------------------------------------------------


def test_result_of_a_submitted_call(dialect: Dialect, calls: Calls) -> None:
    """In both dialects; its row is made when it is submitted."""

    @dialect.task()
    async def square(number: int) -> int:
        return number * number

    @dialect.flow()
    async def main() -> list[int]:
        futures = [square.submit(number) for number in range(5)]
        return [future.result() for future in futures]

    assert dialect.run(main) == [0, 1, 4, 9, 16]
    assert [call.index for call in calls()] == [0, 1, 2, 3, 4]
    assert {call.state_name for call in calls()} == {"Completed"}


def test_exception_of_a_submitted_call(dialect: Dialect) -> None:
    """Raised by `result()`, or returned when asked so; the state has it too."""

    @dialect.task()
    async def load() -> None:
        raise BrokenError("no")

    @dialect.flow()
    async def main() -> None:
        future = load.submit()
        with pytest.raises(BrokenError, match="no"):
            future.result()
        assert isinstance(future.result(raise_on_failure=False), BrokenError)
        assert future.state.is_failed()
        assert isinstance(future.state.exception, BrokenError)

    dialect.run(main)


def test_future_while_it_runs() -> None:
    """It can be asked, waited for with a limit, and given a callback."""
    gate, called = threading.Event(), list[TaskFuture[Any]]()

    @task
    def wait() -> str:
        gate.wait(30)
        return "through"

    @flow
    def main() -> None:
        future = wait.submit()
        future.add_done_callback(called.append)
        assert not future.is_done()
        assert future.wait(timeout=0) is False
        with pytest.raises(TimeoutError, match=r"'wait-0' was not over after 0 s"):
            future.result(timeout=0)
        gate.set()
        assert future.wait(timeout=30) is True
        assert future.is_done()
        future.add_done_callback(called.append)
        assert repr(future) == "TaskFuture('wait-0', Completed)"
        assert called == [future, future]

    main()


def test_callback_that_fails_hurts_nobody(log_of: Callable[..., list[str]]) -> None:
    """It is told in the log; other callbacks are called and who waits goes on."""
    called: list[str] = []

    @flow
    def main() -> int:
        future = double.submit(1)
        future.add_done_callback(lambda _: called.append("first"))
        future.add_done_callback(lambda _: 1 // 0)
        future.add_done_callback(lambda _: called.append("third"))
        return future.result()

    assert main() == 2
    assert called == ["first", "third"]
    assert any("A callback of double-0 failed." in line for line in log_of("logger"))


def test_submit_may_return_the_state() -> None:
    """As a call may."""

    @flow
    def main() -> list[bool]:
        good, bad = double.submit(1, return_state=True), breaks.submit(return_state=True)
        assert isinstance(good, State)
        return [good.is_completed(), bad.is_failed()]

    assert main() == [True, True]


# -- several futures ---------------------------------------------------------------------------------------------------


def test_as_completed_gives_each_as_it_ends() -> None:
    """In the order of their ends, each once."""
    gates = [threading.Event() for _ in range(3)]

    @task
    def step(number: int) -> int:
        gates[number].wait(10)
        return number

    @flow
    def main() -> list[int]:
        futures = [step.submit(number) for number in range(3)]
        order: list[int] = []
        gates[2].set()
        for future in as_completed([*futures, futures[0]]):
            order.append(future.result())
            if gates[1].is_set():
                gates[0].set()
            gates[1].set()
        return order

    assert main() == [2, 1, 0]


def test_as_completed_gives_up() -> None:
    """After its time it says how many are left."""
    gate = threading.Event()

    @task
    def step() -> None:
        gate.wait(10)

    @flow
    def main() -> None:
        futures = [step.submit(), step.submit()]
        with pytest.raises(TimeoutError, match=r"2 task calls were not over after 0.01 s"):
            list(as_completed(futures, timeout=0.01))
        gate.set()

    main()


def test_wait_tells_the_done_from_the_others() -> None:
    """Without raising; a failure that was only waited for is not handled."""
    gate = threading.Event()

    @task
    def step() -> None:
        gate.wait(10)

    @flow
    def main() -> None:
        slow, fast = step.submit(), double.submit(1)
        fast.wait()
        assert wait([slow, fast], timeout=0.01) == ({fast}, {slow})
        gate.set()
        assert wait([slow, fast]).not_done == set()

    main()


def test_timeout_of_a_list_is_for_all_of_it() -> None:
    """Not for each item anew."""
    gate = threading.Event()

    @task
    def step(_: int) -> None:
        gate.wait(10)

    @flow
    def main() -> None:
        futures = step.map(range(50))
        begun = time.monotonic()
        futures.wait(timeout=0.05)
        with pytest.raises(TimeoutError):
            futures.result(timeout=0.05)
        assert time.monotonic() - begun < 1.0
        gate.set()

    main()


def test_future_can_be_awaited() -> None:
    """Without stopping the event loop."""

    @task
    async def step() -> int:
        await asyncio.sleep(0.01)
        return 4

    @flow
    async def main() -> tuple[int, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.create_task(tick())
        value = await step.submit()
        ticking.cancel()
        return value, ticks

    value, ticks = asyncio.run(main())
    assert value == 4
    assert ticks > 1


def test_exception_of_a_future() -> None:
    """None when there is none; asking makes the author answerable."""

    @flow
    def main() -> None:
        assert double.submit(1).exception() is None
        failed = breaks.submit()
        assert isinstance(failed.exception(), BrokenError)
        assert failed.get_state().is_failed()

    main()
