"""Reference §1.1 and §1.2, row "Generators": flows and tasks that give their items one by one, in both dialects."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.execution import context, flow_starts
from flowdeck.execution.given_items import GivenItems, Items
from flowdeck.store import flow_runs
from flowdeck.store.home import Home
from tests.support.scripts import Scripts

Calls = Callable[[], list[TaskRun]]
LastRun = Callable[[], FlowRun]
LogOf = Callable[..., list[str]]


class BrokenError(Exception):
    """What a user raises."""


@task
def numbers(count: int) -> Generator[int]:
    """Give numbers."""
    yield from range(count)


@task
async def numbers_async(count: int) -> AsyncGenerator[int]:
    """Give numbers."""
    for number in range(count):
        await asyncio.sleep(0)
        yield number


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
            state_name = deck.task_runs(deck.flow_runs()[0].key)[0].state_name
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


# -- retries, timeouts, replay -----------------------------------------------------------------------------------------


def test_retry_before_the_first_item_only(calls: Calls, log_of: LogOf) -> None:
    """An item that somebody has cannot be taken back."""
    attempts: list[str] = []

    @task(retries=2)
    def late(fail_at: int) -> Generator[int]:
        attempts.append(f"{fail_at}")
        if fail_at == 0 and len(attempts) < 3:
            raise BrokenError("no connection")
        yield 1
        if fail_at == 1:
            raise BrokenError("torn page")

    @flow
    def main() -> list[int]:
        given = list(late(0))
        with pytest.raises(BrokenError, match="torn page"):
            list(late(1))
        return given

    assert main() == [1]
    assert attempts == ["0", "0", "0", "1"]
    assert [(call.state_name, call.attempt) for call in calls()] == [("Completed", 3), ("Failed", 1)]
    assert "It is not tried again: it has given items, which would be given twice." in log_of("engine")


def test_time_limit_holds_from_the_first_item_to_the_last(calls: Calls) -> None:
    """In the main thread an item that takes too long is interrupted."""

    @task(timeout_seconds=0.2)
    def slow() -> Generator[int]:
        yield 1
        time.sleep(30)
        yield 2

    @flow
    def main() -> int:
        items = slow()
        first = next(items)
        with pytest.raises(TimeoutError):
            next(items)
        return first

    assert main() == 1
    assert [call.state_name for call in calls()] == ["TimedOut"]


def test_replay_gives_the_items_again(calls: Calls) -> None:
    """In the next attempt of the flow the recorded list is given, item by item, and the body does not run."""
    ran: list[int] = []

    @task
    def rows() -> Generator[dict[str, int]]:
        ran.append(1)
        for number in range(3):
            yield {"number": number}

    @flow(retries=1)
    def main() -> list[dict[str, int]]:
        seen: list[dict[str, int]] = []
        for row in rows():
            seen.append(dict(row))
            row.clear()  # it is ours now; what is recorded is what was given
        if len(ran) == 1 and len(attempts) == 0:
            attempts.append(1)
            raise BrokenError
        return seen

    attempts: list[int] = []
    assert main() == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert ran == [1]
    (call,) = calls()
    assert (call.state_name, call.reused) == ("Completed", True)


def test_items_that_are_too_large_are_given_all_the_same(
    calls: Calls, log_of: LogOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory does not grow with them: their list is not recorded, which is said."""
    monkeypatch.setenv("FLOWDECK_RESULT_MAX_BYTES", "5000")

    @task
    def pages() -> Generator[bytes]:
        for _ in range(10):
            yield b"x" * 1000

    @flow
    def main() -> int:
        return sum(len(page) for page in pages())

    assert main() == 10_000
    assert [(call.state_name, call.result_preview) for call in calls()] == [("Completed", "<Items 10>")]
    assert any("Its result is not recorded" in line for line in log_of("engine"))


@pytest.mark.parametrize(
    ("given", "kept"), [([1, "a", b"b", None], True), ([b"x" * 60, b"x" * 60], False), ([[0] * 500], False)]
)
def test_copies_of_items_are_bounded(given: list[Any], kept: bool) -> None:
    """What is beyond the limit drops all of them; their count stays."""
    items = GivenItems(wanted=True, limit=100)
    for item in given:
        items.add(item)
    value = items.value()
    assert items.count == len(given)
    assert value == given if kept else isinstance(value, Items)
    assert isinstance(GivenItems(wanted=False, limit=100).value(), Items)


def test_kill_between_two_items_records_no_list(scripts: Scripts, deck: Deck) -> None:
    """What was not complete is not recorded, so that its next attempt begins anew."""
    body = """
        import os
        @task
        def rows():
            for number in range(3):
                yield number
        @flow
        def main():
            for row in rows():
                if row == 1: os.kill(os.getpid(), 9)
        main()
    """
    scripts.run(body)
    (call,) = deck.task_runs(deck.flow_runs()[0].key)
    assert call.state_name == "Running"  # until an engine finds the process gone
    assert call.result_preview is None


# -- flows -------------------------------------------------------------------------------------------------------------


