"""`.map()`: what it maps over, what stays constant, and what it refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pandas
import pytest

from flowdeck import allow_failure, flow, task, tasks, unmapped
from flowdeck.deck import TaskRun
from flowdeck.rules.exceptions import FailedRun, MappingMissingIterable
from tests.execution.dialects import Dialect
from tests.execution.small_tasks import BrokenError, breaks, double

Calls = Callable[[], list[TaskRun]]


@task
def show(value: Any, **more: Any) -> Any:
    return (value, more) if more else value


def test_map_over_everything_that_has_items(calls: Calls) -> None:
    """Ranges, tuples, sets, generators, dictionaries' views, lists of futures and futures of lists."""

    @flow
    def main() -> list[Any]:
        numbers = show.submit([1, 2])
        return [
            double.map(range(3)).result(),
            double.map((1, 2)).result(),
            sorted(double.map({3}).result()),
            double.map(number for number in [4, 5]).result(),
            double.map({"a": 6}.values()).result(),
            double.map([double.submit(1), 7]).result(),
            double.map(numbers).result(),
            double.map([]).result(),
        ]

    assert main() == [[0, 2, 4], [2, 4], [6], [8, 10], [12], [4, 14], [2, 4], []]
    assert {call.state_name for call in calls()} == {"Completed"}


def test_constants_of_a_map() -> None:
    """What is unmapped, and what is no collection of items: texts, bytes, mappings, numbers, None."""

    @flow
    def main() -> list[Any]:
        return [
            show.map([1, 2], text="ab", raw=b"xy", table={"k": 1}, number=7, nothing=None).result(),
            show.map([1, 2], pair=unmapped([8, 9]), one=unmapped([3])).result(),
            show.map(unmapped([1, 2]), x=[0]).result(),
        ]

    constant, unmapped_pair, first = main()
    more = {"text": "ab", "raw": b"xy", "table": {"k": 1}, "number": 7, "nothing": None}
    assert constant == [(1, more), (2, more)]
    assert unmapped_pair == [(1, {"pair": [8, 9], "one": [3]}), (2, {"pair": [8, 9], "one": [3]})]
    assert first == [([1, 2], {"x": 0})]


def test_map_in_both_dialects(dialect: Dialect, calls: Calls) -> None:
    """Its calls are one group, numbered from 1 in the run; each has its index."""

    @dialect.task()
    async def item(number: int, factor: int) -> int:
        return number * factor

    @dialect.flow()
    async def main() -> list[int]:
        first = item.map([1, 2, 3], 10)
        second = item.map(first, factor=[1, 2, 3])
        second.wait()
        return second.result()

    assert dialect.run(main) == [10, 40, 90]
    assert [(call.group, call.index) for call in calls()] == [(1, 0), (1, 1), (1, 2), (2, 3), (2, 4), (2, 5)]


def test_large_map_is_made_in_parts(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """In several transactions, in order all the same."""
    monkeypatch.setattr(tasks, "_MAP_CHUNK", 7)

    @flow
    def main() -> list[int]:
        return double.map(range(30)).result()

    assert main() == [2 * number for number in range(30)]
    assert [call.index for call in calls()] == list(range(30))
    assert {call.group for call in calls()} == {1}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: double.map(5),
            "double.map() was given nothing to map over: texts, mappings and frames",
        ),
        (lambda: double.map("text"), "double.map() was given nothing to map over"),
        (double.map, "double.map() was given nothing to map over"),
        (
            lambda: show.map([1, 2], x=(1,), y=[1, 2]),
            "show.map() was given iterables of different lengths: argument 1 has 2, x has 1, y has 2.",
        ),
        (lambda: show.map([], x=[1]), "different lengths: argument 1 has 0, x has 1."),
    ],
)
def test_map_that_cannot_be(call: Callable[[], Any], sentence: str, calls: Calls) -> None:
    """One sentence, and no call is made."""

    @flow
    def main() -> None:
        with pytest.raises(Exception) as caught:
            call()
        assert sentence in str(caught.value)

    main()
    assert calls() == []


