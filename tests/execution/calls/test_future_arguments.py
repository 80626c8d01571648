"""Arguments of calls: futures and states in them, marks around them, and calls whose upstream failed."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from flowdeck import allow_failure, flow, opaque, quote, task
from flowdeck.deck import TaskRun
from flowdeck.rules.exceptions import UnfinishedRun, UsageError
from tests.execution.dialects import Dialect
from tests.execution.small_tasks import BrokenError, breaks, double

Calls = Callable[[], list[TaskRun]]


class Pair(NamedTuple):
    left: Any
    right: Any


@task
def show(value: Any, **more: Any) -> Any:
    return (value, more) if more else value


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
    """A completed one is its value; what needs a failed one does not run, unless that is allowed."""

    @flow
    def main() -> tuple[int, Any, str]:
        good, bad = double(4, return_state=True), breaks(return_state=True)
        return show(good), show([allow_failure(bad)]), show([bad], return_state=True).name

    value, (error,), name = main()
    assert (value, type(error).__name__, name) == (8, "BrokenError", "NotReady")


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


# -- marks around arguments --------------------------------------------------------------------------------------------


def test_allow_failure_hands_on_the_exception(dialect: Dialect, calls: Calls) -> None:
    """Of a failed upstream, also inside of a list; the flow does not fail of it any more."""
    seen: list[Any] = []

    @dialect.task()
    async def bad() -> None:
        raise BrokenError("no")

    @dialect.task()
    async def good() -> int:
        return 1

    @dialect.task()
    async def look(values: Any) -> None:
        seen.append(values)

    @dialect.flow()
    async def main() -> None:
        failed, fine = bad.submit(), good.submit()
        look.submit(allow_failure(failed)).wait()
        look.submit(allow_failure([failed, fine])).wait()

    dialect.run(main)
    assert type(seen[0]).__name__ == "BrokenError"
    assert [type(seen[1][0]).__name__, seen[1][1]] == ["BrokenError", 1]
    assert calls()[2].upstream_ids == (calls()[0].id,)


def test_allow_failure_of_a_call_that_did_not_run() -> None:
    """NotReady is a failure too."""

    @flow
    def main() -> str:
        failed = breaks.submit()
        assert isinstance(failed.exception(), BrokenError)
        return type(show.submit(allow_failure(show.submit(failed))).result()).__name__

    assert main() == "UnfinishedRun"


def test_a_future_that_is_needed_twice_is_needed() -> None:
    """Allowed in one argument and required in another: the call does not run."""

    @task
    def both(one: Any, other: Any) -> None: ...

    @flow
    def main() -> str:
        failed = breaks.submit()
        stuck = both.submit(allow_failure(failed), failed)
        stuck.wait()
        assert failed.state.is_failed()
        return stuck.state.name

    assert main() == "NotReady"


def test_quote_hands_on_untouched(calls: Calls) -> None:
    """Futures in it too; nothing is waited for."""
    seen: list[Any] = []

    @task
    def look(value: Any) -> None:
        seen.append(value)

    @flow
    def main() -> None:
        future = double.submit(1)
        value = [future]
        look(quote(value))
        assert seen == [value]
        assert seen[0] is value
        future.wait()

    main()
    assert calls()[1].upstream_ids == ()


def test_opaque_looks_at_the_value_itself_only() -> None:
    """A future is replaced by its result; one inside of a list is not."""

    @flow
    def main() -> None:
        future = double.submit(2)
        assert show(opaque(future)) == 4
        value = [future]
        assert show(opaque(value)) is value

    main()


def test_dataclass_with_a_future_is_rebuilt() -> None:
    """Its own checks do not run again, a frozen one neither; one without a future is the very same object."""
    made: list[int] = []

    @dataclass(frozen=True)
    class Order:
        amount: Any
        tags: list[Any] = field(default_factory=list)

        def __post_init__(self) -> None:
            made.append(1)

    @flow
    def main() -> None:
        order = Order(double.submit(3), [double.submit(4)])
        got = show(order)
        assert (got.amount, got.tags) == (6, [8])
        plain = Order(1)
        assert show(plain) is plain

    main()
    assert len(made) == 2


def test_long_list_is_not_copied() -> None:
    """Handed on as it is, after one look at its types."""
    numbers = list(range(100_000))

    @flow
    def main() -> None:
        assert show(numbers) is numbers
        assert show({"deep": [numbers]})["deep"][0] is numbers

    main()


def test_wait_for_takes_a_state_a_mark_or_any_collection(calls: Calls) -> None:
    """What cannot be waited for is refused in one sentence."""

    @flow
    def main() -> None:
        failed = breaks(return_state=True)
        assert double(1, wait_for=failed, return_state=True).name == "NotReady"
        assert double(2, wait_for=allow_failure(breaks.submit())) == 4
        assert double.map([3], wait_for=double.submit(0)).result() == [6]
        with pytest.raises(UsageError, match="wait_for of task 'double' takes futures, or a list of them, not 5"):
            double(1, wait_for=5)

    main()
