"""Timeouts in the main thread that lie within each other, code that catches everything, the author's own alarms."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import FlowRun, TaskRun
from flowdeck.execution.limits import main_thread_timeouts, timed_calls

Calls = Callable[[], list[TaskRun]]
LONG_SECONDS = 60.0
"""What would have to be waited for if nothing ended it."""
SHORT_SECONDS = 0.05


# -- within each other -------------------------------------------------------------------------------------------------


def test_flow_timeout_within_a_task_of_a_longer_one(calls: Calls, last_run: Callable[[], FlowRun]) -> None:
    """The nearer one counts: the task is Cancelled with its flow, and not taken for timed out itself."""

    @task(timeout_seconds=LONG_SECONDS)
    def slow() -> None:
        time.sleep(LONG_SECONDS)

    @flow(timeout_seconds=SHORT_SECONDS)
    def main() -> None:
        slow()

    with pytest.raises(TimeoutError, match="Flow run"):
        main()
    assert (last_run().state_name, calls()[0].state_name) == ("TimedOut", "Cancelled")


def test_task_timeout_within_a_flow_with_a_longer_one(calls: Calls, last_run: Callable[[], FlowRun]) -> None:
    """And the flow's is served afterwards."""

    @task(timeout_seconds=SHORT_SECONDS)
    def slow() -> None:
        time.sleep(LONG_SECONDS)

    @flow(timeout_seconds=0.5)
    def main() -> None:
        slow(return_state=True)
        time.sleep(LONG_SECONDS)

    with pytest.raises(TimeoutError, match="Flow run"):
        main()
    assert (last_run().state_name, calls()[0].state_name) == ("TimedOut", "TimedOut")


def test_code_that_catches_everything_is_interrupted_again(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    """And is TimedOut even if it comes to an end of its own."""
    monkeypatch.setattr(main_thread_timeouts, "REPEAT_SECONDS", SHORT_SECONDS)

    @task(timeout_seconds=SHORT_SECONDS)
    def stubborn() -> str:
        for _ in range(2):
            try:
                time.sleep(LONG_SECONDS)
            except BaseException:  # noqa: BLE001 - what is tried
                continue
        return "done"

    @flow
    def main() -> None:
        stubborn(return_state=True)

    main()
    assert calls()[0].state_name == "TimedOut"


# -- the author's own use of the signal --------------------------------------------------------------------------------


@pytest.fixture
def alarm_handler() -> Iterator[list[int]]:
    """An author's handler of SIGALRM; the list is what it got."""
    got: list[int] = []
    previous = signal.signal(signal.SIGALRM, lambda number, _frame: got.append(number))
    yield got
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


def test_an_authors_handler_and_timer_are_restored(alarm_handler: list[int]) -> None:
    """Whether the call was in time or not; and the timer rings when it should have."""
    handler = signal.getsignal(signal.SIGALRM)

    @task(timeout_seconds=SHORT_SECONDS)
    def work(seconds: float) -> None:
        time.sleep(seconds)

    @flow
    def main() -> None:
        work.with_options(timeout_seconds=LONG_SECONDS)(0)
        work(LONG_SECONDS, return_state=True)

    signal.setitimer(signal.ITIMER_REAL, LONG_SECONDS)
    main()
    left_seconds = signal.setitimer(signal.ITIMER_REAL, 0)[0]
    assert signal.getsignal(signal.SIGALRM) is handler
    assert LONG_SECONDS / 2 < left_seconds < LONG_SECONDS
    assert alarm_handler == []


def test_an_authors_timer_rings_meanwhile(alarm_handler: list[int]) -> None:
    """It finds the author's handler, and nothing is taken for timed out."""

    @flow(timeout_seconds=LONG_SECONDS)
    def main() -> int:
        deadline = time.monotonic() + 10
        while not alarm_handler and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(alarm_handler)

    signal.setitimer(signal.ITIMER_REAL, SHORT_SECONDS)
    assert main() == 1


def test_no_timer_without_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that has no limit costs none."""

    def unexpected(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(signal, "setitimer", unexpected)
    monkeypatch.setattr(timed_calls, "call", unexpected)

    @task
    def work() -> int:
        return 1

    @flow
    def main() -> int:
        return work() + work.submit().result()

    assert main() == 2
