"""Tasks outside of flows and in tasks, and asynchronous ones in synchronous code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from flowdeck import State, flow, get_run_logger, task
from flowdeck.deck import Deck, TaskRun
from flowdeck.execution.starts import run_creation, standalone_tasks
from flowdeck.host.loading import find_flow
from flowdeck.rules.exceptions import MappingLengthMismatch, NotFoundError
from flowdeck.store.runs import flow_runs
from tests.execution.dialects import Dialect
from tests.support.scripts import Scripts

Calls = Callable[[], list[TaskRun]]
LogOf = Callable[..., list[str]]


class BrokenError(Exception):
    """What a user raises."""


# -- outside of flows --------------------------------------------------------------------------------------------------


def test_call_is_a_run_of_its_own(dialect: Dialect, deck: Deck, log_of: LogOf) -> None:
    """A flow run that is named after the task, with one task run; value, log and parameters are there."""

    @dialect.task(retries=1, tags=["io"])
    async def load_page(page: int, size: int = 10) -> int:
        get_run_logger().info("page %d", page)
        return page * size

    assert dialect.run(load_page, 3) == 30
    (run,) = deck.flow_runs.select()
    (call,) = deck.task_runs.of_flow_run(run.key)
    assert (run.flow_name, run.state_name, run.parameters) == ("load_page", "Completed", {"page": 3, "size": 10})
    assert (call.name, call.state_name, call.result_preview, call.tags) == ("load_page-0", "Completed", "30", ("io",))
    assert log_of("logger") == ["page 3"]


def test_failure_is_raised_and_recorded(dialect: Dialect, deck: Deck) -> None:
    """The very exception, after the task's own retries; `return_state` gives the task's state."""
    attempts: list[int] = []

    @dialect.task(retries=1)
    async def load() -> None:
        attempts.append(1)
        raise BrokenError("no such page")

    with pytest.raises(BrokenError, match="no such page"):
        dialect.run(load)
    assert len(attempts) == 2
    (run,) = deck.flow_runs.select()
    assert (run.state_name, run.state_message) == ("Failed", "BrokenError: no such page")
    assert [call.attempt for call in deck.task_runs.of_flow_run(run.key)] == [2]
    state = dialect.run(load, return_state=True)
    assert isinstance(state, State)
    assert isinstance(state.exception, BrokenError)


def test_wrong_arguments_are_the_tasks_failure(deck: Deck) -> None:
    """As Python says it."""

    @task
    def load(page: int) -> None: ...

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'page'"):
        load()  # type: ignore[call-arg]
    assert [run.state_name for run in deck.flow_runs.select()] == ["Failed"]


def test_submit_and_map(dialect: Dialect, deck: Deck) -> None:
    """Futures at once; each `submit` and each `map` is one run, which ends by itself."""

    @dialect.task()
    async def load(page: int) -> int:
        if page < 0:
            raise BrokenError(str(page))
        return page * 10

    assert load.submit(1).result() == 10
    futures = load.map([1, 2, 3])
    assert futures.result() == [10, 20, 30]
    assert load.submit(5, return_state=True).result() == 50
    assert [state.name for state in load.map([1, -1], return_state=True)] == ["Completed", "Failed"]
    with pytest.raises(BrokenError):
        load.submit(-2).result()
    standalone_tasks.wait_for_ends()
    runs = deck.flow_runs.select()
    assert [(run.state_name, run.task_counts.total) for run in reversed(runs)] == [
        ("Completed", 1), ("Completed", 3), ("Completed", 1), ("Failed", 2), ("Failed", 1),
    ]  # fmt: skip
    assert runs[3].parameters == {"page": "<Mapped>"}


def test_map_that_cannot_be(deck: Deck) -> None:
    """The sentence is raised where it was called."""

    @task
    def add(one: int, other: int) -> int:
        return one + other

    with pytest.raises(MappingLengthMismatch, match=r"add\.map\(\) was given iterables of different lengths"):
        add.map([1, 2], [1])
    standalone_tasks.wait_for_ends()
    assert [run.state_name for run in deck.flow_runs.select()] == ["Failed"]


def test_script_waits_for_what_it_submitted(scripts: Scripts, deck: Deck) -> None:
    """Also when it never asks."""
    body = """
        import time
        @task
        def slow(page):
            time.sleep(0.3)
            return page
        slow.submit(4)
    """
    assert scripts.run(body).code == 0
    (run,) = deck.flow_runs.select()
    assert (run.state_name, deck.task_runs.of_flow_run(run.key)[0].result_preview) == ("Completed", "4")


def test_generators(deck: Deck) -> None:
    """Items as they are produced; the run ends with them."""

    @task
    def rows() -> Generator[int]:
        yield from range(3)

    @task
    async def rows_async() -> AsyncGenerator[int]:
        for number in range(3):
            yield number

    async def read() -> list[int]:
        return [number async for number in rows_async()]

    given = rows()
    assert next(given) == 0
    assert [run.state_name for run in deck.flow_runs.select()] == ["Running"]
    assert list(given) == [1, 2]
    assert asyncio.run(read()) == [0, 1, 2]
    assert rows.submit().result() == [0, 1, 2]
    standalone_tasks.wait_for_ends()
    assert {run.state_name for run in deck.flow_runs.select()[1:]} == {"Completed"}
    closed = rows()
    next(closed)
    closed.close()
    run = deck.flow_runs.select()[0]
    assert (run.state_name, deck.task_runs.of_flow_run(run.key)[0].state_name) == ("Cancelled", "Cancelled")


def test_exit_code_of_a_script(scripts: Scripts) -> None:
    """As of any Python program."""
    assert scripts.run("@task\ndef load(): 1 / 0\nload()\n").code == 1


def test_thread_that_a_flow_starts_is_told_of(deck: Deck, log_of: LogOf) -> None:
    """What is called there is a run of its own, and its log says how it would have been the flow's."""

    @task
    def load() -> None: ...

    @flow
    def main() -> None:
        thread = threading.Thread(target=load)
        thread.start()
        thread.join()

    main()
    alone, called = deck.flow_runs.select()
    assert (alone.flow_name, called.flow_name) == ("load", "main")
    (line,) = [text for text in log_of("engine", alone.id) if "is a run of its own" in text]
    assert f"It was called while run '{called.name}' goes on" in line
    assert "load.submit(...)" in line


