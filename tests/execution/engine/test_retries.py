"""Failed attempts of tasks and flows, and what is recorded of them; no test waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.execution.drivers import drivers
from flowdeck.rules.states import StateType
from flowdeck.store.database.database import Database
from tests.execution.dialects import Dialect
from tests.execution.flaky import Flaky

Calls = Callable[[], list[TaskRun]]


def task_states(database: Database, call: TaskRun) -> list[str]:
    """Return the names of the states that a call has been in."""
    rows = database.reader().execute("SELECT state_name FROM state WHERE task_run = ? ORDER BY seq", (call.id,))
    return [name for (name,) in rows]


# -- tasks -------------------------------------------------------------------------------------------------------------


def test_task_is_tried_again(
    dialect: Dialect, deck: Deck, database: Database, calls: Calls, slept: list[float]
) -> None:
    """Until it works; one call, several attempts."""
    flaky = Flaky(2)

    @dialect.task(retries=3)
    async def load() -> int:
        return flaky()

    @dialect.flow()
    async def main() -> int:
        return await dialect.call(load)

    assert dialect.run(main) == 3
    (call,) = calls()
    assert (call.state_name, call.attempt, call.error) == ("Completed", 3, None)
    assert task_states(database, call) == ["Running", "Retrying", "Retrying", "Completed"]
    assert slept == []
    assert deck.flow_runs.select()[0].warning_count == 2


def test_last_failure_counts(dialect: Dialect, calls: Calls) -> None:
    """When the retries are used up."""
    flaky = Flaky(9)

    @dialect.task(retries=2)
    async def load() -> int:
        return flaky()

    @dialect.flow()
    async def main() -> None:
        with pytest.raises(ConnectionError, match="attempt 3"):
            await dialect.call(load)

    dialect.run(main)
    assert (calls()[0].state_name, calls()[0].attempt) == ("Failed", 3)
    assert flaky.attempts == 3


def test_delays_of_a_task(
    dialect: Dialect, database: Database, calls: Calls, slept: list[float], log_of: Callable[..., list[str]]
) -> None:
    """One for each retry, the last one repeats; meanwhile the call says what it waits for."""
    flaky = Flaky(3)

    @dialect.task(retries=3, retry_delay_seconds=[0.25, 0.5])
    async def load() -> int:
        return flaky()

    @dialect.flow()
    async def main() -> int:
        return await dialect.call(load)

    assert dialect.run(main) == 4
    assert slept == [0.25, 0.5, 0.5]
    assert task_states(database, calls()[0]) == ["Running", *["AwaitingRetry", "Retrying"] * 3, "Completed"]
    waiting = database.reader().execute("SELECT message FROM state WHERE state_name = 'AwaitingRetry'").fetchone()[0]
    assert waiting == "Attempt 2 of 4 in 0.25 s. ConnectionError: attempt 1"
    assert "Attempt 1 of 4 failed: ConnectionError: attempt 1. The next one in 0.25 s." in log_of("engine")


def test_long_delay_is_slept_in_pieces(dialect: Dialect, slept: list[float]) -> None:
    """So that the end of the flow can end it; together they are the delay."""
    flaky = Flaky(1)

    @dialect.task(retries=1, retry_delay_seconds=2.5)
    async def load() -> int:
        return flaky()

    @dialect.flow()
    async def main() -> int:
        return await dialect.call(load)

    dialect.run(main)
    assert slept == [1.0, 1.0, 0.5]


def test_flow_that_ends_does_not_wait_for_a_retry(
    dialect: Dialect, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that waits for its next attempt is Cancelled then, and keeps the failure of the last one."""
    monkeypatch.setattr(drivers, "LONGEST_SLEEP_SECONDS", 0.01)
    failed = threading.Event()

    @dialect.task(retries=5, retry_delay_seconds=3_600)
    async def load() -> None:
        failed.set()
        raise ConnectionError("no answer")

    @dialect.flow()
    async def main() -> None:
        load.submit()
        failed.wait(30)
        raise ValueError

    with pytest.raises(ValueError):
        dialect.run(main)
    (call,) = calls()
    assert call.state_name in ("Cancelled", "Failed")  # Failed: the flow was over before it began to wait
    assert call.error is not None
    assert call.error.message == "no answer"


