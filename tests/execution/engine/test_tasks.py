"""Task calls: what they give back, what they raise, and what is recorded of them, in both dialects."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import MagicMock

import pytest

from flowdeck import State, flow, tags, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.rules.exceptions import DefinitionError
from tests.execution.dialects import Dialect

Calls = Callable[[], list[TaskRun]]


class BrokenError(Exception):
    """What a user raises."""


# -- values and exceptions ---------------------------------------------------------------------------------------------


def test_value_comes_back_and_is_recorded(dialect: Dialect, calls: Calls) -> None:
    """The very object; the record has its preview, its times and who ran it."""
    value = {"rows": [1, 2, 3]}

    @dialect.task()
    async def load() -> Any:
        return value

    @dialect.flow()
    async def main() -> Any:
        return await dialect.call(load)

    assert dialect.run(main) is value
    (call,) = calls()
    assert (call.name, call.state_name, call.result_preview) == ("load-0", "Completed", "{'rows': [1, 2, 3]}")
    assert (call.index, call.attempt, call.worker) == (0, 1, threading.current_thread().name)
    assert call.started_at is not None
    assert call.ended_at is not None
    assert call.ended_at >= call.started_at


def test_exception_is_raised_where_the_task_was_called(dialect: Dialect, calls: Calls, deck: Deck) -> None:
    """The very exception; the record has type, words, place, and the author's part of the traceback."""
    raised = BrokenError("no such table")

    @dialect.task()
    async def load() -> None:
        raise raised

    @dialect.flow()
    async def main() -> None:
        try:
            await dialect.call(load)
        except BrokenError as caught:
            assert caught is raised

    dialect.run(main)
    (call,) = calls()
    assert (call.state_name, call.state_message) == ("Failed", "BrokenError: no such table")
    assert call.error is not None
    assert call.error.type.endswith("BrokenError")
    assert call.error.file == __file__
    assert "raise raised" in call.error.traceback
    assert "flowdeck/execution" not in call.error.traceback
    assert deck.flow_runs.select()[0].state_name == "Completed"


def test_stop_iteration_is_an_exception_like_any_other(calls: Calls) -> None:
    """Python turns one that leaves a coroutine into another exception; the engine's body is one."""

    @task
    def step() -> None:
        next(iter([]))

    @flow
    def main() -> str:
        with pytest.raises(StopIteration):
            step()
        return step(return_state=True).type

    assert main() == "FAILED"
    assert {call.state_message for call in calls()} == {"StopIteration"}

    @flow
    def stops() -> None:
        raise StopIteration("by itself")

    with pytest.raises(StopIteration, match="by itself"):
        stops()


def test_return_state_gives_the_state(dialect: Dialect) -> None:
    """Of good and bad ends; nothing is raised."""

    @dialect.task()
    async def halve(number: int) -> int:
        if number % 2:
            raise BrokenError(str(number))
        return number // 2

    @dialect.flow()
    async def main() -> list[State]:
        states = [await dialect.call(halve, number, return_state=True) for number in (4, 3)]
        assert [state.is_completed() for state in states] == [True, False]
        assert states[0].data == 2
        assert isinstance(states[1].exception, BrokenError)
        return [states[0]]

    assert dialect.run(main) == [2]


def test_wrong_arguments_are_the_tasks_failure(dialect: Dialect, calls: Calls) -> None:
    """As Python says it, recorded as a call that failed."""

    @dialect.task()
    async def load(path: str) -> None:
        del path

    @dialect.flow()
    async def main() -> None:
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            await dialect.call(load)

    dialect.run(main)
    assert calls()[0].state_name == "Failed"


# -- names, tags, nesting ----------------------------------------------------------------------------------------------


def test_calls_are_numbered_by_task(dialect: Dialect, calls: Calls) -> None:
    """Each task counts for itself, in the order of its calls."""

    @dialect.task()
    async def first() -> None: ...

    @dialect.task(name="zweite Aufgabe")
    async def second() -> None: ...

    @dialect.flow()
    async def main() -> None:
        for callee in (first, second, first):
            await dialect.call(callee)

    dialect.run(main)
    assert [call.name for call in calls()] == ["first-0", "zweite Aufgabe-0", "first-1"]


def test_tags_of_task_and_surroundings(dialect: Dialect, calls: Calls, last_run: Callable[[], FlowRun]) -> None:
    """Those of the task and of every `with tags` around the call; a run has those around its start."""

    @dialect.task(tags=["io"])
    async def load() -> None: ...

    @dialect.flow()
    async def main() -> None:
        with tags("a", "b"), tags("c"):
            await dialect.call(load)
        await dialect.call(load)

    with tags("nightly"):
        dialect.run(main)
    assert [call.tags for call in calls()] == [("a", "b", "c", "io", "nightly"), ("io", "nightly")]
    assert last_run().tags == ("nightly",)


