"""Generators: tasks that give their items one by one, in both dialects."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.execution.calls import context
from tests.execution.generator_tasks import BrokenError, numbers, numbers_async

Calls = Callable[[], list[TaskRun]]
LastRun = Callable[[], FlowRun]


# -- iterating ---------------------------------------------------------------------------------------------------------


def test_items_come_as_they_are_produced(calls: Calls, deck: Deck) -> None:
    """The body is not ahead of who iterates; the run is Running until it is exhausted, then Completed with the list."""
    produced: list[int] = []

    @task
    def rows() -> Generator[int]:
        for number in range(3):
            produced.append(number)
            yield number

    seen: list[tuple[int, int, str]] = []

    @flow
    def main() -> None:
        for row in rows():
            state_name = deck.task_runs.of_flow_run(deck.flow_runs.select()[0].key)[0].state_name
            seen.append((row, len(produced), state_name))

    main()
    assert seen == [(0, 1, "Running"), (1, 2, "Running"), (2, 3, "Running")]
    (call,) = calls()
    assert (call.state_name, call.result_preview) == ("Completed", "[0, 1, 2]")


def test_items_of_an_asynchronous_task(calls: Calls) -> None:
    """With `async for`, side by side too."""

    async def total(count: int) -> int:
        return sum([number async for number in numbers_async(count)])

    @flow
    async def main() -> list[int]:
        return await asyncio.gather(*(total(count) for count in (3, 4, 5)))

    assert asyncio.run(main()) == [3, 6, 10]
    assert sorted(str(call.result_preview) for call in calls()) == ["[0, 1, 2, 3, 4]", "[0, 1, 2, 3]", "[0, 1, 2]"]


def test_generator_that_nobody_iterates_is_no_call(calls: Calls) -> None:
    """As of any generator: its body has not begun."""

    @flow
    def main() -> None:
        numbers(3)

    main()
    assert calls() == []


def test_failure_reaches_who_iterates(calls: Calls) -> None:
    """The very exception, after the items before it."""

    @task
    def rows() -> Generator[int]:
        yield 1
        raise BrokenError("torn page")

    @flow
    def main() -> list[int]:
        seen: list[int] = []
        with pytest.raises(BrokenError, match="torn page"):
            for row in rows():
                seen.append(row)  # noqa: PERF402 - the loop ends in the middle
        return seen

    assert main() == [1]
    (call,) = calls()
    assert (call.state_name, call.state_message) == ("Failed", "BrokenError: torn page")
    assert call.error is not None
    assert "flowdeck/execution" not in call.error.traceback


def test_closed_early_is_cancelled(calls: Calls) -> None:
    """By `close`, by `break` (then it is garbage); the author's `finally` runs, what was given is counted."""
    tidied: list[str] = []

    @task
    def rows(name: str) -> Generator[int]:
        try:
            yield from range(9)
        finally:
            tidied.append(name)

    @flow
    def main() -> None:
        closed = rows("closed")
        next(closed)
        closed.close()
        for row in rows("broken off"):
            if row == 1:
                break
        gc.collect()
        assert tidied == ["closed", "broken off"]

    main()
    assert [(call.state_name, call.state_message) for call in calls()] == [
        ("Cancelled", "Closed after 1 item."),
        ("Cancelled", "Closed after 2 items."),
    ]


def test_asynchronous_one_closed_early_is_cancelled(calls: Calls) -> None:
    """By `aclose`; its `finally` may await."""
    tidied: list[str] = []

    @task
    async def rows() -> AsyncGenerator[int]:
        try:
            for number in range(9):
                yield number
        finally:
            await asyncio.sleep(0)
            tidied.append("yes")

    @flow
    async def main() -> None:
        async with contextlib.aclosing(rows()) as items:
            async for _ in items:
                break

    asyncio.run(main())
    assert tidied == ["yes"]
    assert [(call.state_name, call.state_message) for call in calls()] == [("Cancelled", "Closed after 1 item.")]


