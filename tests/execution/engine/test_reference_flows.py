"""The checked table of what users of Prefect know, first part: one test for each row on flows, named after it.

Each shows the row as it is here; where the row is a trap there, its test says what happens instead.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import Flow, flow, get_run_logger, runtime, tags, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.exceptions import DefinitionError, FailedRun, ParameterError
from flowdeck.states import Cancelled, Completed, Failed, State
from flowdeck.task_runners import ConcurrentTaskRunner

LastRun = Callable[[], FlowRun]
Runs = Callable[[], list[TaskRun]]


def ignore(*_arguments: Any) -> None:
    """A hook."""


def test_row_flow_decorator(last_run: LastRun) -> None:
    """Every option of `@flow` is taken; the name has hyphens, the description is the docstring's."""

    @flow(
        version="2", retries=1, retry_delay_seconds=0, task_runner=ConcurrentTaskRunner(), timeout_seconds=60,
        validate_parameters=True, persist_result=True, result_serializer="json", cache_result_in_memory=True,
        log_prints=True, on_completion=[ignore], on_failure=ignore, on_cancellation=[ignore], on_crashed=[ignore],
        on_running=[ignore],
    )  # fmt: skip
    def my_flow() -> int:
        """Say hello."""
        return 1

    assert my_flow() == 1
    assert (my_flow.name, my_flow.description, my_flow.spec.version) == ("my-flow", "Say hello.", "2")
    assert last_run().flow_name == "my-flow"
    for character in "/%&><":
        with pytest.raises(DefinitionError, match="not allowed"):
            flow(name=f"a{character}b")(my_flow.fn)
    with pytest.raises(DefinitionError, match="did you mean 'retries'"):
        flow(retrys=1)(ignore)  # type: ignore[call-overload]


def test_row_calling() -> None:
    """It runs in this process, in the main thread; `return_state` and `wait_for` are no names of parameters."""
    threads: list[str] = []

    @flow
    def main(number: int = 1) -> int:
        threads.append(threading.current_thread().name)
        return number

    assert (main(), main.fn(2), main(3, return_state=True).result()) == (1, 2, 3)
    assert threads == ["MainThread"] * 3
    assert main.with_options(name="other").name == "other"
    for reserved in ("return_state", "wait_for"):
        with pytest.raises(DefinitionError, match="flowdeck's own keyword"):
            exec(f"flow(lambda {reserved}: 1)", {"flow": flow})


def test_row_params(last_run: LastRun) -> None:
    """They are coerced; what does not fit fails without Running; what is no JSON is stored as its type's name."""

    @flow
    def main(number: int, thing: Any = None) -> int:
        return number

    assert main("5") == 5  # type: ignore[arg-type]
    assert main(1, thing=threading.Lock()) == 1
    assert last_run().parameters == {"number": 1, "thing": "<lock>"}
    with pytest.raises(ParameterError):
        main("five")  # type: ignore[arg-type]
    assert (last_run().state_name, last_run().started_at) == ("Failed", None)


def test_row_run_names(last_run: LastRun) -> None:
    """Two words, a template over the parameters, or what a function without arguments returns."""

    @flow
    def plain() -> None: ...

    @flow(flow_run_name="load {day}")
    def templated(day: str) -> None: ...

    @flow(flow_run_name=lambda: "called")
    def called() -> None: ...

    plain()
    assert last_run().name.count("-") == 1
    templated("monday")
    assert last_run().name == "load monday"
    called()
    assert last_run().name == "called"


def test_row_final_state(last_run: LastRun) -> None:
    """An exception, a returned state, returned states; and failures that nobody asked about, nested ones too."""

    @task
    def step(number: int) -> int:
        if number < 0:
            raise ValueError(number)
        return number

    def final(body: Callable[[], Any]) -> State:
        return flow(name="main")(body)(return_state=True)

    def raises() -> None:
        raise ValueError("no")

    assert final(raises).is_failed()
    assert final(lambda: Cancelled(message="not today")).is_cancelled()
    assert final(lambda: Completed(data=3)).result() == 3
    assert final(lambda: step.map([1, 2])).result() == [1, 2]
    some = final(lambda: step.map([1, -1, 2]))
    assert some.is_failed()
    assert some.message is not None
    assert some.message.startswith("1 of 3 returned states are not completed")
    assert final(lambda: [step.map([-1]), step.map([1])]).is_failed()  # Completed there
    assert final(lambda: step.submit(-1) and None).is_failed()  # Completed there
    assert final(lambda: [Failed(), Cancelled()]).is_failed()
    assert final(lambda: "anything else").is_completed()
    assert last_run().state_name == "Completed"


def test_row_failed_vs_crashed(last_run: LastRun) -> None:
    """An Exception is Failed; a BaseException is Crashed, and never retried by itself."""
    ran: list[int] = []

    @flow(retries=2)
    def crashes() -> None:
        ran.append(1)
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        crashes()
    assert (last_run().state_type, len(ran)) == ("CRASHED", 1)

    @flow
    def fails() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        fails()
    assert last_run().state_type == "FAILED"