def test_flow_that_is_a_generator(deck: Deck) -> None:
    """Running while it is iterated, Completed when exhausted; its tasks are its own, the caller's code is not."""

    @task
    def load(number: int) -> int:
        return number * 10

    @flow
    def pages(count: int) -> Generator[int]:
        for number in range(count):
            yield load(number)

    given = pages(count=2)
    assert deck.flow_runs() == []
    assert next(given) == 0
    assert [run.state_name for run in deck.flow_runs()] == ["Running"]
    assert context.flow_run.get() is None
    assert list(given) == [10]
    (run,) = deck.flow_runs()
    assert (run.state_name, run.task_counts.completed, run.parameters) == ("Completed", 2, {"count": 2})


def test_asynchronous_flow_that_is_a_generator(deck: Deck) -> None:
    """With `async for`; a failure is raised where it is iterated."""

    @flow
    async def pages() -> AsyncGenerator[int]:
        yield 1
        raise BrokenError("torn page")

    async def read() -> list[int]:
        seen: list[int] = []
        with pytest.raises(BrokenError, match="torn page"):
            async for page in pages():
                seen.append(page)  # noqa: PERF401 - it ends in the middle
        return seen

    assert asyncio.run(read()) == [1]
    assert [run.state_name for run in deck.flow_runs()] == ["Failed"]


def test_flow_that_is_closed_early_is_cancelled(deck: Deck) -> None:
    """As a task is; what it submitted is seen to its end."""

    @flow
    def pages() -> Generator[int]:
        numbers.submit(2)
        yield from range(9)

    given = pages()
    next(given)
    given.close()
    (run,) = deck.flow_runs()
    assert (run.state_name, run.state_message) == ("Cancelled", "Closed after 1 item.")
    assert all(call.is_final for call in deck.task_runs(run.key))


def test_subflow_that_is_a_generator(deck: Deck) -> None:
    """It is a run of its own below the caller's, and replays its items."""
    ran: list[int] = []

    @flow
    def pages() -> Generator[int]:
        ran.append(1)
        yield from range(3)

    @flow(retries=1)
    def main() -> int:
        total = sum(pages())
        if len(tries) < 1:
            tries.append(1)
            raise BrokenError
        return total

    tries: list[int] = []
    assert main() == 3
    assert ran == [1]
    assert deck.flow_runs()[0].state_name == "Completed"


def test_flow_that_is_a_generator_runs_to_its_end_for_an_engine(home: Home, deck: Deck) -> None:
    """Nobody iterates there."""

    @flow
    def pages(count: int) -> Generator[int]:
        yield from numbers(count)

    @flow
    async def pages_async(count: int) -> AsyncGenerator[int]:
        async for number in numbers_async(count):
            yield number

    list(pages(1))
    for each in (pages, pages_async):
        database = flow_starts.shared_database()
        template = deck.flow_runs()[-1]

        def make(connection: Any, template: FlowRun = template) -> int:
            new = flow_starts._new(
                pages.spec, pages.fn.__code__, '{"count": 3}', flow_starts.named("Pending"), frozenset()
            )
            return flow_runs.insert(connection, new)

        state = each.run_claimed(database, database.write(make), 1)
        assert (state.name, state.data) == ("Completed", [0, 1, 2])


def test_parameters_that_do_not_fit_are_said_at_the_first_item(deck: Deck) -> None:
    """The run is recorded as Failed, as that of any flow."""

    @flow
    def pages(count: int) -> Generator[int]:
        yield count

    given = pages(count="many")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="count"):
        next(given)
    assert [run.state_name for run in deck.flow_runs()] == ["Failed"]


def test_one_that_is_left_at_the_end_of_a_script_is_cancelled(scripts: Scripts, deck: Deck) -> None:
    """Also if something still has it: the interpreter closes it before it ends."""
    body = """
        @flow
        def pages():
            try:
                yield from range(9)
            finally:
                print("tidied up")
        given = pages()
        next(given)
    """
    ended = scripts.run(body)
    assert (ended.code, ended.out) == (0, "tidied up\n")
    assert [(run.state_name, run.state_message) for run in deck.flow_runs()] == [("Cancelled", "Closed after 1 item.")]


def test_keyboard_interrupt_between_two_items(scripts: Scripts, deck: Deck) -> None:
    """It ends whoever iterates, and the run with that."""
    body = """
        @flow
        def pages():
            yield from range(9)
        for page in pages():
            signal.raise_signal(signal.SIGINT)
    """
    assert scripts.run(body).code != 0
    assert [run.state_name for run in deck.flow_runs()] == ["Cancelled"]


def test_keyboard_interrupt_within_an_item(scripts: Scripts, deck: Deck) -> None:
    """As in any flow."""
    body = """
        @flow
        def pages():
            yield 1
            signal.raise_signal(signal.SIGINT)
        list(pages())
    """
    assert scripts.run(body).code != 0
    run = deck.flow_runs()[0]
    assert (run.state_name, run.state_message) == ("Cancelled", "Interrupted at the keyboard.")
