"""Which results are kept for later attempts, where, and what large ones are keyed by."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import TaskRun
from flowdeck.execution.recording.value_origins import LargeValues
from flowdeck.store.home import Home
from tests.execution.once import Once

Runs = Callable[[], list[TaskRun]]


def test_result_that_shall_not_be_kept_is_run_again(once: Once) -> None:
    """`persist_result=False` is the author's word that running it again is right."""
    ran: list[int] = []

    @task(persist_result=False)
    def connect() -> int:
        ran.append(1)
        return len(ran)

    @flow(retries=1)
    def main() -> int:
        value = connect()
        once()
        return value

    assert main() == 2


def test_result_that_cannot_be_kept_is_run_again_and_said_so(once: Once, log_of: Callable[..., list[str]]) -> None:
    """A lock has no bytes: the call completes, its retry runs it again, and the log says why."""
    ran: list[int] = []

    @task
    def make() -> Any:
        ran.append(1)
        return threading.Lock()

    @flow(retries=1)
    def main() -> None:
        make()
        once()

    main()
    assert ran == [1, 1]
    told = [line for line in log_of("engine") if "not recorded" in line]
    assert told[0].startswith(
        "Its result is not recorded, so that a retry runs it again: pickle cannot take it: TypeError"
    )


def test_result_beyond_the_limit_is_not_kept(
    once: Once, log_of: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size is a setting; what is larger runs again, as is said once."""
    monkeypatch.setenv("FLOWDECK_RESULT_MAX_BYTES", "100000")
    ran: list[int] = []

    @task
    def make(size: int) -> bytes:
        ran.append(size)
        return b"x" * size

    @flow(retries=1)
    def main() -> None:
        make(90_000)
        make(110_000)
        once()

    main()
    assert ran == [90_000, 110_000, 110_000]
    assert sum("larger than 0.0953674 MiB" in line for line in log_of("engine")) == 2


@pytest.mark.parametrize("damage", ["remove", "change"])
def test_lost_result_file_counts_as_not_recorded(
    once: Once, home: Home, log_of: Callable[..., list[str]], damage: str
) -> None:
    """A result whose file is gone, or is not what was written, is made again, with a word in the log."""
    ran: list[int] = []

    @task
    def make() -> bytes:
        ran.append(1)
        return b"x" * 5000

    @flow(retries=1)
    def main() -> int:
        size = len(make())
        (path,) = [path for path in home.results.glob("*/*") if path.is_file()]
        if len(ran) == 1 and damage == "remove":
            path.unlink()
        elif len(ran) == 1:
            path.write_bytes(path.read_bytes()[:-1] + b"y")
        once()
        return size

    assert main() == 5000
    assert ran == [1, 1]
    assert any("Runs again, though attempt 1 recorded its result: its file" in line for line in log_of("engine"))


def test_large_results_lie_in_files_that_only_the_user_can_read(home: Home) -> None:
    """Equal results share a file, which is named by its content."""

    @task
    def make(_: int) -> list[int]:
        return list(range(10_000))

    @flow
    def main() -> None:
        make(1)
        make(2)

    main()
    (path,) = [path for path in home.results.glob("*/*") if path.is_file()]
    assert path.parent.name == path.name[:2]
    assert len(path.name) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    assert home.results.stat().st_mode & 0o777 == 0o700


def test_large_value_is_keyed_by_the_call_that_made_it(once: Once) -> None:
    """Handing a large list from task to task is replayed though nobody walks through it."""
    ran: list[str] = []

    @task
    def make() -> list[int]:
        ran.append("make")
        return list(range(500_000))

    @task
    def double(numbers: list[int]) -> list[int]:
        ran.append("double")
        return [number * 2 for number in numbers]

    @task
    def total(numbers: list[int]) -> int:
        ran.append("total")
        return sum(numbers)

    @flow(retries=1)
    def main() -> int:
        value = total(double(make()))
        once()
        return value

    assert main() == 500_000 * 499_999
    assert ran == ["make", "double", "total"]


def test_large_values_are_let_go_with_their_last_user() -> None:
    """What nobody else holds is not held for its key alone."""
    values = LargeValues()
    kept, dropped = [1] * 10, [2] * 10
    values.add(kept, b"k", None)
    values.add(dropped, b"d", None)
    assert len(values.keys()) == 2
    del dropped
    assert dict(values.keys()) == {id(kept): b"k"}
    assert sys.getrefcount(kept) == 3


def test_small_values_are_keyed_by_what_they_are() -> None:
    """A number, and a result of known small size, are not remembered."""
    values = LargeValues()
    number = 10**30
    values.add(number, b"n", None)
    values.add([1, 2], b"l", 20)
    assert not values.keys()