def test_row_flow_retries(deck: Deck, slept: list[float]) -> None:
    """The whole function again, in the same run and process, after AwaitingRetry; a TimedOut one too."""
    ran: list[int] = []

    @flow(retries=1, retry_delay_seconds=7, timeout_seconds=0.05)
    def main() -> None:
        ran.append(1)
        if len(ran) == 1:
            time.sleep(5)

    main()
    (run,) = deck.flow_runs.select()
    assert (run.attempt, sum(slept), len(ran)) == (2, 7.0, 2)
    names = [state.state_name for state in deck.flow_runs.states(run.key)]
    assert names == ["Running", "AwaitingRetry", "Retrying", "Completed"]


def test_row_completed_tasks_on_retry(calls: Runs) -> None:
    """They are taken from what is recorded, with nothing to switch on; there everything runs again."""
    ran: list[int] = []

    @task
    def step() -> int:
        ran.append(1)
        return 1

    @flow(retries=1)
    def main() -> None:
        step()
        if not ran[1:]:
            ran.append(2)
            raise RuntimeError

    main()
    assert ran == [1, 2]
    assert [call.reused for call in calls()] == [True]


def test_row_timeouts(calls: Runs, last_run: LastRun) -> None:
    """TimedOut, of type FAILED; a submitted call that sleeps in a thread is over at once, for the flow."""

    @task(timeout_seconds=0.05)
    def slow() -> None:
        time.sleep(0.3)

    @flow
    def main() -> None:
        for state in (slow(return_state=True), slow.submit(return_state=True)):  # type: ignore[call-arg]
            assert (state.name, state.is_failed()) == ("TimedOut", True)  # type: ignore[attr-defined]

    main()
    assert [call.state_name for call in calls()] == ["TimedOut", "TimedOut"]
    assert last_run().state_name == "Completed"


def test_row_generators() -> None:
    """Generator functions give their items; a generator that is returned is a list."""

    @task
    def items() -> Any:
        yield from (1, 2)

    @task
    def returned() -> Any:
        return (number for number in (3, 4))

    @flow
    def main() -> list[int]:
        return [*items(), *returned()]

    assert main() == [1, 2, 3, 4]


def test_row_methods() -> None:
    """Those of instances, of classes and static ones, with either decorator outside."""

    class Report:
        factor = 2

        @flow
        def of_instance(self, number: int) -> int:
            return number * self.factor

        @classmethod
        @flow
        def of_class(cls, number: int) -> int:
            return number * cls.factor

        @staticmethod
        @task
        def static(number: int) -> int:
            return number

    @flow
    def main() -> list[int]:
        return [Report().of_instance(1), Report.of_class(2), Report.static(3)]

    assert main() == [2, 4, 3]


def test_row_hooks_of_flows(log_of: Callable[..., list[str]]) -> None:
    """`(flow, flow_run, state)`, after the state is set, in order; errors are logged; a run logger is at hand."""
    called: list[Any] = []

    def tell(prefix: str, ran: Flow[..., Any], flow_run: Any, state: State) -> None:
        called.append((prefix, ran.name, flow_run.name, state.name))

    def boom(*_arguments: Any) -> None:
        get_run_logger().info("in the hook")
        raise KeyError

    @flow(flow_run_name="r", on_completion=[functools.partial(tell, "a"), boom, functools.partial(tell, "b")])
    def main() -> None: ...

    main()
    assert called == [("a", "main", "r", "Completed"), ("b", "main", "r", "Completed")]
    assert "in the hook" in log_of("logger")
    assert any("(on_completion) failed: KeyError" in line for line in log_of("engine"))


def test_row_misc(monkeypatch: pytest.MonkeyPatch, last_run: LastRun) -> None:
    """`runtime` tells of the current run and can be set by a test; `tags()` adds to the runs inside."""
    seen: list[Any] = []

    @flow
    def main(number: int) -> None:
        seen.append((runtime.flow_run.name, runtime.flow_run.parameters, runtime.flow_run.run_count))

    with tags("nightly"):
        main(1)
    assert seen == [(last_run().name, {"number": 1}, 1)]
    assert last_run().tags == ("nightly",)
    assert runtime.flow_run.name is None
    monkeypatch.setenv("FLOWDECK__RUNTIME__FLOW_RUN__PARAMETERS", json.dumps({"a": 1}))
    assert runtime.flow_run.parameters == {"a": 1}


def test_row_final_state_of_a_subflow_that_fails_unasked() -> None:
    """A subflow raises in the flow that calls it, which fails of it unless it is caught."""

    @flow
    def child() -> None:
        raise ValueError("below")

    @flow
    def main() -> None:
        child()

    @flow
    def careful() -> str:
        with pytest.raises(ValueError):
            child()
        assert isinstance(child(return_state=True), State)
        return "fine"

    with pytest.raises((ValueError, FailedRun), match="below"):
        main()
    assert careful() == "fine"
