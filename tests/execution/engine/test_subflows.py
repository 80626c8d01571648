"""Flows called by flows: runs of their own below their caller's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow, tags, task
from flowdeck.deck import Deck, FlowRun, RunQuery
from flowdeck.rules.exceptions import CancelledRun, UnfinishedRun
from flowdeck.rules.states import StateType
from flowdeck.store.database.database import Database
from tests.execution.dialects import Dialect


class BrokenError(Exception):
    """What a user raises."""


def tree(deck: Deck, run: FlowRun) -> Any:
    """Return the names of a run's flow and of those below it."""
    return (run.flow_name, [tree(deck, child) for child in deck.flow_runs.subflows(run.key)])


def test_subflow_is_a_run_below_its_caller(dialect: Dialect, deck: Deck) -> None:
    """With parent and root, in the order of the calls, at any depth; values go through."""

    @dialect.flow()
    async def leaf(number: int) -> int:
        return number + 1

    @dialect.flow()
    async def branch(number: int) -> int:
        return await dialect.call(leaf, number) + await dialect.call(leaf, number)

    @dialect.flow()
    async def root() -> int:
        return await dialect.call(branch, 1) + await dialect.call(leaf, 10)

    assert dialect.run(root) == 15
    (run,) = deck.flow_runs.select()
    assert tree(deck, run) == ("root", [("branch", [("leaf", []), ("leaf", [])]), ("leaf", [])])
    branch_run = deck.flow_runs.subflows(run.key)[0]
    assert (branch_run.parent_run_id, branch_run.root_run_id, branch_run.triggered_by) == (run.id, run.id, "flow")
    assert deck.flow_runs.subflows(branch_run.key)[0].root_run_id == run.id
    assert {one.state_name for one in deck.flow_runs.select(RunQuery())} == {"Completed"}


def test_subflow_of_a_task_knows_that(dialect: Dialect, deck: Deck, database: Database) -> None:
    """Its row names the task call that started it."""

    @dialect.flow()
    async def inner() -> None: ...

    @dialect.task()
    async def step() -> None:
        await dialect.call(inner)

    @dialect.flow()
    async def outer() -> None:
        await dialect.call(step)

    dialect.run(outer)
    (run,) = deck.flow_runs.select()
    (call,) = deck.task_runs.of_flow_run(run.key)
    rows = database.reader().execute("SELECT parent_task_run_id FROM flow_run WHERE parent_key = ?", (run.key,))
    assert rows.fetchall() == [(call.id,)]


@pytest.mark.parametrize("caught", [True, False])
def test_failing_subflow(dialect: Dialect, deck: Deck, caught: bool) -> None:
    """Its exception is raised at the call; caught there it is handled, else it is the caller's."""

    @dialect.flow()
    async def inner() -> None:
        raise BrokenError("inside")

    @dialect.flow()
    async def outer() -> str:
        try:
            await dialect.call(inner)
        except BrokenError:
            if not caught:
                raise
        return "went on"

    if caught:
        assert dialect.run(outer) == "went on"
    else:
        with pytest.raises(BrokenError, match="inside"):
            dialect.run(outer)
    (run,) = deck.flow_runs.select()
    assert run.state_name == ("Completed" if caught else "Failed")
    assert deck.flow_runs.subflows(run.key)[0].state_name == "Failed"


def test_subflow_inherits(dialect: Dialect, deck: Deck, log_of: Callable[..., list[str]]) -> None:
    """Tags, and `log_prints` where it says nothing itself."""

    @dialect.flow()
    async def inner() -> None:
        print("from inside")

    @dialect.flow(log_prints=True)
    async def outer() -> None:
        with tags("more"):
            await dialect.call(inner)

    with tags("nightly"):
        dialect.run(outer)
    (run,) = deck.flow_runs.select()
    child = deck.flow_runs.subflows(run.key)[0]
    assert child.tags == ("more", "nightly")
    assert log_of("print", child.id) == ["from inside"]


def test_futures_as_parameters_of_a_subflow(dialect: Dialect, deck: Deck) -> None:
    """They are waited for, and recorded by their values; a failed one is named and the subflow not run."""

    @dialect.task()
    async def double(number: int) -> int:
        if number < 0:
            raise BrokenError
        return 2 * number

    @dialect.flow()
    async def inner(number: int, more: list[int]) -> int:
        return number + sum(more)

    @dialect.flow()
    async def outer() -> int:
        total = await dialect.call(inner, double.submit(1), [double.submit(2)], wait_for=[double.submit(3)])
        with pytest.raises(UnfinishedRun, match=r"Flow 'inner' did not run\. It needs double-3, which is Failed\."):
            await dialect.call(inner, double.submit(-1), [])
        return total

    assert dialect.run(outer) == 6
    (child,) = deck.flow_runs.subflows(deck.flow_runs.select()[0].key)
    assert child.parameters == {"number": 2, "more": [4]}


