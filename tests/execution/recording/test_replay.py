"""A later attempt of a flow takes what earlier ones recorded, and runs the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck, FlowRun, RunQuery, TaskRun
from flowdeck.store.database.database import Database
from tests.execution.dialects import Dialect
from tests.execution.once import Once

Runs = Callable[[], list[TaskRun]]


def test_recorded_call_is_not_run_again(
    dialect: Dialect, once: Once, calls: Runs, last_run: Callable[[], FlowRun]
) -> None:
    """A flow's retry returns what is recorded and runs the others; the screen can tell which."""
    ran: list[int] = []

    @dialect.task()
    async def step(number: int) -> int:
        ran.append(number)
        if number == 2:
            once()
        return number * 10

    @dialect.flow(retries=1)
    async def main() -> list[int]:
        return [await dialect.call(step, number) for number in range(4)]

    assert dialect.run(main) == [0, 10, 20, 30]
    assert ran == [0, 1, 2, 2, 3]
    assert last_run().attempt == 2
    assert [(call.reused, call.state_name) for call in calls()] == [
        (True, "Completed"), (True, "Completed"), (False, "Completed"), (False, "Completed"),
    ]  # fmt: skip
    assert calls()[0].state_message == "Reused from attempt 1."
    assert [call.result_preview for call in calls()] == ["0", "10", "20", "30"]


def test_the_same_call_twice_is_two_calls(once: Once) -> None:
    """Calls with equal inputs are told apart by their order among themselves."""
    ran: list[str] = []

    @task
    def draw(kind: str) -> int:
        ran.append(kind)
        return len(ran)

    @flow(retries=1)
    def main() -> list[int]:
        values = [draw("a"), draw("a"), draw("b")]
        once()
        return [*values, draw("a")]

    assert main() == [1, 2, 3, 4]


def test_other_inputs_run_again_and_the_unused_are_counted(
    once: Once, log_of: Callable[..., list[str]], database: Database
) -> None:
    """What no longer matches is not taken, and said on the run."""
    attempts: list[int] = []

    @task
    def extract(number: int) -> int:
        return number

    @flow(retries=1)
    def main() -> list[int]:
        attempts.append(1)
        values = [extract(number + 100 * len(attempts)) for number in range(5)]
        once()
        return values

    assert main() == [200, 201, 202, 203, 204]
    told = [line for line in log_of("engine") if "unused" in line]
    assert told == [
        "5 recorded results unused: extract[0], extract[1], extract[2] …. The flow has changed since, or chose others."
    ]
    (unused,) = database.reader().execute("SELECT unused_results FROM flow_run").fetchone()
    assert unused == '{"count": 5, "calls": ["extract[0]", "extract[1]", "extract[2]"]}'


def test_items_of_a_map_are_replayed_one_by_one(dialect: Dialect, once: Once, calls: Runs) -> None:
    """Of a `.map()` only the items that are not recorded run again."""
    ran: list[int] = []

    @dialect.task()
    async def work(item: int) -> int:
        ran.append(item)
        if item == 7:
            once()
        return item

    @dialect.flow(retries=1)
    async def main() -> list[int]:
        futures = work.map(range(10))
        futures.wait()
        return futures.result()

    assert dialect.run(main) == list(range(10))
    assert sorted(ran) == [0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9]
    assert [call.reused for call in calls()] == [item != 7 for item in range(10)]


def test_order_of_threads_does_not_matter(once: Once) -> None:
    """Calls are found by what they are, not by when they happen."""
    ran: list[int] = []
    gates = [threading.Event() for _ in range(4)]

    @task
    def work(item: int, gate_of: int) -> int:
        gates[gate_of].wait(10)
        ran.append(item)
        if item + 1 < len(gates):
            gates[item + 1].set()
        return item

    @flow(retries=1)
    def main(order: list[int]) -> list[int]:
        gates[0].set()
        futures = {item: work.submit(item, item) for item in order}
        values = [futures[item].result() for item in range(4)]
        order.reverse()
        once()
        return values

    assert main([3, 1, 0, 2]) == [0, 1, 2, 3]
    assert ran == [0, 1, 2, 3]


def test_task_inside_of_a_task_is_replayed(dialect: Dialect, once: Once) -> None:
    """A call that had not completed runs again; what it had called and completed does not."""
    ran: list[str] = []

    @dialect.task()
    async def inner(name: str) -> str:
        ran.append(name)
        return name

    @dialect.task()
    async def outer() -> str:
        ran.append("outer")
        value = await dialect.call(inner, "a")
        once()
        return value + await dialect.call(inner, "b")

    @dialect.flow(retries=1)
    async def main() -> str:
        return await dialect.call(outer)

    assert dialect.run(main) == "ab"
    assert ran == ["outer", "a", "outer", "b"]


def test_completed_subflow_is_not_run_again(dialect: Dialect, once: Once, deck: Deck) -> None:
    """Its value is recorded, and its run belongs to the new attempt too."""
    ran: list[int] = []

    @dialect.flow()
    async def child(number: int) -> dict[str, int]:
        ran.append(number)
        return {"number": number}

    @dialect.flow(retries=1)
    async def main() -> list[Any]:
        values = [await dialect.call(child, 1), await dialect.call(child, 2)]
        once()
        return values

    assert dialect.run(main) == [{"number": 1}, {"number": 2}]
    assert ran == [1, 2]
    run = deck.flow_runs.select()[0]
    assert [(one.attempt, one.state_name) for one in deck.flow_runs.subflows(run.key)] == [(1, "Completed")] * 2


def test_subflow_that_failed_goes_on_as_the_same_run(dialect: Dialect, once: Once, deck: Deck) -> None:
    """Called again by its parent's retry it is the next attempt of the same run, and takes what that has recorded."""
    ran: list[str] = []

    @dialect.task()
    async def step(name: str) -> str:
        ran.append(name)
        return name

    @dialect.flow()
    async def child() -> str:
        first = await dialect.call(step, "a")
        once()
        return first + await dialect.call(step, "b")

    @dialect.flow(retries=1)
    async def main() -> str:
        return await dialect.call(child)

    assert dialect.run(main) == "ab"
    assert ran == ["a", "b"]
    root = deck.flow_runs.select()[0]
    children = deck.flow_runs.subflows(root.key)
    assert [(one.attempt, one.state_name, one.error) for one in children] == [(2, "Completed", None)]
    assert len(deck.flow_runs.select(RunQuery())) == 2
    assert [(call.name, call.reused) for call in deck.task_runs.of_flow_run(children[0].key)] == [
        ("step-0", True),
        ("step-1", False),
    ]


def test_failed_call_runs_again(once: Once) -> None:
    """Only completions are recorded as results: a failure that the flow handled happens anew."""
    ran: list[str] = []

    @task
    def broken() -> None:
        ran.append("broken")
        raise ValueError

    @flow(retries=1)
    def main() -> None:
        with pytest.raises(ValueError):
            broken()
        once()

    main()
    assert ran == ["broken", "broken"]


def test_nothing_is_recorded_of_a_first_attempt_alone() -> None:
    """Another run of the same flow begins at nothing: replay is for retries of one run."""
    ran: list[int] = []

    @task
    def step() -> None:
        ran.append(1)

    @flow
    def main() -> None:
        step()

    main()
    main()
    assert len(ran) == 2