def test_map_over_a_future_that_failed() -> None:
    """There is nothing to map over: the failure is raised where `map` is called."""

    @flow
    def main() -> None:
        with pytest.raises(BrokenError):
            double.map(breaks.submit())

    main()


def test_failed_item_raises_and_the_others_are_done(calls: Calls) -> None:
    """The first failure in order; `raise_on_failure=False` gives exceptions in their places."""

    @task
    def halve(number: int) -> int:
        if number % 2:
            raise BrokenError(str(number))
        return number // 2

    @flow
    def main() -> None:
        futures = halve.map(range(4))
        with pytest.raises(BrokenError, match="1"):
            futures.result()
        mixed = futures.result(raise_on_failure=False)
        assert [str(one) for one in mixed] == ["0", "1", "1", "3"]

    main()
    assert [call.state_name for call in calls()] == ["Completed", "Failed", "Completed", "Failed"]


def test_mapped_future_is_an_upstream_of_each_item(calls: Calls) -> None:
    """Though it is over before the items are known; wait_for adds to it."""

    @flow
    def main() -> None:
        numbers, other = show.submit([1, 2]), show.submit(3)
        double.map(numbers, wait_for=[other])

    main()
    numbers, other, *items = calls()
    assert [set(item.upstream_ids) for item in items] == [{numbers.id, other.id}] * 2


def test_map_may_return_the_states() -> None:
    """Of all items, in order; a failure is then the author's to handle."""

    @flow
    def main() -> list[str]:
        return [state.name for state in breaks.map([1, 2], return_state=True)]

    assert main() == ["Failed", "Failed"]


def test_frame_is_not_mapped_over_by_the_names_of_its_columns() -> None:
    """It is a constant; mapped over alone it is refused with a sentence."""
    frame = pandas.DataFrame({"a": [1, 2], "b": [3, 4]})

    @flow
    def main() -> list[Any]:
        with pytest.raises(MappingMissingIterable, match=r"frame.itertuples\(\)"):
            show.map(frame)
        return [*show.map(range(2), more=frame).result(), *double.map(frame["a"]).result()]

    first, second, *doubled = main()
    assert first[1]["more"] is frame
    assert second[0] == 1
    assert doubled == [2, 4]


def test_failures_that_are_allowed_are_mapped_over(calls: Calls) -> None:
    """`allow_failure` around a list, a map's futures or a future of a list marks each item; a failure is a constant."""

    @flow
    def main() -> list[Any]:
        mixed, numbers = [breaks.submit(), double.submit(1)], show.submit([1, 2])
        return [
            show.map(allow_failure(mixed)).result(),
            show.map(allow_failure(breaks.map([1]))).result(),
            show.map(allow_failure(numbers)).result(),
            show.map([1], more=allow_failure(breaks.submit())).result(),
        ]

    first, second, third, [(item, more)] = main()
    assert [type(value) for value in first] == [BrokenError, int]
    assert [type(value) for value in second] == [BrokenError]
    assert (third, item, type(more["more"])) == ([1, 2], 1, BrokenError)
    assert [len(call.upstream_ids) for call in calls() if call.task_name == "show"] == [0, 1, 1, 1, 1, 1, 1]


def test_failed_map_whose_result_was_asked_for_is_handled() -> None:
    """Who catches what the result of a map raises has answered for all of its items; not who ran out of patience."""

    @flow
    def main() -> str:
        with pytest.raises(BrokenError):
            breaks.map([1, 2, 3]).result()
        return "handled"

    @task
    def breaks_late(over: threading.Event) -> None:
        over.wait(10)
        raise BrokenError("late")

    @flow
    def impatient() -> None:
        over = threading.Event()
        futures = breaks_late.map([over, over])
        with pytest.raises(TimeoutError):
            futures.result(timeout=0.01)
        over.set()

    assert main() == "handled"
    with pytest.raises(FailedRun, match="2 of 2"):
        impatient()
