"""Hooks of flows and tasks: when they are called, with what, and that what they do harms nothing."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow, get_run_logger, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.states import State, StateType
from tests.execution.dialects import Dialect

Calls = Callable[[], list[TaskRun]]


class Told:
    """A hook that keeps what it was told; each of its faces is one way to write a hook."""

    def __init__(self) -> None:
        self.of: list[tuple[str, str]] = []
        self.arguments: list[tuple[Any, Any, State]] = []

    def __call__(self, declared: Any, run: Any, state: State) -> None:
        self.arguments.append((declared, run, state))
        self.of.append((getattr(run, "task_name", None) or run.flow_name, state.name))

    async def later(self, declared: Any, run: Any, state: State) -> None:
        await asyncio.sleep(0)
        self(declared, run, state)

    def with_more(self, declared: Any, run: Any, state: State, *, channel: str) -> None:
        assert channel == "ops"
        self(declared, run, state)


def ways(told: Told) -> list[Callable[..., Any]]:
    """Return the hook as an instance, a method, async, a partial, a lambda."""
    return [
        told,
        told.__call__,
        told.later,
        functools.partial(told.with_more, channel="ops"),
        lambda *arguments: told(*arguments),  # noqa: PLW0108 - a lambda is what is tried
    ]


# -- rows of the reference: "Hooks" ------------------------------------------------------------------------------------


def test_hooks_of_a_flow_are_called_after_the_state_is_set(dialect: Dialect, deck: Deck) -> None:
    """`on_running` before the body, `on_completion` at the end, each once; with flow, flow run and state."""
    told = Told()
    seen: list[str] = []

    def look(_flow: Any, _run: Any, _state: State) -> None:
        seen.append(deck.flow_runs.select()[0].state_name)

    @dialect.flow(on_running=[told, look], on_completion=[told, look], on_failure=told, name="etl")
    async def main(x: int) -> int:
        seen.append("body")
        return x

    assert dialect.run(main, 3) == 3
    assert seen == ["Running", "body", "Completed"]
    assert told.of == [("etl", "Running"), ("etl", "Completed")]
    declared, run, state = told.arguments[1]
    record = deck.flow_runs.select()[0]
    assert declared is main
    assert (run.id, run.name, run.flow_name, run.parameters) == (record.id, record.name, "etl", {"x": 3})
    assert (run.run_count, run.state_name, run.state_type) == (1, "Completed", StateType.COMPLETED)
    assert run.start_time is not None
    assert state.data == 3


def test_hooks_of_a_task_are_called_after_the_state_is_set(dialect: Dialect, deck: Deck, calls: Calls) -> None:
    """With task, task run and state; of a direct call and of a submitted one."""
    told = Told()
    seen: list[str] = []

    def look(_task: Any, _run: Any, _state: State) -> None:
        seen.append(calls()[0].state_name)

    @dialect.task(on_running=[look, told], on_completion=[look, told], tags=["nightly"])
    async def load(x: int) -> int:
        seen.append("body")
        return x

    @dialect.flow()
    async def main() -> int:
        return await dialect.call(load, 3) + load.submit(4).result()

    assert dialect.run(main) == 7
    assert seen[:3] == ["Running", "body", "Completed"]
    assert told.of == [("load", "Running"), ("load", "Completed")] * 2
    declared, run, _ = told.arguments[0]
    assert declared is load
    assert (run.id, run.name, run.task_name, run.parameters) == (calls()[0].id, "load-0", "load", {"x": 3})
    assert (run.tags, run.flow_run_id, run.run_count) == (("nightly",), deck.flow_runs.select()[0].id, 1)


def test_every_way_to_write_a_hook(dialect: Dialect) -> None:
    """Sync, async, partial, lambda, bound method, instance: in the order in which they are listed."""
    of_flow, of_task = Told(), Told()

    @dialect.task(on_completion=ways(of_task))
    async def step() -> None: ...

    @dialect.flow(on_completion=ways(of_flow))
    async def main() -> None:
        await dialect.call(step)

    dialect.run(main)
    assert of_task.of == [("step", "Completed")] * 5
    assert of_flow.of == [("main", "Completed")] * 5


def test_on_running_on_every_attempt_and_the_others_once_at_the_end(dialect: Dialect, slept: list[float]) -> None:
    """Retries of a task and of its flow."""
    of_flow, of_task = Told(), Told()

    @dialect.task(retries=1, retry_delay_seconds=1, on_running=of_task, on_failure=of_task)
    async def fail() -> None:
        raise ValueError

    @dialect.flow(retries=1, on_running=of_flow, on_failure=of_flow, on_completion=of_flow)
    async def main() -> None:
        await dialect.call(fail)

    with pytest.raises(ValueError):
        dialect.run(main)
    assert of_task.of == [("fail", "Running"), ("fail", "Retrying"), ("fail", "Failed")] * 2
    assert of_flow.of == [("main", "Running"), ("main", "Retrying"), ("main", "Failed")]
    assert [run.run_count for _, run, _ in of_flow.arguments] == [1, 2, 2]
    assert slept


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_errors_of_hooks_are_logged_and_swallowed(
    dialect: Dialect, deck: Deck, log_of: Callable[..., list[str]], error: BaseException
) -> None:
    """By name, with their traceback; the run and the hooks behind them do not notice."""
    told = Told()

    def tell_ops(*_: Any) -> None:
        raise error

    @dialect.task(on_running=tell_ops, on_completion=[tell_ops, told])
    async def step() -> int:
        return 1

    @dialect.flow(on_running=tell_ops, on_completion=[tell_ops, told])
    async def main() -> int:
        return await dialect.call(step)

    assert dialect.run(main) == 1
    assert told.of == [("step", "Completed"), ("main", "Completed")]
    assert deck.flow_runs.select()[0].state_name == "Completed"
    complaints = [line for line in log_of("engine") if "tell_ops' (on_completion) failed: " in line]
    assert len(complaints) == 2
    assert type(error).__name__ in complaints[0]
    assert "in tell_ops" in complaints[0]


def test_hooks_run_in_the_context_of_their_run(dialect: Dialect, log_of: Callable[..., list[str]], deck: Deck) -> None:
    """`get_run_logger` works, and what they print is captured as the body's is."""

    def tell(_declared: Any, _run: Any, state: State) -> None:
        get_run_logger().info("logged at %s", state.name)
        print("printed at", state.name)

    @dialect.task(on_completion=tell)
    async def step() -> None: ...

    @dialect.flow(log_prints=True, on_running=tell, on_completion=tell)
    async def main() -> None:
        await dialect.call(step)

    dialect.run(main)
    assert log_of("logger") == ["logged at Running", "logged at Completed", "logged at Completed"]
    assert log_of("print") == ["printed at Running", "printed at Completed", "printed at Completed"]
    reader = deck.logs.of_run(deck.flow_runs.select()[0])
    assert [record.task_name for record in reader.records() if record.source == "logger"] == [None, "step-0", None]
    reader.close()


