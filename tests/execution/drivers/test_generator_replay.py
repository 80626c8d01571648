"""Generators that are tried again, limited in time, recorded and replayed."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck, TaskRun
from flowdeck.execution.drivers.yielded_items import UnkeptItems, YieldedItems
from tests.execution.generator_tasks import BrokenError
from tests.support.scripts import Scripts

Calls = Callable[[], list[TaskRun]]
LogOf = Callable[..., list[str]]


# -- retries, timeouts, replay -----------------------------------------------------------------------------------------


def test_retry_before_the_first_item_only(calls: Calls, log_of: LogOf) -> None:
    """An item that somebody has cannot be taken back."""
    attempts: list[str] = []

    @task(retries=2)
    def late(fail_at: int) -> Generator[int]:
        attempts.append(f"{fail_at}")
        if fail_at == 0 and len(attempts) < 3:
            raise BrokenError("no connection")
        yield 1
        if fail_at == 1:
            raise BrokenError("torn page")

    @flow
    def main() -> list[int]:
        given = list(late(0))
        with pytest.raises(BrokenError, match="torn page"):
            list(late(1))
        return given

    assert main() == [1]
    assert attempts == ["0", "0", "0", "1"]
    assert [(call.state_name, call.attempt) for call in calls()] == [("Completed", 3), ("Failed", 1)]
    assert "It is not tried again: it has given items, which would be given twice." in log_of("engine")


def test_time_limit_holds_from_the_first_item_to_the_last(calls: Calls) -> None:
    """In the main thread an item that takes too long is interrupted."""

    @task(timeout_seconds=0.2)
    def slow() -> Generator[int]:
        yield 1
        time.sleep(30)
        yield 2

    @flow
    def main() -> int:
        items = slow()
        first = next(items)
        with pytest.raises(TimeoutError):
            next(items)
        return first

    assert main() == 1
    assert [call.state_name for call in calls()] == ["TimedOut"]


def test_replay_gives_the_items_again(calls: Calls) -> None:
    """In the next attempt of the flow the recorded list is given, item by item, and the body does not run."""
    ran: list[int] = []

    @task
    def rows() -> Generator[dict[str, int]]:
        ran.append(1)
        for number in range(3):
            yield {"number": number}

    @flow(retries=1)
    def main() -> list[dict[str, int]]:
        seen: list[dict[str, int]] = []
        for row in rows():
            seen.append(dict(row))
            row.clear()  # it is ours now; what is recorded is what was given
        if len(ran) == 1 and len(attempts) == 0:
            attempts.append(1)
            raise BrokenError
        return seen

    attempts: list[int] = []
    assert main() == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert ran == [1]
    (call,) = calls()
    assert (call.state_name, call.reused) == ("Completed", True)


def test_items_that_are_too_large_are_given_all_the_same(
    calls: Calls, log_of: LogOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory does not grow with them: their list is not recorded, which is said."""
    monkeypatch.setenv("FLOWDECK_RESULT_MAX_BYTES", "5000")

    @task
    def pages() -> Generator[bytes]:
        for _ in range(10):
            yield b"x" * 1000

    @flow
    def main() -> int:
        return sum(len(page) for page in pages())

    assert main() == 10_000
    assert [(call.state_name, call.result_preview) for call in calls()] == [("Completed", "<UnkeptItems 10>")]
    assert any("Its result is not recorded" in line for line in log_of("engine"))


@pytest.mark.parametrize(
    ("given", "kept"), [([1, "a", b"b", None], True), ([b"x" * 60, b"x" * 60], False), ([[0] * 500], False)]
)
def test_copies_of_items_are_bounded(given: list[Any], kept: bool) -> None:
    """What is beyond the limit drops all of them; their count stays."""
    items = YieldedItems(wanted=True, limit=100)
    for item in given:
        items.add(item)
    value = items.value()
    assert items.count == len(given)
    assert value == given if kept else isinstance(value, UnkeptItems)
    assert isinstance(YieldedItems(wanted=False, limit=100).value(), UnkeptItems)


def test_kill_between_two_items_records_no_list(scripts: Scripts, deck: Deck) -> None:
    """What was not complete is not recorded, so that its next attempt begins anew."""
    body = """
        import os
        @task
        def rows():
            for number in range(3):
                yield number
        @flow
        def main():
            for row in rows():
                if row == 1: os.kill(os.getpid(), 9)
        main()
    """
    scripts.run(body)
    (call,) = deck.task_runs.of_flow_run(deck.flow_runs.select()[0].key)
    assert call.state_name == "Running"  # until an engine finds the process gone
    assert call.result_preview is None