def test_interrupted_wait_closes_the_call(
    dialect: Dialect, deck: Deck, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the flow goes on: the row does not wait for ever."""

    async def interrupt(_driver: Any, _seconds: float) -> None:
        raise KeyboardInterrupt

    for driver in ("SyncDriver", "AsyncDriver"):
        monkeypatch.setattr(f"flowdeck.execution.drivers.drivers.{driver}.sleep", interrupt)

    @dialect.task(retries=1, retry_delay_seconds=60)
    async def load() -> None:
        raise ConnectionError("no answer")

    @dialect.flow()
    async def main() -> str:
        with pytest.raises(KeyboardInterrupt):
            await dialect.call(load)
        return calls()[0].state_name

    assert dialect.run(main) == "Cancelled"
    assert deck.flow_runs.select()[0].state_name == "Completed"
    assert calls()[0].state_message == "Interrupted at the keyboard."
    assert calls()[0].error is not None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_no_retry_of_what_is_no_failure(error: type[BaseException], calls: Calls) -> None:
    """An interrupt ends the call at once."""

    @task(retries=3)
    def load() -> None:
        raise error

    @flow
    def main() -> None:
        load()

    with pytest.raises(error):
        main()
    assert calls()[0].attempt == 1


def test_submitted_task_is_tried_again(dialect: Dialect, calls: Calls) -> None:
    """In its worker, like in the flow."""
    flaky = Flaky(1)

    @dialect.task(retries=1)
    async def load() -> int:
        return flaky()

    @dialect.flow()
    async def main() -> int:
        return load.submit().result()

    assert dialect.run(main) == 2
    assert calls()[0].attempt == 2


# -- flows -------------------------------------------------------------------------------------------------------------


def test_flow_is_tried_again(dialect: Dialect, deck: Deck, slept: list[float]) -> None:
    """From the top, as the next attempt of the same run; counts and indices begin anew, ids go on."""
    flaky = Flaky(2)

    @dialect.task()
    async def step() -> None: ...

    @dialect.flow(retries=2, retry_delay_seconds=[5, 7])
    async def main() -> int:
        await dialect.call(step)
        step.submit().result()
        return flaky()

    assert dialect.run(main) == 3
    (run,) = deck.flow_runs.select()
    assert (run.state_name, run.attempt, run.task_counts.total, run.error) == ("Completed", 3, 2, None)
    assert sum(slept) == 5 + 7
    names = [state.state_name for state in deck.flow_runs.states(run.key)]
    assert names == ["Running", *["AwaitingRetry", "Retrying"] * 2, "Completed"]
    by_attempt = [deck.task_runs.of_flow_run(run.key, flow_attempt=attempt) for attempt in (1, 2, 3)]
    assert [[call.index for call in found] for found in by_attempt] == [[0, 1]] * 3
    ids = [call.id for found in by_attempt for call in found]
    assert ids == list(range(ids[0], ids[0] + 6))


def test_flow_fails_when_its_retries_are_used_up(dialect: Dialect, last_run: Callable[[], FlowRun]) -> None:
    """With the last failure."""
    flaky = Flaky(9)

    @dialect.flow(retries=1)
    async def main() -> int:
        return flaky()

    with pytest.raises(ConnectionError, match="attempt 2"):
        dialect.run(main)
    assert (last_run().state_name, last_run().attempt) == ("Failed", 2)


def test_forgotten_failure_is_a_failed_attempt(last_run: Callable[[], FlowRun]) -> None:
    """A submitted call that failed is one like an exception of the body."""
    flaky = Flaky(1)

    @task
    def load() -> int:
        return flaky()

    @flow(retries=1)
    def main() -> None:
        load.submit()

    main()
    assert (last_run().state_name, last_run().attempt) == ("Completed", 2)


def test_subflow_is_tried_again_by_itself(dialect: Dialect, deck: Deck) -> None:
    """Its caller sees one call."""
    flaky = Flaky(1)

    @dialect.flow(retries=1)
    async def inner() -> int:
        return flaky()

    @dialect.flow()
    async def outer() -> int:
        return await dialect.call(inner)

    assert dialect.run(outer) == 2
    (root,) = deck.flow_runs.select()
    (child,) = deck.flow_runs.subflows(root.key)
    assert (root.attempt, child.attempt) == (1, 2)


def test_cancel_while_a_flow_waits_for_its_retry(dialect: Dialect, deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next attempt does not begin."""
    flaky = Flaky(1)

    async def cancel(_driver: Any, _seconds: float) -> None:
        deck.flow_runs.cancel(deck.flow_runs.select()[0].id)

    for driver in ("SyncDriver", "AsyncDriver"):
        monkeypatch.setattr(f"flowdeck.execution.drivers.drivers.{driver}.sleep", cancel)

    @dialect.flow(retries=1, retry_delay_seconds=60)
    async def main() -> int:
        return flaky()

    with pytest.raises(BaseException, match="Cancelled on request"):
        dialect.run(main)
    assert deck.flow_runs.select()[0].state_type is StateType.CANCELLED
    assert flaky.attempts == 1