def test_method_is_a_flow_of_its_object(dialect: Dialect, deck: Deck) -> None:
    """By itself and below another."""

    class Report:
        def __init__(self, factor: int) -> None:
            self.factor = factor

        @dialect.flow()
        async def build(self, number: int) -> int:
            return self.factor * number

    @dialect.flow()
    async def outer() -> int:
        return await dialect.call(Report(10).build, number="4")

    assert dialect.run(Report(2).build, 3) == 6
    assert deck.flow_runs.select()[0].parameters == {"self": "<Report>", "number": 3}
    assert dialect.run(outer) == 40


def test_concurrent_subflows() -> None:
    """Each has its own calls, also when they take turns in one loop."""
    seen: list[str] = []

    @task
    async def step(name: str) -> None:
        await asyncio.sleep(0)
        seen.append(name)

    @flow
    async def inner(name: str) -> str:
        await step(name)
        await step(name)
        return name

    @flow
    async def outer() -> list[str]:
        return list(await asyncio.gather(inner("a"), inner("b")))

    assert asyncio.run(outer()) == ["a", "b"]
    assert sorted(seen) == ["a", "a", "b", "b"]


def test_subflow_in_a_thread_with_the_flows_context(deck: Deck) -> None:
    """A thread that is given the context starts runs below it."""
    import contextvars

    @flow
    def inner() -> int:
        return 1

    @flow
    def outer() -> None:
        thread = threading.Thread(target=contextvars.copy_context().run, args=(inner,))
        thread.start()
        thread.join()

    outer()
    (run,) = deck.flow_runs.select()
    assert tree(deck, run) == ("outer", [("inner", [])])


def test_cancel_reaches_into_a_subflow(dialect: Dialect, deck: Deck) -> None:
    """The next task call inside of it is refused, and all of the tree is Cancelled."""

    @dialect.task()
    async def step() -> None: ...

    @dialect.flow()
    async def inner() -> None:
        deck.flow_runs.cancel(deck.flow_runs.select()[0].id)
        await dialect.call(step)
        pytest.fail("it went on")

    @dialect.flow()
    async def outer() -> None:
        await dialect.call(inner)
        pytest.fail("it went on")

    with pytest.raises(CancelledRun, match="Cancelled on request"):
        dialect.run(outer)
    assert {run.state_type for run in deck.flow_runs.select(RunQuery())} == {StateType.CANCELLED}
    assert {run.state_message for run in deck.flow_runs.select(RunQuery())} == {"Cancelled on request."}


def test_cancelled_flow_starts_no_subflow(dialect: Dialect, deck: Deck) -> None:
    """It has no row."""

    @dialect.flow()
    async def inner() -> None: ...

    @dialect.flow()
    async def outer() -> None:
        deck.flow_runs.cancel(deck.flow_runs.select()[0].id)
        await dialect.call(inner)

    with pytest.raises(CancelledRun):
        dialect.run(outer)
    assert len(deck.flow_runs.select(RunQuery())) == 1


def test_cancel_just_before_the_end(dialect: Dialect, deck: Deck) -> None:
    """A flow that ends well while it is being cancelled is Cancelled, and its caller hears so."""

    @dialect.flow()
    async def main() -> int:
        deck.flow_runs.cancel(deck.flow_runs.select()[0].id)
        return 1

    with pytest.raises(CancelledRun, match="Cancelled on request"):
        dialect.run(main)
    assert deck.flow_runs.select()[0].state_type is StateType.CANCELLED


def test_run_that_another_process_took_over(dialect: Dialect, deck: Deck, log_of: Callable[..., list[str]]) -> None:
    """What this one still does is refused, and its log says so."""

    @dialect.task()
    async def step() -> None: ...

    @dialect.flow()
    async def main() -> None:
        deck._database.write(lambda connection: connection.execute("UPDATE flow_run SET incarnation = 2"))
        await dialect.call(step)

    with pytest.raises(CancelledRun, match="Another process has taken its flow run over"):
        dialect.run(main)
    run = deck.flow_runs.select()[0]
    assert (run.state_type, run.task_counts.total) == (StateType.RUNNING, 0)
    assert log_of("engine")[-1].startswith("What this process still did is not recorded.")


def test_deleted_run_ends_with_a_sentence(deck: Deck) -> None:
    """Somebody deletes the row of a run that lives: that is its end, not a crash of ours."""

    @task
    def step() -> None: ...

    @flow
    def main() -> None:
        deck._database.write(lambda connection: connection.execute("DELETE FROM flow_run"))
        step()

    with pytest.raises(CancelledRun, match="Its flow run was deleted"):
        main()


def test_deep_recursion_ends_well(deck: Deck) -> None:
    """A flow that calls itself without end: Python's own sentence, and no run left running."""

    @flow
    def dig(depth: int) -> None:
        dig(depth + 1)

    with pytest.raises(RecursionError):
        dig(0)
    runs = deck.flow_runs.select(RunQuery(limit=0))
    assert len(runs) > 20
    assert {run.state_type for run in runs} <= {StateType.FAILED, StateType.CANCELLED}
    assert deck.flow_runs.select()[0].state_type is StateType.FAILED
    assert main_after_recursion() == 1


def main_after_recursion() -> int:
    @flow
    def main() -> int:
        return 1

    return main()
