"""The checked table of what users of Prefect know, second part: one test for each row on tasks, named after it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from flowdeck import allow_failure, flow, opaque, quote, runtime, tags, task
from flowdeck.cache_policies import INPUTS
from flowdeck.deck import FlowRun, TaskRun
from flowdeck.exceptions import DefinitionError, UnfinishedRun
from flowdeck.rules.options.retries import retry_policy
from flowdeck.states import Failed, State
from flowdeck.store.database.database import Database
from flowdeck.tasks import exponential_backoff
from tests.execution.dialects import Dialect

LastRun = Callable[[], FlowRun]
Runs = Callable[[], list[TaskRun]]


def ignore(*_arguments: Any) -> None:
    """A hook."""


def test_row_task_decorator(calls: Runs) -> None:
    """Every option of `@task` is taken."""

    @task(
        name="Step", description="Do it.", tags={"a"}, version="1", cache_policy=INPUTS,
        cache_expiration=timedelta(days=1), task_run_name="step {number}", retries=1, retry_delay_seconds=[0],
        retry_jitter_factor=0.5, persist_result=True, result_serializer="compressed/json",
        result_storage_key="step-{parameters[number]}", cache_result_in_memory=False, timeout_seconds=60,
        log_prints=True, refresh_cache=False, on_completion=[ignore], on_failure=[ignore], on_running=[ignore],
        on_rollback=[ignore], on_commit=[ignore], retry_condition_fn=lambda *_: True,
    )  # fmt: skip
    def step(number: int) -> int:
        return number

    @flow
    def main() -> int:
        return step(1)

    assert main() == 1
    (call,) = calls()
    assert (call.name, call.task_name, call.tags, call.state_name) == ("step 1", "Step", ("a",), "Completed")
    with pytest.raises(DefinitionError, match="no option 'retry'"):
        task(retry=1)(ignore)  # type: ignore[call-overload]


def test_row_key_and_names(calls: Runs) -> None:
    """The key names the function across processes; a run is `name-index`, or as a template or function says."""

    @task
    def plain() -> None: ...

    @task(task_run_name="load {day}")
    def templated(day: str) -> None: ...

    @task(task_run_name=lambda: f"call of {runtime.flow_run.flow_name}")
    def called() -> None: ...

    @task(task_run_name=lambda parameters: f"of {parameters['day']}")
    def told(day: str) -> None: ...

    @flow
    def main() -> None:
        plain()
        plain()
        templated("monday")
        called()
        told("friday")

    main()
    names = [call.name for call in calls()]
    assert names == ["plain-0", "plain-1", "load monday", "call of main", "of friday"]
    assert "plain" in plain.task_key


def test_row_invocation(dialect: Dialect, calls: Runs) -> None:
    """Called: its value; `return_state`, `wait_for`, `submit`, `map`; in tasks and outside of flows too."""

    @dialect.task()
    async def inner(number: int) -> int:
        return number

    @dialect.task()
    async def outer(number: int) -> int:
        return await dialect.call(inner, number)

    @dialect.flow()
    async def main() -> list[int]:
        first = inner.submit(1)
        state = await dialect.call(inner, 2, return_state=True, wait_for=[first])
        mapped = inner.map([4, 5]).result()
        return [first.result(), state.result(), await dialect.call(outer, 3), *mapped]

    assert dialect.run(main) == [1, 2, 3, 4, 5]
    assert {call.state_name for call in calls()} == {"Completed"}
    assert dialect.run(inner, 6) == 6


def test_row_input_resolution() -> None:
    """Futures and states deep in arguments are replaced by their results, as the wrappers say."""

    @dataclasses.dataclass
    class Box:
        value: Any

    class Pair(NamedTuple):
        left: Any
        right: Any

    @task
    def one() -> int:
        return 1

    @task
    def boom() -> None:
        raise ValueError("up")

    @task
    def take(value: Any) -> Any:
        return value

    @flow
    def main() -> None:
        future, state = one.submit(), one(return_state=True)  # type: ignore[call-arg]
        nested = take({"a": [future, (state,)], "b": Box(future), "c": Pair(future, 2)})
        assert nested == {"a": [1, (1,)], "b": Box(1), "c": Pair(1, 2)}
        assert take(quote({"a": future})) == {"a": future}
        assert take(opaque([future]))[0] is future
        assert isinstance(take(allow_failure(boom.submit())), ValueError)

    main()


def test_row_upstream_failure(calls: Runs) -> None:
    """The call never runs: NotReady, over, with no hook; its result says whose fault it was."""
    hooks: list[int] = []

    @task
    def boom() -> None:
        raise ValueError

    @task(on_failure=lambda *_: hooks.append(1), on_completion=lambda *_: hooks.append(2))
    def after(value: Any) -> None:
        hooks.append(3)

    @flow
    def main() -> None:
        upstream = boom.submit()
        future = after.submit(upstream)
        with pytest.raises(UnfinishedRun, match="It needs boom-0, which is Failed"):
            future.result()
        assert future.state.is_final()
        assert upstream.state.is_failed()

    main()
    assert [(call.state_type, call.state_name) for call in calls()] == [("FAILED", "Failed"), ("PENDING", "NotReady")]
    assert hooks == []


def test_row_retry_delay_seconds() -> None:
    """A number; a list whose last value repeats; a function of the number of retries; at most 50 in a list."""

    def delays(given: Any, retries: int = 3) -> list[float | None]:
        policy = retry_policy(retries, given, None, None, owner="task 'step'")
        return [policy.next_delay_seconds(attempt) for attempt in range(1, retries + 2)]

    assert delays(2) == [2, 2, 2, None]
    assert delays([1, 5]) == [1, 5, 5, None]
    assert delays(lambda retries: [retries, 0]) == [3, 0, 0, None]
    with pytest.raises(DefinitionError, match="50"):
        task(retries=60, retry_delay_seconds=[1.0] * 51)(ignore)


def test_row_exponential_backoff() -> None:
    """Factor 10 and 5 retries: 10, 20, 40, 80, 160 seconds."""
    assert list(exponential_backoff(10)(5)) == [10, 20, 40, 80, 160]


def test_row_retry_jitter_factor(slept: list[float]) -> None:
    """It is really applied: about the delay in the mean, at most (1 + factor) times as long. A no-op there."""

    @task(retries=40, retry_delay_seconds=10, retry_jitter_factor=1)
    def step() -> None:
        raise ValueError

    @flow
    def main() -> None:
        assert isinstance(step.submit().result(raise_on_failure=False), ValueError)

    main()
    assert len(slept) == 40
    assert len(set(slept)) > 30
    assert all(4.1 <= seconds <= 20 for seconds in slept)


def test_row_retry_condition_fn(dialect: Dialect) -> None:
    """`(task, task_run, state)`, also an object that can be called; one that raises means no retry."""
    ran: list[str] = []

    class Twice:
        def __call__(self, called: Any, task_run: Any, state: State) -> bool:
            assert (called.name, state.is_failed()) == ("body", True)
            return task_run.run_count < 3

    def boom(*_arguments: Any) -> bool:
        raise KeyError

    async def body(name: str) -> None:
        ran.append(name)
        raise ValueError

    twice = dialect.task(retries=5, retry_condition_fn=Twice())(body)
    never = dialect.task(retries=5, retry_condition_fn=boom)(body)

    @dialect.flow()
    async def main() -> None:
        for step, name in ((twice, "twice"), (never, "never")):
            with pytest.raises(ValueError):
                await dialect.call(step, name)

    dialect.run(main)
    assert ran == ["twice"] * 3 + ["never"]


def test_row_retry_loop(calls: Runs, slept: list[float], database: Database) -> None:
    """`retries=2` is 3 attempts; a returned Failed counts; with a delay AwaitingRetry, without Retrying at once."""
    ran: list[int] = []

    @task(retries=2, retry_delay_seconds=[3, 0])
    def step() -> Any:
        ran.append(1)
        if len(ran) == 1:
            return Failed(message="not yet")
        if len(ran) == 2:
            raise ValueError
        return "done"

    @flow
    def main() -> str:
        return step()

    assert main() == "done"
    assert sum(slept) == 3.0
    (call,) = calls()
    assert call.attempt == 3
    rows = database.reader().execute("SELECT state_name FROM state WHERE task_run = ? ORDER BY seq", (call.id,))
    assert [name for (name,) in rows] == ["Running", "AwaitingRetry", "Retrying", "Retrying", "Completed"]


def test_row_hooks_of_tasks(slept: list[float]) -> None:
    """`(task, task_run, state)`; on_running before each attempt, completion and failure once at the end."""
    called: list[str] = []

    def note(kind: str) -> Callable[..., None]:
        return lambda _task, task_run, state: called.append(f"{kind} {task_run.run_count} {state.name}")

    @task(retries=1, on_running=note("running"), on_failure=note("failure"), on_completion=note("completion"))
    def step() -> None:
        called.append("body")
        if len(called) < 3:
            raise ValueError

    @flow
    def main() -> None:
        step()

    main()
    assert called == ["running 1 Running", "body", "running 2 Retrying", "body", "completion 2 Completed"]


def test_row_tags(calls: Runs) -> None:
    """Those of the task and of the surroundings; without a limit nobody asks for a slot."""

    @task(tags=["a"])
    def step() -> None: ...

    @flow
    def main() -> None:
        with tags("b"):
            step()

    main()
    assert calls()[0].tags == ("a", "b")
    assert threading.active_count() < 20