def test_task_in_a_task_knows_its_caller(dialect: Dialect, calls: Calls) -> None:
    """Nested calls are recorded below each other, one after another."""

    @dialect.task()
    async def inner() -> int:
        return 1

    @dialect.task()
    async def outer() -> int:
        return await dialect.call(inner) + await dialect.call(inner)

    @dialect.flow()
    async def main() -> int:
        return await dialect.call(outer)

    assert dialect.run(main) == 2
    first, *nested = calls()
    assert [call.task_name for call in nested] == ["inner", "inner"]
    assert {call.parent_id for call in nested} == {first.id}
    assert first.parent_id is None


def test_sync_task_in_an_async_flow() -> None:
    """The usual mixture."""

    @task
    def double(number: int) -> int:
        return 2 * number

    @flow
    async def main() -> int:
        return double(21)

    assert Dialect("async").run(main) == 42


# -- what can be a task ------------------------------------------------------------------------------------------------


def test_method_is_a_task_of_its_object(dialect: Dialect, calls: Calls) -> None:
    """Called, submitted, mapped, and as its plain function."""

    class Loader:
        def __init__(self, factor: int) -> None:
            self.factor = factor

        @dialect.task()
        async def load(self, number: int) -> int:
            return self.factor * number

    @dialect.flow()
    async def main() -> list[int]:
        loader = Loader(10)
        assert loader.load.name == "load"
        called = await dialect.call(loader.load, 1)
        return [called, loader.load.submit(2).result(), *loader.load.map([3, 4]).result()]

    assert dialect.run(main) == [10, 20, 30, 40]
    assert [call.name for call in calls()] == [f"load-{index}" for index in range(4)]


def test_callables_of_all_kinds_are_tasks(calls: Calls) -> None:
    """Builtins, partials, classes, lambdas, objects that can be called."""

    class Adder:
        def __call__(self, number: int) -> int:
            return number + 1

    tasks = [task(abs), task(functools.partial(max, 3)), task(str), task(lambda number: number), task(Adder())]

    @flow
    def main() -> list[Any]:
        return [one(2) for one in tasks]

    assert main() == [2, 3, "2", 2, 3]
    assert [call.task_name for call in calls()] == ["abs", "max", "str", "lambda", "Adder"]


def test_undecorated_function_is_at_hand(dialect: Dialect, deck: Deck) -> None:
    """`.fn` runs anywhere and records nothing."""

    @dialect.task()
    async def load() -> int:
        return 7

    assert dialect.run(load.fn) == 7
    assert deck.flow_runs.select() == []


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: task(42), "@task was given 42, which is not a function"),
        (lambda: task(retries=-1)(abs), "retries of task 'abs' must be a whole number of 0 or more"),
        (lambda: task(retry_delay_seconds="soon")(abs), "retry_delay_seconds of task 'abs' must be a number"),
        (lambda: task(lambda wait_for: None), "task 'lambda' has a parameter 'wait_for', which is flowdeck's own"),
        (lambda: task(lambda *, return_state: None), "has a parameter 'return_state'"),
        (lambda: task(tags="io")(abs), "task 'abs' takes a list of texts as tags, not 'io'."),
        (lambda: task(tags=["io", 3])(abs), "task 'abs' takes a list of texts as tags, not 3."),
        (lambda: tags("a", 3).__enter__(), "tags() takes a list of texts as tags, not 3."),  # type: ignore[arg-type]
        (lambda: flow(abs), "flow 'abs' is not a function that is written in Python"),
        (lambda: task(MagicMock()), "task 'MagicMock' was given an object of type MagicMock whose function cannot be"),
        (lambda: task(partial(MagicMock())), "whose function cannot be found"),
        (lambda: flow(MagicMock()), "flow 'MagicMock' was given an object of type MagicMock whose function cannot be"),
        (lambda: flow(name="a/b")(lambda: None), "A flow may not be named 'a/b'"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(make: Callable[[], Any], sentence: str) -> None:
    """One sentence that names the function."""
    with pytest.raises(DefinitionError) as caught:
        make()
    assert sentence in str(caught.value)


def rows() -> Any:
    yield 1


def test_task_keeps_what_the_function_said_of_itself() -> None:
    """Name, docstring and description are those of the function."""

    @task
    def load() -> None:
        """Load the rows
        of the day.

        Slowly.
        """

    assert (load.name, load.__name__, load.description) == ("load", "load", "Load the rows of the day.")
    assert load.__doc__ is not None
    assert task(name="x", description="y")(load.fn).description == "y"
