"""Futures in what authors hand to tasks: models, attrs classes, collections and mappings of any kind, plain objects."""

from __future__ import annotations

import functools
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import attrs
import pytest
from pydantic import BaseModel, ConfigDict, PrivateAttr, RootModel

from flowdeck import allow_failure, flow, quote, task
from flowdeck.execution.calls.futures import TaskFuture
from flowdeck.rules.exceptions import UnfinishedRun, UsageError
from tests.execution.small_tasks import BrokenError, breaks, double


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")
    value: Any
    _private: Any = PrivateAttr(default=None)


class Root(RootModel[Any]):
    pass


@attrs.frozen
class Frozen:
    value: Any


@attrs.define(slots=False)
class Open:
    value: Any


class Named(list[Any]):
    """A list with an attribute, whose constructor takes more than members."""

    def __init__(self, label: str, members: list[Any]) -> None:
        super().__init__(members)
        self.label = label


class Row(tuple[Any, ...]):
    def __new__(cls, *members: Any) -> Row:
        return super().__new__(cls, members)


class Own(Mapping[str, Any]):
    """A mapping of an author's own."""

    def __init__(self, held: dict[str, Any]) -> None:
        self.held = held

    def __getitem__(self, key: str) -> Any:
        return self.held[key]

    def __iter__(self) -> Any:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)


class Plain:
    def __init__(self, value: Any) -> None:
        self.value = value


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


@dataclass(frozen=True)
class Record:
    value: Any


def _add(left: int, right: int = 0) -> int:
    return left + right


KINDS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "pydantic model": (lambda one: Model(value=one), lambda held: held.value),
    "field that a model does not declare": (lambda one: Model(value=0, more=one), lambda held: held.more),
    "root model": (lambda one: Root([one]), lambda held: held.root[0]),
    "list in a model": (lambda one: Model(value=[{"deep": one}]), lambda held: held.value[0]["deep"]),
    "frozen attrs": (Frozen, lambda held: held.value),
    "attrs without slots": (Open, lambda held: held.value),
    "deque": (lambda one: deque([0, one], maxlen=2), lambda held: held[1] if held.maxlen == 2 else None),
    "UserDict": (lambda one: UserDict(a=one), lambda held: held["a"]),
    "UserList": (lambda one: UserList([one]), lambda held: held[0]),
    "ChainMap": (lambda one: ChainMap({"a": one}, {"b": 1}), lambda held: held["a"]),
    "mappingproxy": (lambda one: MappingProxyType({"a": one}), lambda held: held["a"]),
    "SimpleNamespace": (lambda one: SimpleNamespace(a=one), lambda held: held.a),
    "own mapping": (lambda one: Own({"a": one}), lambda held: held["a"]),
    "key of a dictionary": (lambda one: {one: "x"}, lambda held: next(iter(held))),
    "in a key of a dictionary": (lambda one: {(one, 1): "x"}, lambda held: next(iter(held))[0]),
    "own list": (lambda one: Named("n", [one]), lambda held: held[0] if held.label == "n" else None),
    "own tuple": (lambda one: Row(one, 2), lambda held: held[0]),
    "frozen dataclass": (Record, lambda held: held.value),
    "values of a dictionary": (lambda one: {"a": one}.values(), lambda held: held[0]),
    "partial": (lambda one: functools.partial(_add, one, right=0), lambda held: held()),
}


@task
def show(value: Any) -> Any:
    return value


@pytest.mark.parametrize("kind", KINDS)
def test_a_future_in_a_container_reaches_the_task_as_its_result(kind: str) -> None:
    """In a copy of the same type; what the author handed over stays as it was."""
    make, take = KINDS[kind]

    @flow
    def main() -> None:
        future = double.submit(2)
        given = make(future)
        got = show(given)
        assert take(got) == 4
        if kind != "values of a dictionary":
            assert type(got) is type(given)
        if kind != "partial":
            found: Any = take(list(given) if kind == "values of a dictionary" else given)
            assert found is future

    main()


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_does_not_run_when_a_future_in_a_container_failed(kind: str) -> None:
    """Nor does it see a future: it is NotReady, whatever the future stands in."""
    make, _ = KINDS[kind]

    @flow
    def main() -> None:
        failed = breaks.submit()
        with pytest.raises(UnfinishedRun, match="breaks"):
            show(make(failed))
        assert isinstance(failed.exception(), BrokenError)

    main()


def test_a_private_attribute_of_a_model_is_resolved_too() -> None:
    """And that a field was set is still known."""

    @flow
    def main() -> None:
        given = Model(value=1)
        given._private = double.submit(2)  # pyright: ignore[reportPrivateUsage]
        got = show(given)
        assert got._private == 4  # pyright: ignore[reportPrivateUsage]
        assert got.model_fields_set == {"value"}

    main()


def test_a_failure_in_a_model_may_be_allowed() -> None:
    """Then the exception stands in the field."""

    @flow
    def main() -> None:
        got = show(allow_failure(Model(value=breaks.submit())))
        assert isinstance(got.value, BrokenError)

    main()


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (Plain, "Plain.value"),
        (Slotted, "Slotted.value"),
        (lambda one: Plain([1, one]), "Plain.value[1]"),
        (lambda one: Plain({"a": Plain(one)}), "Plain.value['a'].value"),
    ],
)
def test_a_future_in_a_plain_object_is_named_with_its_place(
    make: Callable[[Any], Any], place: str, log_of: Callable[..., list[str]]
) -> None:
    """It cannot be replaced there. The log says so once, not once for each call."""

    @flow
    def main() -> None:
        given = make(double.submit(2))
        for _ in range(3):
            assert show(given) is given
        show.submit(quote(given)).wait()

    main()
    warnings = [line for line in log_of("engine") if "neither waited for" in line]
    assert len(warnings) == 1
    assert f"An argument of 'show' holds a future at {place}." in warnings[0]


def test_what_a_method_keeps_in_its_own_object_is_not_warned_of(log_of: Callable[..., list[str]]) -> None:
    """The object is not an input of the call: many classes collect their futures."""

    class Loader:
        def __init__(self) -> None:
            self.futures: list[TaskFuture[int]] = []

        @task
        def load(self, number: int) -> int:
            return number

    @flow
    def main() -> None:
        loader = Loader()
        for number in range(3):
            loader.futures.append(loader.load.submit(number))

    main()
    assert not [line for line in log_of("engine") if "neither waited for" in line]


def test_objects_without_end_are_looked_into_so_far() -> None:
    """An object that holds itself, and a chain of thousands."""
    loop = Plain(None)
    loop.value = loop
    chain = Plain(None)
    for _ in range(10_000):
        chain = Plain([chain, object()])

    @flow
    def main() -> None:
        assert show(loop) is loop
        assert show(chain) is chain

    main()


def test_a_result_that_cannot_be_a_key_is_said_in_a_sentence() -> None:
    """A list, where a future was the key of a dictionary or stood in a set."""

    @task
    def rows() -> list[int]:
        return [1]

    @flow
    def main() -> None:
        for given in ({rows.submit(): 1}, {rows.submit()}):
            with pytest.raises(UsageError, match=r"cannot be put into a (dict|set) among the arguments .*unhashable"):
                show(given)

    main()
