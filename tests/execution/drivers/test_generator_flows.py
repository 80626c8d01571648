"""Flows that are generators, and generators that a script leaves or an interrupt ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck, FlowRun
from flowdeck.execution.calls import context
from flowdeck.execution.starts import run_creation
from flowdeck.store.home import Home
from flowdeck.store.runs import flow_runs
from tests.execution.generator_tasks import BrokenError, numbers, numbers_async
from tests.support.scripts import Scripts

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
    assert deck.flow_runs.select() == []
    assert next(given) == 0
    assert [run.state_name for run in deck.flow_runs.select()] == ["Running"]
    assert context.flow_run.get() is None
    assert list(given) == [10]
    (run,) = deck.flow_runs.select()
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
    assert [run.state_name for run in deck.flow_runs.select()] == ["Failed"]


def test_flow_that_is_closed_early_is_cancelled(deck: Deck) -> None:
    """As a task is; what it submitted is seen to its end."""

    @flow
    def pages() -> Generator[int]:
        numbers.submit(2)
        yield from range(9)

    given = pages()
    next(given)
    given.close()
    (run,) = deck.flow_runs.select()
    assert (run.state_name, run.state_message) == ("Cancelled", "Closed after 1 item.")
    assert all(call.is_final for call in deck.task_runs.of_flow_run(run.key))


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
    assert deck.flow_runs.select()[0].state_name == "Completed"


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
        database = run_creation.shared_database()
        template = deck.flow_runs.select()[-1]

        def make(connection: Any, template: FlowRun = template) -> int:
            new = run_creation._new(
                pages.spec, pages.fn.__code__, '{"count": 3}', run_creation.named("Pending"), frozenset()
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
    assert [run.state_name for run in deck.flow_runs.select()] == ["Failed"]


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
    assert [(run.state_name, run.state_message) for run in deck.flow_runs.select()] == [
        ("Cancelled", "Closed after 1 item.")
    ]


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
    assert [run.state_name for run in deck.flow_runs.select()] == ["Cancelled"]


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
    run = deck.flow_runs.select()[0]
    assert (run.state_name, run.state_message) == ("Cancelled", "Interrupted at the keyboard.")