def test_on_failure_is_for_what_failed(dialect: Dialect) -> None:
    """Failed, TimedOut, a returned Failed; not for what crashed, was cancelled or never began."""
    told = Told()

    @dialect.task(on_failure=told)
    async def fail() -> None:
        raise ValueError

    @dialect.task(on_failure=told)
    async def give_failed() -> State:
        return State(StateType.FAILED, "Rejected", "too few rows")

    @dialect.task(on_failure=told, on_completion=told)
    async def needs(_: Any) -> None: ...

    @dialect.flow(on_failure=told, on_crashed=lambda *_: told.of.append(("main", "hook of a crash")))
    async def main() -> None:
        failed = fail.submit()
        failed.wait()
        await dialect.call(give_failed, return_state=True)
        assert needs.submit(failed, return_state=True).name == "NotReady"
        failed.wait()
        raise SystemExit

    with pytest.raises(SystemExit):
        dialect.run(main)
    assert told.of == [("fail", "Failed"), ("give_failed", "Rejected"), ("main", "hook of a crash")]


def test_on_crashed_when_the_process_lives(dialect: Dialect, last_run: Callable[[], FlowRun]) -> None:
    """What is no failure but ends the flow all the same."""
    told = Told()

    @dialect.flow(on_crashed=told, on_failure=told)
    async def main() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        dialect.run(main)
    assert told.of == [("main", "Crashed")]
    assert last_run().state_name == "Crashed"


