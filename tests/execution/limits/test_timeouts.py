"""Timeouts that end: in the main thread, in a worker thread, on an event loop; of tasks and of flows."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.execution.limits import timed_calls
from flowdeck.execution.limits.timed_calls import CANCEL_CAUGHT, LOOP_KEPT_BUSY, STILL_BUSY
from flowdeck.rules.exceptions import CancelledRun
from flowdeck.rules.states import StateType
from tests.execution.dialects import Dialect

Calls = Callable[[], list[TaskRun]]
LONG_SECONDS = 60.0
"""What would have to be waited for if nothing ended it."""
SHORT_SECONDS = 0.05


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test fails when it takes as long as something that should have been ended."""
    began = time.monotonic()
    monkeypatch.setattr(timed_calls, "COROUTINE_GRACE_SECONDS", 0.1)
    yield
    assert time.monotonic() - began < LONG_SECONDS / 2


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a busy thread waits for; opened when the test is over, so that no thread outlives it."""
    gate = threading.Event()
    yield gate
    gate.set()


async def wait_long(dialect: Dialect) -> None:
    """Wait in the way of a dialect."""
    if dialect.is_async:
        await asyncio.sleep(LONG_SECONDS)
    else:
        time.sleep(LONG_SECONDS)  # noqa: ASYNC251 - of the synchronous dialect


pytestmark = pytest.mark.usefixtures("quick")


# -- rows of the reference: "Timeouts" ---------------------------------------------------------------------------------


def test_task_that_exceeds_its_timeout_is_timed_out(
    dialect: Dialect, calls: Calls, log_of: Callable[..., list[str]]
) -> None:
    """Its type is FAILED, its exception a TimeoutError with a sentence; a call without a limit is not concerned."""

    @dialect.task(timeout_seconds=SHORT_SECONDS)
    async def slow() -> None:
        await wait_long(dialect)

    @dialect.flow()
    async def main() -> str:
        with pytest.raises(TimeoutError, match=r"Task run 'slow-0' exceeded timeout of 0\.05 second\(s\)\."):
            await dialect.call(slow)
        return "went on"

    assert dialect.run(main) == "went on"
    (call,) = calls()
    assert (call.state_type, call.state_name) == (StateType.FAILED, "TimedOut")
    assert call.state_message == "Task run 'slow-0' exceeded timeout of 0.05 second(s)."
    assert call.error is not None
    assert call.error.type == "TimeoutError"
    assert any(line.startswith("TimedOut: TimeoutError") for line in log_of("engine"))


def test_flow_that_exceeds_its_timeout_is_timed_out(dialect: Dialect, last_run: Callable[[], FlowRun]) -> None:
    """As its task."""

    @dialect.flow(timeout_seconds=SHORT_SECONDS)
    async def main() -> None:
        await wait_long(dialect)

    with pytest.raises(TimeoutError, match="exceeded timeout"):
        dialect.run(main)
    assert (last_run().state_type, last_run().state_name) == (StateType.FAILED, "TimedOut")


def test_timed_out_is_retried_if_retries_remain(
    dialect: Dialect, calls: Calls, last_run: Callable[[], FlowRun]
) -> None:
    """Of tasks and of flows."""
    tries: list[str] = []

    @dialect.task(timeout_seconds=SHORT_SECONDS, retries=1)
    async def slow_once() -> str:
        tries.append("task")
        if tries.count("task") == 1:
            await wait_long(dialect)
        return "done"

    @dialect.flow(timeout_seconds=5, retries=1)
    async def main() -> str:
        return await dialect.call(slow_once)

    assert dialect.run(main) == "done"
    assert (calls()[0].attempt, last_run().attempt) == (2, 1)

    @dialect.flow(timeout_seconds=SHORT_SECONDS, retries=1)
    async def slow_flow() -> str:
        tries.append("flow")
        if tries.count("flow") == 1:
            await wait_long(dialect)
        return "done"

    assert dialect.run(slow_flow) == "done"
    assert last_run().attempt == 2


def test_sync_in_the_main_thread_is_interrupted_in_a_sleep(calls: Calls) -> None:
    """By a signal, so that `finally` blocks run; the author's `except Exception` does not catch it."""
    tidied: list[str] = []

    @task(timeout_seconds=SHORT_SECONDS)
    def slow() -> None:
        try:
            time.sleep(LONG_SECONDS)
        except Exception:  # noqa: BLE001 - what authors do
            tidied.append("caught")
        finally:
            tidied.append("tidied")

    @flow
    def main() -> None:
        slow(return_state=True)

    main()
    assert tidied == ["tidied"]
    assert calls()[0].state_name == "TimedOut"
    error = calls()[0].error
    assert error is not None
    assert error.traceback.splitlines()[-2].strip() == "time.sleep(LONG_SECONDS)"  # where it was


def test_sync_in_a_worker_thread_is_given_up_at_once(calls: Calls, gate: threading.Event) -> None:
    """The flow goes on, the state says that the thread is busy, and what it does later is dropped."""
    refused: list[BaseException] = []

    @task
    def later() -> None: ...

    @task(timeout_seconds=SHORT_SECONDS)
    def busy() -> str:
        gate.wait(LONG_SECONDS)
        return "late"

    @flow
    def main() -> str:
        state = busy.submit(return_state=True)
        assert state.message is not None
        assert state.message.endswith(STILL_BUSY)
        return state.name

    assert main() == "TimedOut"
    assert calls()[0].state_name == "TimedOut"
    assert not refused


