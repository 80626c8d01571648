"""What a flow run ends as: its exception, what it returned, or a failure that nobody asked about."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import State, TaskFuture, flow, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.execution.engine import flow_engine
from flowdeck.rules.exceptions import FailedRun
from flowdeck.rules.states import StateType, named
from tests.execution.dialects import Dialect

LastRun = Callable[[], FlowRun]


class BrokenError(Exception):
    """What a user raises."""


@task
def works(value: Any = 1) -> Any:
    return value


@task
def breaks() -> None:
    raise BrokenError("no")


@task
def needs(value: Any) -> Any:
    return value


# -- the body's own end ------------------------------------------------------------------------------------------------


def test_value_of_a_flow(dialect: Dialect, last_run: LastRun) -> None:
    """Completed, and the very object comes back."""
    value = object()

    @dialect.flow()
    async def main() -> object:
        return value

    assert dialect.run(main) is value
    run = last_run()
    assert (run.state_name, run.state_message, run.error) == ("Completed", None, None)
    assert dialect.run(main, return_state=True).data is value


def test_exception_of_a_flow(dialect: Dialect, last_run: LastRun) -> None:
    """Failed; the very exception is raised, and recorded with its place."""
    raised = BrokenError("no such day\nand more")

    @dialect.flow()
    async def main() -> None:
        raise raised

    with pytest.raises(BrokenError) as caught:
        dialect.run(main)
    assert caught.value is raised
    run = last_run()
    assert (run.state_name, run.state_message) == ("Failed", "BrokenError: no such day")
    assert run.error is not None
    assert (run.error.file, run.error.message) == (__file__, "no such day\nand more")
    state = dialect.run(main, return_state=True)
    assert (state.type, state.exception) == (StateType.FAILED, raised)


def test_exception_of_a_task_is_told_once(
    dialect: Dialect, log_of: Callable[..., list[str]], last_run: LastRun
) -> None:
    """Its traceback is in the log with the task, and not a second time with the flow."""

    @dialect.task()
    async def load() -> None:
        raise BrokenError("no")

    @dialect.flow()
    async def main() -> None:
        await dialect.call(load)

    with pytest.raises(BrokenError):
        dialect.run(main)
    assert sum("raise BrokenError" in line for line in log_of("engine")) == 1
    assert last_run().error_count == 2  # of the task, of the flow


# -- submitted calls that nobody asks about ----------------------------------------------------------------------------


def test_forgotten_failure_fails_the_flow(dialect: Dialect, last_run: LastRun) -> None:
    """It names the call, and has its exception as cause."""

    @dialect.flow()
    async def main() -> str:
        works.submit()
        breaks.submit()
        return "done"

    with pytest.raises(FailedRun, match="1 of 2 submitted task calls failed: breaks-0: BrokenError: no") as caught:
        dialect.run(main)
    assert isinstance(caught.value.__cause__, BrokenError)
    assert last_run().state_name == "Failed"


def ask_result(future: TaskFuture[Any]) -> None:
    with pytest.raises(BrokenError):
        future.result()


@pytest.mark.parametrize(
    "ask",
    [
        ask_result,
        lambda future: future.result(raise_on_failure=False),
        lambda future: (future.wait(), future.state),
    ],
)
def test_failure_that_was_asked_about_is_handled(ask: Callable[[TaskFuture[Any]], Any], last_run: LastRun) -> None:
    """Its result, its exception or its state."""

    @flow
    def main() -> int:
        ask(breaks.submit())
        return 5

    assert main() == 5
    assert last_run().state_name == "Completed"


@pytest.mark.parametrize("ask", [lambda future: future.wait(), lambda future: future.is_done(), repr])
def test_looking_is_not_asking(ask: Callable[[TaskFuture[Any]], Any]) -> None:
    """Who only waits has not seen how it ended."""

    @flow
    def main() -> None:
        ask(breaks.submit())

    with pytest.raises(FailedRun):
        main()


def test_submitted_calls_are_waited_for(dialect: Dialect, calls: Callable[[], list[TaskRun]]) -> None:
    """Also those that other calls submit meanwhile."""
    done: list[str] = []
    gate = threading.Event()

    @task
    def nested() -> None:
        done.append("nested")

    @task
    def slow() -> None:
        gate.wait(30)
        nested.submit()
        done.append("slow")

    @dialect.flow()
    async def main() -> None:
        slow.submit()
        threading.Timer(0.02, gate.set).start()

    dialect.run(main)
    assert sorted(done) == ["nested", "slow"]
    assert {call.state_name for call in calls()} == {"Completed"}


def test_flow_that_raises_starts_nothing_more(dialect: Dialect, deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs is waited for; what waited for its turn is Cancelled and says why."""
    monkeypatch.setenv("FLOWDECK_TASK_RUNNER_MAX_WORKERS", "1")
    started, gate = threading.Event(), threading.Event()
    wait_for_calls = flow_engine._wait_for_calls

    async def open_gate(*arguments: Any) -> None:  # the body is over by then
        gate.set()
        return await wait_for_calls(*arguments)

    monkeypatch.setattr(flow_engine, "_wait_for_calls", open_gate)

    @task
    def slow() -> str:
        started.set()
        gate.wait(30)
        return "done"

    @dialect.flow()
    async def main() -> None:
        first = slow.submit()
        works.submit()
        works.submit(first)
        started.wait(30)
        raise BrokenError

    with pytest.raises(BrokenError):
        dialect.run(main)
    run = deck.flow_runs.select()[0]
    calls = deck.task_runs.of_flow_run(run.key)
    assert [call.state_name for call in calls] == ["Completed", "Cancelled", "Cancelled"]
    assert calls[1].state_message == "Its flow run ended before this call began."
    assert run.task_counts.other == 2


