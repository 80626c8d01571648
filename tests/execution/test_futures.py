"""Submitted calls: futures as results and as arguments, and calls whose upstream failed."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from flowdeck import State, TaskFuture, flow, task
from flowdeck.deck import TaskRun
from flowdeck.rules.exceptions import UnfinishedRun
from tests.execution.dialects import Dialect

Calls = Callable[[], list[TaskRun]]


class BrokenError(Exception):
    """What a user raises."""


class Pair(NamedTuple):
    left: Any
    right: Any


@task
def double(number: int) -> int:
    return 2 * number


@task
def breaks(_: Any = None) -> None:
    raise BrokenError("no")


@task
def show(value: Any, **more: Any) -> Any:
    return (value, more) if more else value


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


# -- futures as arguments ----------------------------------------------------------------------------------------------


def test_futures_are_found_as_deep_as_they_are(calls: Calls) -> None:
    """In lists, tuples, sets, dictionaries and their kinds, each replaced by its value and kept in its kind."""

    @flow
    def main() -> Any:
        one, two = double.submit(1), double.submit(2)
        ordered, defaults = OrderedDict(a=one), defaultdict(list, b=two)
        value, more = show.submit(
            [one, (two, {"deep": [one]}), Pair(one, 5), {"set": frozenset([two])}], x=ordered, y=defaults
        ).result()
        assert type(more["x"]) is OrderedDict
        assert type(more["y"]) is defaultdict
        assert ordered["a"] is one  # the author's own dictionary is as it was
        return value, more

    value, more = main()
    assert value == [2, (4, {"deep": [2]}), Pair(2, 5), {"set": frozenset([4])}]
    assert more == {"x": {"a": 2}, "y": {"b": 4}}
    upstream = calls()[-1].upstream_ids
    assert upstream == tuple(call.id for call in calls()[:2])


def test_arguments_without_futures_are_handed_on_as_they_are(dialect: Dialect) -> None:
    """The very objects: neither copied nor walked into for ever."""
    loop: list[Any] = [1]
    loop.append(loop)
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]

    @dialect.task()
    async def same(value: Any) -> bool:
        return value is loop or value is deep

    @dialect.flow()
    async def main() -> list[bool]:
        return [await dialect.call(same, loop), await dialect.call(same, deep), same.submit(loop).result()]

    assert dialect.run(main) == [True, True, True]


def test_list_in_itself_beside_a_future() -> None:
    """The future is replaced; what is in itself stays."""

    @flow
    def main() -> bool:
        loop: list[Any] = []
        loop.append(loop)
        value, got = show([double.submit(1), loop]), None
        got, inner = value
        return got == 2 and inner is loop

    assert main()


def test_call_waits_for_its_futures(dialect: Dialect) -> None:
    """A direct call too: its body runs with values."""

    @dialect.task()
    async def add(one: int, two: int) -> int:
        return one + two

    @dialect.flow()
    async def main() -> int:
        return await dialect.call(add, double.submit(1), two=add.submit(3, 4))

    assert dialect.run(main) == 9


def test_states_as_arguments() -> None:
    """A completed one is its value; of a failed one the task may look at the state."""

    @flow
    def main() -> tuple[int, bool]:
        good, bad = double(4, return_state=True), breaks(return_state=True)
        return show(good), show([bad])[0].is_failed()

    assert main() == (8, True)


def test_wait_for_orders_calls_without_a_value(dialect: Dialect) -> None:
    """A future, futures, or lists of them."""
    order: list[str] = []
    gate = threading.Event()

    @task
    def slow() -> None:
        gate.wait(30)
        order.append("slow")

    @dialect.task()
    async def after(name: str) -> None:
        order.append(name)

    @dialect.flow()
    async def main() -> None:
        first = slow.submit()
        second = after.submit("second", wait_for=[first])
        third = after.submit("third", wait_for=second)
        threading.Timer(0.01, gate.set).start()
        await dialect.call(after, "fourth", wait_for=[[first], third])

    dialect.run(main)
    assert order == ["slow", "second", "third", "fourth"]


# -- not ready ---------------------------------------------------------------------------------------------------------


def test_call_whose_upstream_failed_does_not_run(dialect: Dialect, calls: Calls) -> None:
    """It says whose fault it was, counts as over, and hands that on to what needs it in turn."""
    ran: list[str] = []

    @dialect.task()
    async def needs(_: Any, name: str) -> None:
        ran.append(name)

    @dialect.flow()
    async def main() -> None:
        culprit = breaks.submit()
        first = needs.submit(culprit, "first")
        second = needs.submit([first], "second")
        with pytest.raises(UnfinishedRun, match=r"'needs-1' did not run\. It needs needs-0, which is NotReady\."):
            second.result()
        with pytest.raises(UnfinishedRun, match=r"'needs-0' did not run\. It needs breaks-0, which is Failed\."):
            first.result()
        with pytest.raises(UnfinishedRun) as caught:
            await dialect.call(needs, culprit, "direct")
        assert isinstance(caught.value.__cause__, BrokenError)
        assert culprit.state.is_failed()

    dialect.run(main)
    assert ran == []
    not_ready = calls()[1:]
    assert [(call.state_type, call.state_name) for call in not_ready] == [("PENDING", "NotReady")] * 3
    assert all(call.is_final for call in not_ready)
    assert not_ready[0].state_message == "It needs breaks-0, which is Failed."


def test_wait_for_a_failed_call() -> None:
    """Order is a need like any other."""

    @flow
    def main() -> str:
        culprit = breaks.submit()
        state = double.submit(1, wait_for=[culprit], return_state=True)
        assert culprit.state.is_failed()
        return state.name

    assert main() == "NotReady"
