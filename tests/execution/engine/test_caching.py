"""Caching: off unless asked for; what is found, and why."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.cache_policies import DEFAULT, INPUTS, NO_CACHE, RUN_ID, TASK_SOURCE
from flowdeck.deck import Deck, TaskRun
from flowdeck.execution.starts import run_creation
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home, locate
from flowdeck.tasks import task_input_hash
from tests.execution.dialects import Dialect

Runs = Callable[[], list[TaskRun]]


def reasons(database: Database) -> list[str]:
    """Return why each call was found in the cache or not, in order."""
    return [reason for (reason,) in database.reader().execute("SELECT cache_reason FROM task_run ORDER BY id")]


def test_key_function_is_called_once_a_call(deck: Deck) -> None:
    """And the key that it gave is the one that is stored."""
    keys = iter(["a", "b", "a"])
    ran: list[int] = []

    @task(cache_key_fn=lambda _context, _parameters: next(keys))
    def step(x: int) -> int:
        ran.append(x)
        return x

    @flow
    def main() -> list[int]:
        return [step(1), step(2), step(3)]

    assert main() == [1, 2, 1]
    assert ran == [1, 2]
    assert next(keys, None) is None


def test_nothing_is_cached_unless_asked_for(deck: Deck) -> None:
    """A task without cache options runs each time."""
    ran: list[int] = []

    @task
    def step(x: int) -> int:
        ran.append(x)
        return x

    @flow
    def main() -> None:
        step(1)
        step(1)

    main()
    main()
    assert len(ran) == 4


@pytest.mark.parametrize(
    "options", [{"cache_policy": INPUTS}, {"cache_key_fn": task_input_hash}, {"cache_policy": INPUTS + TASK_SOURCE}]
)
def test_hit_in_another_run(dialect: Dialect, calls: Runs, database: Database, options: dict[str, Any]) -> None:
    """The body is skipped, the state is Cached, and the reason of both is recorded."""
    ran: list[int] = []

    @dialect.task(**options)
    async def step(x: int, y: int = 2) -> dict[str, int]:
        ran.append(x)
        return {"x": x, "y": y}

    @dialect.flow()
    async def main(x: int) -> Any:
        return await dialect.call(step, x)

    assert dialect.run(main, 1) == {"x": 1, "y": 2}
    assert dialect.run(main, 1) == {"x": 1, "y": 2}
    (call,) = calls()
    assert (call.state_name, call.state_type, call.from_cache, call.reused) == ("Cached", "COMPLETED", True, False)
    assert call.result_preview == "{'x': 1, 'y': 2}"
    assert dialect.run(main, 3) == {"x": 3, "y": 2}
    assert ran == [1, 3]
    miss, hit, other = reasons(database)
    assert miss.startswith("Miss: nothing is recorded under key ")
    assert hit.startswith("Hit: key ")
    assert "recorded by run" in hit
    assert other.startswith("Miss: nothing")


def test_ways_to_write_a_call_share_a_key() -> None:
    """Arguments count by their names, defaults too."""
    ran: list[int] = []

    @task(cache_policy=INPUTS)
    def step(x: int, y: int = 2) -> int:
        ran.append(x)
        return x + y

    @flow
    def main() -> list[int]:
        return [step(1), step(x=1), step(1, y=2), step(y=2, x=1), step(1, 3)]

    assert main() == [3, 3, 3, 3, 4]
    assert ran == [1, 1]


def test_submitted_and_mapped_calls_are_cached(calls: Runs) -> None:
    """They wait for nothing but the look."""
    ran: list[int] = []

    @task(cache_policy=INPUTS)
    def step(x: int) -> int:
        ran.append(x)
        return x

    @flow
    def main() -> list[int]:
        return [*step.map([1, 2, 3]).result(), step.submit(4).result()]

    assert main() == [1, 2, 3, 4] == main()
    assert sorted(ran) == [1, 2, 3, 4]
    assert [call.state_name for call in calls()] == ["Cached"] * 4


def test_expired_result_is_made_anew(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    """After cache_expiration it is not found, and the new one takes its place."""
    ran: list[int] = []
    now = SYSTEM_CLOCK.now_microseconds()
    monkeypatch.setattr(type(SYSTEM_CLOCK), "now_microseconds", lambda _: now)

    @task(cache_policy=INPUTS, cache_expiration=timedelta(minutes=10))
    def step(x: int) -> int:
        ran.append(x)
        return len(ran)

    @flow
    def main() -> int:
        return step(1)

    assert (main(), main()) == (1, 1)
    now += 600_000_000
    assert (main(), main()) == (2, 2)
    assert reasons(database)[2].startswith("Miss: expired at ")


def test_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """`refresh_cache` runs and replaces; so does the setting, unless the task says no."""
    ran: list[int] = []

    def body(x: int) -> int:
        ran.append(x)
        return len(ran)

    kept = task(cache_key_fn=lambda _c, _p: "one", name="step")(body)
    fresh = task(cache_key_fn=lambda _c, _p: "one", refresh_cache=True, name="step")(body)
    never = task(cache_key_fn=lambda _c, _p: "one", refresh_cache=False, name="step")(body)

    @flow
    def main(which: Any) -> int:
        return which(1)

    main = flow(validate_parameters=False)(main.fn)
    assert (main(kept), main(fresh), main(kept)) == (1, 2, 2)
    monkeypatch.setenv("FLOWDECK_CACHING", "refresh")
    run_creation.close_shared_database(locate())
    assert (main(never), main(kept)) == (2, 3)


@pytest.mark.parametrize(("setting", "expected"), [("on", [1, 1]), ("refresh", [1, 2]), ("off", [1, 2])])
def test_setting(monkeypatch: pytest.MonkeyPatch, setting: str, expected: list[int], database: Database) -> None:
    """The environment may refresh or switch off all caching."""
    monkeypatch.setenv("FLOWDECK_CACHING", setting)
    ran: list[int] = []

    @task(cache_policy=INPUTS)
    def step(x: int) -> int:
        ran.append(x)
        return len(ran)

    @flow
    def main() -> int:
        return step(1)

    assert [main(), main()] == expected
    stored = database.reader().execute("SELECT count(*) FROM cached_result").fetchone()[0]
    assert stored == (0 if setting == "off" else 1)


def test_run_id_keeps_results_to_one_run() -> None:
    """DEFAULT is found by the same run only."""
    ran: list[int] = []

    @task(cache_policy=DEFAULT)
    def step(x: int) -> int:
        ran.append(x)
        return x

    @task(cache_policy=RUN_ID)
    def other() -> int:
        ran.append(0)
        return 0

    @flow
    def main() -> None:
        for _ in range(2):
            step(1)
            other()

    main()
    assert ran == [1, 0]
    main()
    assert ran == [1, 0, 1, 0]


def test_failure_is_not_cached() -> None:
    """Only completions are."""
    ran: list[int] = []

    @task(cache_policy=INPUTS)
    def step(x: int) -> int:
        ran.append(x)
        if len(ran) == 1:
            raise ValueError
        return x

    @flow
    def main() -> int:
        with pytest.raises(ValueError):
            step(1)
        return step(1)

    assert main() == 1


def test_what_cannot_be_keyed_runs_and_says_why(database: Database) -> None:
    """An unhashable argument, a key function that fails or declines."""

    def boom(_context: Any, _parameters: Any) -> str:
        raise KeyError("no")

    @task(cache_policy=INPUTS)
    def lock(x: Any) -> int:
        return 1

    @task(cache_key_fn=boom)
    def failing() -> int:
        return 2

    @task(cache_key_fn=lambda _c, _p: None)
    def declining() -> int:
        return 3

    @task(cache_policy=NO_CACHE)
    def uncached() -> int:
        return 4

    @flow
    def main() -> list[int]:
        return [lock(threading.Lock()), failing(), declining(), uncached()]

    assert main() == [1, 2, 3, 4]
    assert reasons(database) == [
        "Not cached: the inputs cannot be hashed: lock cannot be pickled.",
        "Not cached: its key function raised KeyError: 'no'.",
        "Not cached: there is no key for this call.",
        None,
    ]


def itself() -> list[Any]:
    made: list[Any] = []
    made.append({"again": (made,)})
    return made


def deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(3000):
        made = [made]
    return made


@pytest.mark.parametrize("make", [itself, deep])
def test_inputs_without_an_end_run_uncached(dialect: Dialect, make: Callable[[], Any], database: Database) -> None:
    """What contains itself, or is nested beyond any stack: the call runs, and its row says why it has no key."""

    @dialect.task(cache_policy=INPUTS)
    async def measure(x: Any) -> int:
        return len(x)

    @dialect.flow()
    async def main() -> int:
        return await dialect.call(measure, make())

    assert dialect.run(main) == 1
    (reason,) = reasons(database)
    assert reason.startswith("Not cached: the inputs cannot be hashed: "), reason


def test_lost_file_is_a_miss(home: Home, database: Database) -> None:
    """The result is made anew, and said so."""
    ran: list[int] = []

    @task(cache_policy=INPUTS)
    def step(x: int) -> bytes:
        ran.append(x)
        return b"x" * 10_000

    @flow
    def main() -> int:
        return len(step(1))

    main()
    (path,) = [path for path in home.results.glob("*/*") if path.is_file()]
    path.unlink()
    assert main() == 10_000
    assert len(ran) == 2
    assert "its file" in reasons(database)[1]


def test_cached_call_is_replayed_with_its_value(database: Database) -> None:
    """A retry takes it from the attempt before, as any other completed call."""
    failed: list[int] = []
    ran: list[int] = []

    @task(cache_policy=INPUTS)
    def step(x: int) -> int:
        ran.append(x)
        return x

    @flow(retries=1)
    def main() -> int:
        value = step(1)
        if failed == [1]:
            failed.append(2)
            raise RuntimeError
        failed.append(1)
        return value

    assert (main(), main()) == (1, 1)
    assert ran == [1]
    rows = database.reader().execute("SELECT state_name, from_cache, reused FROM task_run ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == [("Completed", 0, 0), ("Cached", 1, 0), ("Completed", 0, 1)]