# -- returned states and futures ---------------------------------------------------------------------------------------


def returned(value: Any) -> Any:
    """Return what a flow that returns it gives, or its exception."""

    @flow
    def main() -> Any:
        return value() if callable(value) else value

    try:
        return main()
    except Exception as error:  # noqa: BLE001 - looked at by the test
        return error


def test_returned_future_is_its_value() -> None:
    """One, several, and lists in lists keep their shape."""
    assert returned(lambda: works.submit(3)) == 3
    assert returned(lambda: [works.submit(1), works.submit(2)]) == [1, 2]
    assert returned(lambda: (works.submit(1), [works.submit(2), works(3, return_state=True)])) == (1, [2, 3])
    assert returned(lambda: works.map([1, 2])) == [1, 2]


def test_returned_failure_fails_the_flow() -> None:
    """With the exception of the call."""
    assert isinstance(returned(breaks.submit), BrokenError)
    assert isinstance(returned(lambda: breaks(return_state=True)), BrokenError)
    assert isinstance(returned(lambda: [works.submit(1), breaks.submit()]), BrokenError)


def test_returned_states_decide_over_forgotten_ones(last_run: LastRun) -> None:
    """What is returned is what the author answers with."""

    @flow
    def main() -> Any:
        breaks.submit()
        return works.submit(1)

    assert main() == 1
    assert last_run().state_name == "Completed"


def test_message_counts_what_is_not_completed(last_run: LastRun) -> None:
    """And names the first of them."""
    returned(lambda: [works.submit(1), breaks.submit(), breaks.submit()])
    expected = "2 of 3 returned states are not completed; breaks-0 is Failed: BrokenError: no"
    assert last_run().state_message == expected


def test_call_that_did_not_run_fails_who_returns_it(last_run: LastRun) -> None:
    """NotReady is no end for a flow."""
    for value in (lambda: needs.submit(breaks.submit()), lambda: needs.submit(breaks.submit(), return_state=True)):
        assert "It needs breaks-" in str(returned(value))
        assert last_run().state_name == "Failed"


def test_author_makes_a_state_of_her_own(last_run: LastRun) -> None:
    """Its name and message are kept; a state that is not final is a value."""
    assert returned(State(StateType.COMPLETED, "Skipped", "Nothing to do.", data=4)) == 4
    assert (last_run().state_name, last_run().state_message) == ("Skipped", "Nothing to do.")
    assert isinstance(returned(State(StateType.FAILED, "Rejected", "Too old.")), FailedRun)
    assert (last_run().state_type, last_run().state_name) == (StateType.FAILED, "Rejected")
    running = named("Running")
    assert returned(running) is running


def test_ordinary_values_are_not_looked_into_for_ever() -> None:
    """A list in itself, an empty one, one with a state among other things."""
    loop: list[Any] = []
    loop.append(loop)
    assert returned(loop) is loop
    assert returned(list) == []
    mixed = [1, named("Completed", data=2)]
    assert returned(mixed) is mixed


# -- exceptions that are no failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "name", "message"),
    [
        (SystemExit(3), "Crashed", "sys.exit(3) was called."),
        (KeyboardInterrupt(), "Cancelled", "Interrupted at the keyboard."),
        (type("Odd", (BaseException,), {})("x"), "Crashed", "Odd: x"),
    ],
)
def test_exceptions_beyond_failures(error: BaseException, name: str, message: str, deck: Deck) -> None:
    """They pass through to the caller, and task and flow are recorded by what they mean."""

    @task
    def load() -> None:
        raise error

    @flow
    def main() -> None:
        load()

    with pytest.raises(type(error)):
        main()
    run = deck.flow_runs.select()[0]
    (call,) = deck.task_runs.of_flow_run(run.key)
    assert [(one.state_name, one.state_message) for one in (run, call)] == [(name, message)] * 2


def test_keyboard_interrupt_is_not_swallowed_by_return_state() -> None:
    """Who asks for a state still wants Ctrl-C to end the script."""

    @flow
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        main(return_state=True)