def test_on_cancellation_when_the_process_lives(dialect: Dialect, deck: Deck) -> None:
    """The run notices its cancel at its next call; once it is Cancelled its hooks are called."""
    told = Told()

    @dialect.task()
    async def step() -> None: ...

    @dialect.flow(on_cancellation=told, on_failure=told, on_crashed=told)
    async def main() -> None:
        deck.flow_runs.cancel(deck.flow_runs.select()[0].id)
        await dialect.call(step)

    with pytest.raises(BaseException, match="Cancelled on request"):
        dialect.run(main)
    assert told.of == [("main", "Cancelled")]


def test_hooks_of_a_subflow_are_its_own(dialect: Dialect, deck: Deck) -> None:
    """They are called when it is over, before the flow that calls it goes on."""
    told = Told()

    @dialect.flow(on_completion=told, on_failure=told)
    async def inner(fails: bool) -> None:
        if fails:
            raise ValueError

    @dialect.flow(on_completion=told)
    async def outer() -> None:
        await dialect.call(inner, False)
        with pytest.raises(ValueError):
            await dialect.call(inner, True)

    dialect.run(outer)
    assert told.of == [("inner", "Completed"), ("inner", "Failed"), ("outer", "Completed")]
    root = deck.flow_runs.select()[0]
    assert told.arguments[0][1].root_flow_run_id == root.id
    assert told.arguments[0][1].id != root.id


def test_call_that_a_hook_makes_when_its_run_is_over_is_refused(
    dialect: Dialect, log_of: Callable[..., list[str]], last_run: Callable[[], FlowRun]
) -> None:
    """That is the hook's failure and nobody else's."""
    told = Told()

    @task
    def step() -> None: ...

    @dialect.flow(on_completion=[lambda *_: step(), told])
    async def main() -> int:
        return 1

    assert dialect.run(main) == 1
    assert last_run().state_name == "Completed"
    assert told.of == [("main", "Completed")]
    assert any("(on_completion) failed: " in line for line in log_of("engine"))


def test_reused_call_has_no_hooks(slept: list[float]) -> None:
    """They were called when it ran."""
    told = Told()
    attempts: list[int] = []

    @task(on_running=told, on_completion=told)
    def step() -> int:
        return 1

    @flow(retries=1)
    def main() -> None:
        step()
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError

    main()
    assert told.of == [("step", "Running"), ("step", "Completed")]
    assert slept == []


# -- declaring them ----------------------------------------------------------------------------------------------------


def test_hooks_can_be_hung_up_by_decorators() -> None:
    """As in Prefect: `@my_flow.on_failure`; the function stays what it is, and those of the options come first."""
    order: list[str] = []

    @task(on_completion=lambda *_: order.append("option of task"))
    def step() -> None: ...

    @flow(on_completion=lambda *_: order.append("option of flow"))
    def main() -> None:
        step()

    @step.on_completion
    def step_completed(_task: Any, _run: Any, _state: State) -> str:
        order.append("decorated task hook")
        return "itself"

    @main.on_completion
    def main_completed(_flow: Any, _run: Any, _state: State) -> None:
        order.append("decorated flow hook")

    @main.on_running
    def main_runs(_flow: Any, _run: Any, _state: State) -> None:
        order.append("runs")

    main()
    assert step_completed(None, None, State(StateType.COMPLETED, "Completed")) == "itself"
    assert order[:-1] == ["runs", "option of task", "decorated task hook", "option of flow", "decorated flow hook"]


def test_hook_that_cannot_be_called_is_refused() -> None:
    """Where it is declared."""
    with pytest.raises(DefinitionError, match="on_failure of flow 'main' takes functions, not 3"):
        flow(name="main", on_failure=3)(lambda: None)  # type: ignore[call-overload]

    @flow
    def main() -> None: ...

    with pytest.raises(DefinitionError, match="on_crashed of flow 'main' takes functions"):
        main.on_crashed("tell")  # type: ignore[arg-type]


def test_level_of_a_failing_hook_counts_as_an_error(last_run: Callable[[], FlowRun]) -> None:
    """So that it is seen on the screen."""

    @flow(on_running=lambda: None)
    def main() -> None:
        get_run_logger().log(logging.INFO, "fine")

    main()
    assert (last_run().state_name, last_run().error_count) == ("Completed", 1)
