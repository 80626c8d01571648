"""A retry gives a call what that very call returned before, and nothing of another one."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.task_runners import ProcessPoolTaskRunner

Make = Callable[[str], Callable[[], Any]]


class Loader:
    """A callable that carries what it loads."""

    def __init__(self, table: str) -> None:
        self.table = table

    def __call__(self) -> str:
        return self.table

    def load(self) -> str:
        return self.table


def load_table(table: str) -> str:
    return table


@task
def named() -> str:
    return "customers"


first_of_two = named


@task  # type: ignore[no-redef]
def named() -> str:
    return "orders"


def by_cell(table: str) -> Any:
    return task(lambda: table)


def by_default(table: str) -> Any:
    @task
    def load(table: str = table) -> str:
        return table

    return load


def by_keyword_default(table: str) -> Any:
    @task
    def load(*, table: str = table) -> str:
        return table

    return load


def by_dict(table: str) -> Any:
    options = {"table": table}

    @task
    def load() -> str:
        return options["table"]

    return load


def by_closure_over_a_closure(table: str) -> Any:
    def read() -> str:
        return table

    @task
    def load() -> str:
        return read()

    return load


def by_nested_task(table: str) -> Any:
    inner = by_cell(table)

    @task
    def load() -> str:
        return inner()

    return load


def by_recursion(table: str) -> Any:
    @task
    def load(depth: int = 2) -> str:
        return load.fn(depth - 1) if depth else table

    return load


def by_decorator(table: str) -> Any:
    def wrap(function: Callable[[str], str]) -> Callable[[], str]:
        @functools.wraps(function)
        def wrapper() -> str:
            return function(table)

        return wrapper

    return task(wrap(load_table))


def by_local_class(table: str) -> Any:
    class Reader:
        def read(self) -> str:
            return table

    @task
    def load() -> str:
        return Reader().read()

    return load


WAYS: dict[str, Make] = {
    "cell": by_cell,
    "default": by_default,
    "keyword default": by_keyword_default,
    "dict": by_dict,
    "closure": by_closure_over_a_closure,
    "nested task": by_nested_task,
    "recursion": by_recursion,
    "decorator": by_decorator,
    "local class": by_local_class,
    "partial": lambda table: task(functools.partial(load_table, table)),
    "callable": lambda table: task(Loader(table)),
    "bound method": lambda table: task(Loader(table).load),
    "name": lambda table: task(lambda: table).with_options(name=table),
    "one line": lambda table: {"customers": task(lambda: "customers"), "orders": task(lambda: "orders")}[table],
    "redefined": lambda table: {"customers": first_of_two, "orders": named}[table],
    "subflow": lambda table: flow(name="below")(by_plain(table)),
}


def by_plain(table: str) -> Callable[[], str]:
    def load() -> str:
        return table

    return load


def run_twice(make: Make, call: Callable[[Any], Any] = lambda one: one(), **options: Any) -> list[Any]:
    """Load customers and fail; then, in the second attempt, load orders only."""
    seen: list[Any] = []

    @flow(retries=1, **options)
    def main() -> Any:
        seen.append(None)
        if len(seen) == 1:
            assert call(make("customers")) == "customers"
            raise ValueError("orders are missing")
        return call(make("orders"))

    return [main(), *seen]


@pytest.mark.parametrize("way", WAYS)
def test_retry_does_not_take_the_result_of_another_task(way: str) -> None:
    """Which differs in what it closes over, its defaults, its code or its name only."""
    assert run_twice(WAYS[way])[0] == "orders"


@pytest.mark.parametrize(
    "call",
    [
        lambda one: one.submit().result(),
        lambda one: one(return_state=True).result(),
        lambda one: one.with_options(retries=1)(),
        lambda one: one.with_options(own_process=True)(),
    ],
)
@pytest.mark.parametrize("way", ["cell", "dict", "partial"])
def test_retry_does_not_take_it_however_it_is_called(way: str, call: Callable[[Any], Any]) -> None:
    """Submitted, in a process, with other options."""
    assert run_twice(WAYS[way], call)[0] == "orders"


def test_retry_does_not_take_it_from_worker_processes() -> None:
    """Nor mapped."""

    def make(table: str) -> Any:
        @task
        def load(number: int) -> str:
            return table * number

        return load

    runner = ProcessPoolTaskRunner(max_workers=1)
    assert run_twice(make, lambda one: one.map([1]).result()[0], task_runner=runner)[0] == "orders"


def test_retry_does_not_take_it_in_another_order() -> None:
    """Of two closures that were gathered, each is given its own."""
    ran: list[str] = []
    attempts: list[int] = []

    def make(table: str) -> Any:
        @task
        async def load() -> str:
            ran.append(table)
            return table

        return load

    @flow(retries=1)
    async def main() -> list[str]:
        attempts.append(1)
        tables = ["customers", "orders"]
        if len(attempts) == 2:
            tables.reverse()
        loaded = await asyncio.gather(*(make(table)() for table in tables))
        assert len(attempts) == 2
        return loaded

    assert asyncio.run(main()) == ["orders", "customers"]
    assert ran == ["customers", "orders"]  # the second attempt has run neither again


@pytest.mark.parametrize("way", [way for way in WAYS if way != "subflow"])
def test_retry_takes_the_result_of_the_same_task(way: str) -> None:
    """Made anew in each attempt."""
    states: list[str] = []

    @flow(retries=1)
    def main() -> None:
        call: Any = WAYS[way]("customers")
        states.append(call(return_state=True).message or "")
        assert len(states) == 2

    main()
    assert "Reused from attempt 1" in states[1]


def test_variable_that_changes_between_two_calls() -> None:
    """One task that closes over a loop's variable is another call each time."""
    ran: list[str] = []
    attempts: list[int] = []

    @flow(retries=1)
    def main() -> list[str]:
        attempts.append(1)
        loaded: list[str] = []

        @task
        def load() -> str:
            return table

        for table in ["customers", "orders"] if len(attempts) == 1 else ["orders"]:
            loaded.append(load())
            ran.append(table)
        assert len(attempts) == 2
        return loaded

    assert main() == ["orders"]


def test_what_it_collects_is_not_what_it_is() -> None:
    """A list that it appends to, a counter: it runs once all the same."""
    ran: list[str] = []
    counts = {"calls": 0}
    attempts = 0

    @flow(retries=1)
    def main() -> None:
        nonlocal attempts
        attempts += 1
        total = 0

        def note(table: str) -> None:
            ran.append(table)

        @task
        def load(table: str) -> str:
            nonlocal total
            total += 1
            counts["calls"] += 1
            note(table)
            return table

        load("customers")
        load("orders")
        assert attempts == 2

    main()
    assert (ran, counts) == (["customers", "orders"], {"calls": 2})


def test_what_cannot_be_told_from_others_is_never_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """And the log says so, once."""
    ran: list[int] = []

    @flow(retries=1)
    def main() -> None:
        lock = threading.Lock()

        @task
        def load(number: int) -> None:
            with lock:
                ran.append(number)

        load(1)
        load(2)
        assert len(ran) == 4

    main()
    assert ran == [1, 2, 1, 2]
    said = [line for line in capsys.readouterr().err.splitlines() if "cannot be told from those of others" in line]
    assert len(said) == 1
    assert "it closes over 'lock', of type lock" in said[0]