def test_one_that_refuses_to_be_closed_fails(calls: Calls) -> None:
    """As Python has it; the run says so."""

    @task
    def stubborn() -> Generator[int]:
        try:
            yield 1
        except GeneratorExit:
            yield 2

    @flow
    def main() -> None:
        items = stubborn()
        next(items)
        with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
            items.close()

    main()
    assert [call.state_name for call in calls()] == ["Failed"]


def test_one_that_outlives_its_flow_is_closed_with_it(calls: Calls, last_run: LastRun) -> None:
    """No row says Running for ever; what is asked of it later changes nothing."""
    kept: list[Any] = []

    @flow
    def main() -> None:
        kept.append(numbers(3))
        next(kept[0])

    main()
    assert last_run().state_name == "Completed"
    assert [(call.state_name, call.state_message) for call in calls()] == [
        ("Cancelled", "Its flow run ended before it did.")
    ]
    kept[0].close()
    assert [call.state_name for call in calls()] == ["Cancelled"]


def test_what_the_body_sets_stays_in_it(calls: Calls) -> None:
    """Between two items the code is that of whoever iterates: its calls are not below the generator, nor tagged so."""

    @task
    def inner() -> str | None:
        run = context.task_run.get()
        return None if run is None else run.name

    @task
    def rows() -> Generator[str | None]:
        yield inner()
        yield inner()

    @flow
    def main() -> list[str | None]:
        seen: list[str | None] = []
        for row in rows():
            current = context.task_run.get()
            seen += [row, inner(), None if current is None else current.name]
        return seen

    assert main() == ["inner-0", "inner-1", None, "inner-2", "inner-3", None]
    assert len(calls()) == 5


def test_send_and_throw_reach_the_author(calls: Calls) -> None:
    """As of any generator."""

    @task
    def echo() -> Generator[Any, Any, None]:
        got = yield "ready"
        try:
            yield got
        except BrokenError as error:
            yield str(error)

    @flow
    def main() -> list[Any]:
        items = echo()
        return [next(items), items.send("hello"), items.throw(BrokenError("caught")), list(items)]

    assert main() == ["ready", "hello", "caught", []]
    assert [call.result_preview for call in calls()] == ["['ready', 'hello', 'caught']"]


def test_item_that_is_a_generator_itself_stays_one() -> None:
    """Only what a function returns is run to its end."""

    @task
    def lazy() -> Generator[Any]:
        yield (number for number in (1, 2))

    @flow
    def main() -> list[Any]:
        return [list(item) for item in lazy()]

    assert main() == [[1, 2]]


# -- the list ----------------------------------------------------------------------------------------------------------


def test_submit_and_map_give_the_list(calls: Calls) -> None:
    """Nobody iterates over a submitted call."""

    @flow
    def main() -> list[Any]:
        return [
            numbers.submit(2).result(),
            numbers.map([1, 2]).result(),
            numbers_async.submit(3).result(),
            numbers(4, return_state=True).result(),
        ]

    assert main() == [[0, 1], [[0], [0, 1]], [0, 1, 2], [0, 1, 2, 3]]
    assert [call.state_name for call in calls()] == ["Completed"] * 5


def test_returned_generator_is_drained_to_a_list(calls: Calls, last_run: LastRun) -> None:
    """Of tasks and flows, sync and async; what it raises is the call's failure."""

    @task
    def lazy() -> Any:
        return (number for number in range(3))

    @task
    def fails() -> Any:
        return (1 // number for number in (1, 0))

    @task
    async def lazy_async() -> Any:
        async def items() -> AsyncGenerator[int]:
            yield 1

        return items()

    @flow
    def main() -> Any:
        with pytest.raises(ZeroDivisionError):
            fails()
        return (item for item in [*lazy(), *lazy_async.submit().result()])

    assert main() == [0, 1, 2, 1]
    assert [call.state_name for call in calls()] == ["Failed", "Completed", "Completed"]
    assert last_run().state_name == "Completed"