def test_gathered_calls_are_told_of_nothing(deck: Deck, log_of: LogOf) -> None:
    """Runs beside each other on one event loop are what was asked for."""

    @task
    async def load(page: int) -> int:
        await asyncio.sleep(0)
        return page

    async def main() -> list[int]:
        return await asyncio.gather(*map(load, range(3)))

    assert asyncio.run(main()) == [0, 1, 2]
    assert not any(
        "is a run of its own" in line for run in deck.flow_runs.select() for line in log_of("engine", run.id)
    )


def test_run_can_be_started_again(tmp_path: Path, deck: Deck) -> None:
    """The task is found in its file; a result that is recorded is reused."""
    source = tmp_path / "tasks.py"
    source.write_text(
        "from flowdeck import task\n"
        "ran = []\n"
        "@task\n"
        "def load(page: int):\n"
        "    ran.append(page)\n"
        "    return page * 10\n"
        "@task\n"
        "async def later(page: int):\n"
        "    return page\n"
    )
    found = find_flow(source, "load")
    assert found(3) == 30
    database = run_creation.shared_database()
    key = deck.flow_runs.select()[0].key

    def again(connection: Any) -> None:
        flow_runs.schedule_again(connection, key, run_creation.named("Scheduled"), 1, attempt=2, environment=None)
        flow_runs.set_columns(connection, key, {"incarnation": 2})
        flow_runs.set_state(connection, key, run_creation.named("Pending"), 2)

    database.write(again)
    state = found.run_claimed(database, key, 2)
    assert (state.name, state.data) == ("Completed", 30)
    assert found.fn.__wrapped__.__globals__["ran"] == [3]
    assert [call.reused for call in deck.task_runs.of_flow_run(key)] == [True]
    assert asyncio.run(find_flow(source, "later")(4)) == 4
    with pytest.raises(NotFoundError):
        find_flow(source, "nothing")


# -- in tasks, and across dialects -------------------------------------------------------------------------------------


def test_nested_tasks(dialect: Dialect, calls: Calls) -> None:
    """A task that a task calls is a call of the same run, below its caller; submitted and mapped too."""

    @dialect.task()
    async def inner(number: int) -> int:
        return number + 1

    @dialect.task()
    async def outer() -> list[int]:
        first = await dialect.call(inner, 1)
        return [first, inner.submit(2).result(), *inner.map([3, 4]).result()]

    @dialect.flow()
    async def main() -> list[int]:
        return await dialect.call(outer)

    assert dialect.run(main) == [2, 3, 4, 5]
    outer_call, *inner_calls = sorted(calls(), key=lambda call: call.id)
    assert outer_call.name == "outer-0"
    assert {call.parent_id for call in inner_calls} == {outer_call.id}
    assert len(inner_calls) == 4


def test_asynchronous_task_in_a_synchronous_flow_is_a_coroutine(calls: Calls) -> None:
    """As of any `async def`: whoever has an event loop awaits it; `submit` needs none."""

    @task
    async def load(page: int) -> int:
        await asyncio.sleep(0)
        return page

    async def both() -> list[int]:
        return await asyncio.gather(load(1), load(2))

    @flow
    def main() -> list[int]:
        return [*asyncio.run(both()), load.submit(3).result(), asyncio.run(load(4))]

    assert main() == [1, 2, 3, 4]
    assert [call.state_name for call in calls()] == ["Completed"] * 4


def test_coroutine_that_nobody_awaits_is_named(calls: Calls) -> None:
    """Python's own warning says which task was meant to run; there is no call."""

    @task
    async def load() -> None: ...

    @flow
    def main() -> None:
        load()  # type: ignore[unused-coroutine]

    with pytest.warns(RuntimeWarning, match=r"coroutine 'load' was never awaited"):
        main()
    assert calls() == []


def test_synchronous_task_in_an_asynchronous_flow_gives_its_value(calls: Calls) -> None:
    """At once."""

    @task
    def load() -> int:
        return 7

    @flow
    async def main() -> int:
        return load()

    assert asyncio.run(main()) == 7
    assert len(calls()) == 1
