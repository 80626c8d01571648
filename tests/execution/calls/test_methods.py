"""Methods, and `with_options`: flows and tasks of classes, in both dialects."""

from __future__ import annotations

import asyncio
import functools
import pickle
from collections.abc import Callable, Generator
from typing import Any

import pytest

from flowdeck import Flow, Task, flow, task
from flowdeck.cache_policies import INPUTS
from flowdeck.deck import Deck, TaskRun
from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.keys.cache_policies import KeyFunction
from tests.execution.dialects import Dialect

Calls = Callable[[], list[TaskRun]]


class Counter:
    """Has a method of each kind."""

    factor = 10

    def __init__(self, start: int = 1) -> None:
        self.start = start

    @task
    def of_instance(self, number: int) -> int:
        return self.start * number

    @task
    @classmethod
    def of_class(cls, number: int) -> int:
        return cls.factor * number

    @classmethod
    @task
    def of_class_too(cls, number: int) -> int:
        return cls.factor * number

    @task
    @staticmethod
    def static(number: int) -> int:
        return number

    @staticmethod
    @task
    def static_too(number: int) -> int:
        return number

    @task
    async def of_instance_async(self, number: int) -> int:
        return self.start * number

    @task
    def rows(self) -> Generator[int]:
        yield from range(self.start)

    @flow
    def flow_of_instance(self, number: int = 2) -> int:
        return self.of_instance(number)

    @flow
    @classmethod
    def flow_of_class(cls, number: int) -> int:
        return cls.factor * number

    @classmethod
    @flow
    def flow_of_class_too(cls, number: int) -> int:
        return cls.factor * number

    @flow
    @staticmethod
    def static_flow(number: int) -> int:
        return number

    @staticmethod
    @flow
    def static_flow_too(number: int) -> int:
        return number

    @flow
    async def flow_of_instance_async(self, number: int) -> int:
        return await self.of_instance_async(number)


class Doubled(Counter):
    """Inherits them."""

    factor = 20


TASKS = [("of_instance", 4), ("of_class", 40), ("of_class_too", 40), ("static", 4), ("static_too", 4)]


@pytest.mark.parametrize(("name", "expected"), TASKS)
def test_task_methods(name: str, expected: int, calls: Calls) -> None:
    """Called, submitted, mapped, plain; the name is the function's."""
    method = getattr(Counter(), name)

    @flow
    def main() -> list[int]:
        return [method(4), method.submit(4).result(), *method.map([4]).result(), method.fn(4)]

    assert main() == [expected] * 4
    assert [call.name for call in calls()] == [f"{name}-{index}" for index in range(3)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("flow_of_class", 40), ("flow_of_class_too", 40), ("static_flow", 4), ("static_flow_too", 4)],
)
def test_flow_methods_of_classes(name: str, expected: int, deck: Deck) -> None:
    """By the class and by an instance, with coerced parameters."""
    assert getattr(Counter, name)(4) == getattr(Counter(), name)("4") == expected
    assert getattr(Counter, name).fn(4) == expected
    assert {run.flow_name for run in deck.flow_runs.select()} == {name.replace("_", "-")}


def test_flow_methods_of_instances(deck: Deck) -> None:
    """Sync, async, with defaults, and from the class with the instance as an argument."""
    counter = Counter(3)
    assert (counter.flow_of_instance(), counter.flow_of_instance("5")) == (6, 15)
    assert Counter.flow_of_instance(counter, 5) == counter.flow_of_instance.fn(5) == 15
    assert asyncio.run(counter.flow_of_instance_async(5)) == 15
    assert {run.state_name for run in deck.flow_runs.select()} == {"Completed"}


def test_class_methods_are_of_the_class_that_is_asked() -> None:
    """Also of one that inherits them."""
    assert (Doubled.flow_of_class(1), Doubled().flow_of_class_too(1)) == (20, 20)

    @flow
    def main() -> tuple[int, int]:
        return Doubled.of_class(1), Doubled().of_class_too(1)

    assert main() == (20, 20)


def test_asynchronous_methods_and_generators() -> None:
    """As functions of the same kinds."""

    @flow
    async def main() -> list[Any]:
        return [await Counter(2).of_instance_async(3), list(Counter(2).rows()), Counter(2).rows.submit().result()]

    assert asyncio.run(main()) == [6, [0, 1], [0, 1]]