def test_call_of_a_thread_that_was_given_up_is_refused(
    calls: Calls, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may not add to a run that has gone on."""
    monkeypatch.setattr(timed_calls._ThreadCall, "_interrupt", lambda _: None)  # code that nothing reaches
    ended: list[BaseException | str] = []
    over = threading.Event()

    @task
    def later() -> None: ...

    @task(timeout_seconds=SHORT_SECONDS)
    def busy() -> None:
        gate.wait(LONG_SECONDS)
        try:
            later()
            ended.append("called")
        except BaseException as error:  # noqa: BLE001 - looked at below
            ended.append(error)
        over.set()

    @flow
    def main() -> None:
        busy.submit(return_state=True)
        gate.set()
        over.wait(LONG_SECONDS)

    main()
    assert isinstance(ended[0], CancelledRun)
    assert "has timed out" in str(ended[0])
    assert [call.task_name for call in calls()] == ["busy"]


def test_thread_that_executes_python_is_ended(gate: threading.Event) -> None:
    """A loop that computes is interrupted, and the state says nothing of a busy thread."""
    left = threading.Event()

    @task(timeout_seconds=SHORT_SECONDS)
    def loop() -> None:
        try:
            while not gate.is_set():
                pass
        finally:
            left.set()

    @flow
    def main() -> str | None:
        return loop.submit(return_state=True).message

    message = main()
    assert left.wait(10)
    assert message is not None
    assert STILL_BUSY not in message


def test_async_is_ended_at_its_await(calls: Calls) -> None:
    """Submitted, beside others that go on; `finally` blocks run and may await."""
    tidied: list[str] = []

    @task(timeout_seconds=SHORT_SECONDS)
    async def slow() -> None:
        try:
            await asyncio.sleep(LONG_SECONDS)
        finally:
            await asyncio.sleep(0)
            tidied.append("tidied")

    @task
    async def beside() -> int:
        await asyncio.sleep(2 * SHORT_SECONDS)
        return 1

    @flow
    def main() -> int:
        slow.submit(return_state=True)
        return beside.submit().result()

    assert main() == 1
    assert tidied == ["tidied"]
    assert [call.state_name for call in calls()] == ["TimedOut", "Completed"]


@pytest.mark.parametrize("submitted", [True, False])
def test_coroutine_that_catches_its_cancel_does_not_hold_up_the_flow(calls: Calls, submitted: bool) -> None:
    """It is closed where it waits: what catches CancelledError for ever would hold up the event loop's end too."""

    @task(timeout_seconds=SHORT_SECONDS)
    async def stubborn() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(LONG_SECONDS)

    @flow
    async def main() -> str:
        if submitted:
            return stubborn.submit(return_state=True).name
        return (await stubborn(return_state=True)).name

    assert asyncio.run(main()) == "TimedOut"
    message = calls()[0].state_message
    assert message is not None
    assert CANCEL_CAUGHT not in message


def test_flow_timeout_does_not_wait_for_submitted_threads(
    deck: Deck, calls: Calls, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that run are Cancelled in the record, those that wait never begin; the process goes on."""
    monkeypatch.setenv("FLOWDECK_TASK_RUNNER_MAX_WORKERS", "2")
    begun: list[int] = []

    @task
    def busy(number: int) -> None:
        begun.append(number)
        gate.wait(LONG_SECONDS)

    @flow(timeout_seconds=1.0)
    def main() -> None:
        busy.map(range(10))

    with pytest.raises(TimeoutError, match="exceeded timeout"):
        main()
    states = {call.state_name for call in calls()}
    assert deck.flow_runs.select()[0].state_name == "TimedOut"
    assert states == {"Cancelled"}
    assert len(begun) == 2


def test_next_attempt_of_a_flow_is_not_held_up_by_threads_of_the_last(
    last_run: Callable[[], FlowRun], gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has workers of its own, and nothing that the last attempt had queued begins in it."""
    monkeypatch.setenv("FLOWDECK_TASK_RUNNER_MAX_WORKERS", "1")
    begun: list[tuple[int, int]] = []
    attempts: list[int] = []

    @task
    def work(attempt: int, number: int) -> int:
        begun.append((attempt, number))
        if attempt == 1:
            gate.wait(LONG_SECONDS)
        return number

    @flow(timeout_seconds=0.3, retries=1)
    def main() -> list[int]:
        attempts.append(1)
        return work.map(len(attempts), range(3)).result()

    assert main() == [0, 1, 2]
    gate.set()
    assert (last_run().state_name, last_run().attempt) == ("Completed", 2)
    assert begun == [(1, 0), (2, 0), (2, 1), (2, 2)]


def test_flow_timeout_ends_submitted_coroutines(calls: Calls) -> None:
    """They are cancelled where they wait."""
    tidied = threading.Event()

    @task
    async def slow() -> None:
        try:
            await asyncio.sleep(LONG_SECONDS)
        finally:
            tidied.set()

    @flow(timeout_seconds=0.3)
    def main() -> None:
        slow.submit()

    with pytest.raises(TimeoutError):
        main()
    assert tidied.wait(10)
    assert calls()[0].state_name == "Cancelled"


def test_async_that_awaits_nothing_is_late_all_the_same() -> None:
    """It cannot be interrupted while it keeps the event loop busy; its state says so when it comes back."""

    @flow(timeout_seconds=0.02)
    async def busy() -> None:
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass

    state = asyncio.run(busy(return_state=True))  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert state.name == "TimedOut"
    assert str(state.message).endswith(f"of 0.02 second(s). {LOOP_KEPT_BUSY}")
