"""Options of retries: conditions, jitter, returned states, and waits that hold no slot."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import FlowRun, TaskRun
from flowdeck.rules.states import State, StateType
from tests.execution.dialects import Dialect
from tests.execution.flaky import Flaky

Calls = Callable[[], list[TaskRun]]


class Condition:
    """Every way to write a `retry_condition_fn`; it says yes to what may be tried again."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []

    def __call__(self, declared: Any, run: Any, state: State) -> bool:
        self.asked.append((declared.name, state.name, run.run_count))
        return "again" in (state.message or "")

    async def later(self, declared: Any, run: Any, state: State) -> bool:
        await asyncio.sleep(0)
        return self(declared, run, state)

    def with_more(self, word: str, declared: Any, run: Any, state: State) -> bool:
        return word == "more" and self(declared, run, state)

    def ways(self) -> list[Callable[..., Any]]:
        return [
            self,
            self.__call__,
            lambda *arguments: self(*arguments),  # noqa: PLW0108 - a lambda is what is tried
            functools.partial(self.with_more, "more"),
            self.later,
        ]


@pytest.mark.parametrize("way", range(5), ids=["instance", "method", "lambda", "partial", "async"])
def test_retry_condition_fn_may_be_anything_that_can_be_called(dialect: Dialect, calls: Calls, way: int) -> None:
    """It is asked after each attempt that is not the last; a false value ends it."""
    condition = Condition()
    failures = iter(["again", "enough", "never reached"])

    @dialect.task(retries=5, retry_condition_fn=condition.ways()[way])
    async def load() -> None:
        raise ConnectionError(next(failures))

    @dialect.flow()
    async def main() -> None:
        with pytest.raises(ConnectionError, match="enough"):
            await dialect.call(load)

    dialect.run(main)
    assert condition.asked == [("load", "Failed", 1), ("load", "Failed", 2)]
    assert calls()[0].attempt == 2


def test_retry_condition_fn_of_a_flow(dialect: Dialect, last_run: Callable[[], FlowRun]) -> None:
    """As of a task."""
    condition = Condition()
    failures = iter(["again", "enough"])

    @dialect.flow(retries=5, retry_condition_fn=condition)
    async def main() -> None:
        raise ConnectionError(next(failures))

    with pytest.raises(ConnectionError, match="enough"):
        dialect.run(main)
    assert condition.asked == [("main", "Failed", 1), ("main", "Failed", 2)]
    assert last_run().attempt == 2


def test_exception_in_retry_condition_fn_means_no_retry(
    dialect: Dialect, calls: Calls, log_of: Callable[..., list[str]]
) -> None:
    """It is logged by name; the call failed of what it failed of."""

    def ask_oracle(*_: Any) -> bool:
        raise KeyError("oracle")

    @dialect.task(retries=5, retry_condition_fn=ask_oracle)
    async def load() -> None:
        raise ConnectionError("no answer")

    @dialect.flow()
    async def main() -> None:
        with pytest.raises(ConnectionError):
            await dialect.call(load)

    dialect.run(main)
    assert calls()[0].attempt == 1
    assert any("ask_oracle' failed, so that there is no retry: KeyError" in line for line in log_of("engine"))


def test_jitter_of_flows_and_tasks(dialect: Dialect, slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its bounds, and not what was declared."""

    @dialect.task(retries=1, retry_delay_seconds=0.5, retry_jitter_factor=0.5)
    async def load() -> int:
        return flaky_task()

    @dialect.flow(retries=1, retry_delay_seconds=0.4, retry_jitter_factor=0.5)
    async def main() -> int:
        await dialect.call(load)
        return flaky_flow()

    flaky_task, flaky_flow = Flaky(1), Flaky(1)
    dialect.run(main)
    of_task, of_flow = slept
    assert 0.31 < of_task <= 0.75
    assert 0.25 < of_flow <= 0.6
    assert (of_task, of_flow) != (0.5, 0.4)


def test_returned_failed_state_is_retried_too(dialect: Dialect, calls: Calls, last_run: Callable[[], FlowRun]) -> None:
    """A state that a body returns decides its call's or run's."""
    attempts: list[str] = []

    @dialect.task(retries=1)
    async def load() -> State:
        attempts.append("task")
        return State(StateType.FAILED, "TooFew", "3 rows")

    @dialect.flow(retries=1)
    async def main() -> Any:
        state = await dialect.call(load, return_state=True)
        attempts.append("flow")
        return state if attempts.count("flow") == 1 else State(StateType.COMPLETED, "Enough", data=7)

    state = dialect.run(main, return_state=True)
    assert (state.name, state.type) == ("Enough", StateType.COMPLETED)
    assert attempts == ["task", "task", "flow"] * 2
    assert (last_run().state_name, last_run().attempt) == ("Enough", 2)
    assert (calls()[0].state_name, calls()[0].state_message, calls()[0].attempt) == ("TooFew", "3 rows", 2)


def test_returned_completed_state_of_a_task_has_its_value(dialect: Dialect, calls: Calls) -> None:
    """And one of something that goes on is a value like any other."""

    @dialect.task()
    async def enough() -> State:
        return State(StateType.COMPLETED, "Enough", "7 rows", data=7)

    @dialect.task()
    async def look() -> State:
        return State(StateType.RUNNING, "Running")

    @dialect.flow()
    async def main() -> tuple[Any, Any]:
        return await dialect.call(enough), (await dialect.call(look)).name

    assert dialect.run(main) == (7, "Running")
    assert [call.state_name for call in calls()] == ["Enough", "Completed"]
    assert calls()[0].result_preview == "7"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["threads", "event loop"])
def test_waiting_retry_holds_no_slot(calls: Calls, monkeypatch: pytest.MonkeyPatch, asynchronous: bool) -> None:
    """With one worker: what fails and waits lets the others pass, and holds no thread."""
    monkeypatch.setenv("FLOWDECK_TASK_RUNNER_MAX_WORKERS", "1")
    order: list[tuple[int, int]] = []
    others_over = threading.Event()

    def work(number: int) -> int:
        attempt = sum(done == number for done, _ in order) + 1
        order.append((number, attempt))
        if attempt == 1 and number < 20:
            raise ConnectionError
        if number == 20:
            others_over.set()
        return number

    async def work_async(number: int) -> int:
        return work(number)

    load = task(retries=1, retry_delay_seconds=0.3)(work_async if asynchronous else work)
    threads: list[int] = []

    @flow
    def main() -> list[int]:
        futures = load.map(range(21))
        assert others_over.wait(30)
        threads.append(threading.active_count())
        return futures.result()

    before = threading.active_count()
    assert main() == list(range(21))
    assert order[:21] == [(number, 1) for number in range(21)]
    assert sorted(order[21:]) == [(number, 2) for number in range(20)]
    assert threads[0] - before <= 3  # a worker or an event loop, and a clock


def test_end_of_a_flow_ends_the_waits_of_submitted_calls(calls: Calls) -> None:
    """At once, though they hold no thread that could look."""
    waits = threading.Event()

    @task(retries=1, retry_delay_seconds=3_600, retry_condition_fn=lambda *_: waits.set() or True)
    def load() -> None:
        raise ConnectionError

    @flow
    def main() -> None:
        load.submit()
        waits.wait(30)
        raise ValueError

    with pytest.raises(ValueError):
        main()
    assert calls()[0].state_name == "Cancelled"
    assert calls()[0].state_message == "Its flow run ended before attempt 2 began."