def test_calls_of_two_instances_are_two_calls() -> None:
    """A replay never takes the result of one for that of the other, in whatever order they are called."""
    attempts: list[int] = []

    @flow(retries=1)
    def main() -> list[int]:
        attempts.append(1)
        order = [Counter(1), Counter(2)] if len(attempts) == 1 else [Counter(2), Counter(1)]
        values = [counter.of_instance(10) for counter in order]
        if len(attempts) == 1:
            raise RuntimeError("again")
        return values

    assert main() == [20, 10]


def test_bound_methods_compare_and_travel() -> None:
    """Like Python's own: equal for the same instance, pickled by it."""
    counter = Counter(4)
    assert counter.of_instance == counter.of_instance
    assert counter.of_instance != Counter(4).of_instance
    assert len({counter.of_instance, counter.of_instance}) == 1
    assert repr(counter.of_instance).startswith("Task('of_instance') of <")
    copied = pickle.loads(pickle.dumps(counter.of_instance))
    assert copied.fn(2) == 8
    assert counter.of_instance.name == "of_instance"


# -- with_options ------------------------------------------------------------------------------------------------------


def test_with_options_keeps_what_is_not_given(dialect: Dialect) -> None:
    """The name and all other options; the old one is as before."""

    @dialect.task(retries=2, tags=["a"], timeout_seconds=5, name="Load it")
    async def load() -> int:
        return 1

    other = load.with_options(retries=4)
    assert (other.name, other.spec.retry.retries, other.spec.timeout_seconds, other.tags) == (
        "Load it", 4, 5.0, {"a"},
    )  # fmt: skip
    assert (load.spec.retry.retries, other.fn) == (2, load.fn)
    assert other.with_options(name="Other", timeout_seconds=None).spec.timeout_seconds is None
    assert other.with_options(name="Other").name == "Other"
    assert isinstance(other, Task)


def test_with_options_of_flows(dialect: Dialect, deck: Deck) -> None:
    """They run under them."""

    @dialect.flow(log_prints=True, version="7")
    async def main(day: int) -> int:
        return day

    other = main.with_options(flow_run_name="day {day}", retries=1)
    assert isinstance(other, Flow)
    assert (other.name, other.spec.version, other.spec.log_prints) == ("main", "7", True)
    assert dialect.run(other, 3) == 3
    assert deck.flow_runs.select()[0].name == "day 3"


def test_with_options_keeps_hooks_that_were_added() -> None:
    """Those of a decorator too; a kind that is given anew stands for all of its kind."""
    called: list[str] = []

    @flow(on_completion=lambda *_: called.append("first"))
    def main() -> None: ...

    @main.on_completion
    def second(*_: Any) -> None:
        called.append("second")

    main.with_options(retries=1)()
    main.with_options(on_completion=[lambda *_: called.append("new")])()
    assert called == ["first", "second", "new"]


def test_with_options_changes_how_it_is_cached() -> None:
    """A policy stands in the place of a key function, and the other way round, without a warning."""

    @task(cache_key_fn=lambda *_: "key")
    def load() -> None: ...

    by_inputs = load.with_options(cache_policy=INPUTS)
    assert by_inputs.spec.cache.policy == INPUTS
    assert isinstance(by_inputs.with_options(cache_key_fn=lambda *_: "key").spec.cache.policy, KeyFunction)


def test_with_options_of_a_method() -> None:
    """It stays bound."""
    renamed = Counter(3).of_instance.with_options(name="times")

    @flow
    def main() -> tuple[int, str]:
        return renamed(2), renamed.name

    assert main() == (6, "times")
    assert Counter.flow_of_class.with_options(name="x")(1) == 10


def test_with_options_refuses_what_the_decorators_refuse() -> None:
    """One sentence."""

    @task
    def load() -> None: ...

    with pytest.raises(DefinitionError, match="task 'load' has no option 'retry'; did you mean 'retries'"):
        load.with_options(retry=1)  # type: ignore[call-arg]


def test_name_of_a_run_must_be_a_text_or_a_function() -> None:
    """Said where it is written."""
    with pytest.raises(DefinitionError, match="task_run_name of task 'abs' must be a text or a function"):
        task(task_run_name=3)(abs)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="flow_run_name of flow 'main' must be a text or a function"):
        flow(name="main", flow_run_name="")(functools.partial(print))
