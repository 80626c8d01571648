"""Serializers and cache policies of an author's own, and what JSON gives back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from flowdeck import flow, task
from flowdeck.cache_policies import INPUTS, CachePolicy
from flowdeck.deck import TaskRun
from flowdeck.exceptions import DefinitionError
from flowdeck.rules.options.serializers import JSONSerializer


class Inner(BaseModel):
    at: datetime
    tags: set[str]


class Outer(BaseModel):
    inner: Inner
    raw: bytes


@dataclass(frozen=True)
class Point:
    x: int
    key: UUID


VALUE: dict[str, Any] = {
    "model": Outer(inner=Inner(at=datetime(2026, 12, 1, tzinfo=UTC), tags={"a"}), raw=b"\x00\xff"),
    "points": [Point(1, UUID(int=7))],
    "bytes": b"\xff",
    "uuid": UUID(int=3),
    "naive": datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 - a time without a zone comes back without one
    "date": date(2026, 1, 2),
    "span": timedelta(days=-1, microseconds=3),
    "set": {1, 2},
    "frozen": frozenset({"x"}),
    "decimal": Decimal("1.10"),
    "path": Path("a/b"),
    "plain": [1, None, "text", {"deep": True}],
}


class Reversed:
    """As Prefect's: `dumps(value)`, `loads(content)`, no name."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()[::-1]

    def loads(self, content: bytes) -> Any:
        return json.loads(content[::-1])


@pytest.mark.parametrize("name", VALUE)
def test_json_gives_back_what_it_was_given(name: str) -> None:
    """Of the same type, with the same value."""
    serializer = JSONSerializer()
    found = serializer.loads(serializer.dumps(VALUE[name], 10_000), {})
    assert found == VALUE[name]
    assert type(found) is type(VALUE[name])


def test_json_refuses_what_could_not_come_back() -> None:
    """An object of any class, and the key that is its own."""
    for value in (object(), {"__flowdeck__": "bytes", "value": "AA=="}):
        with pytest.raises(TypeError):
            JSONSerializer().dumps(value, 10_000)


@pytest.mark.parametrize("serializer", ["json", Reversed()])
def test_a_retry_reuses_what_a_serializer_recorded(serializer: Any, once: Callable[[], None]) -> None:
    """The call does not run again, and gives an equal value."""
    ran: list[int] = []
    value = VALUE["plain"] if isinstance(serializer, Reversed) else VALUE

    @task(result_serializer=serializer)
    def work() -> Any:
        ran.append(1)
        return value

    @flow(retries=1)
    def main() -> Any:
        found = work()
        once()
        return found

    assert main() == value
    assert ran == [1]


def test_a_serializer_that_lacks_a_method_is_refused_where_it_is_declared() -> None:
    """With the method that is missing; a class is told from an object."""

    class Half:
        def dumps(self, value: Any) -> bytes:
            return b""

    with pytest.raises(DefinitionError, match=r"which lacks loads\(content\)\."):
        task(result_serializer=Half())(lambda: None)
    with pytest.raises(DefinitionError, match=r"give an object of it: Reversed\(\)"):
        task(result_serializer=Reversed)(lambda: None)


class ByDay(CachePolicy):
    """A policy as authors write it for Prefect."""

    def __init__(self, day: str) -> None:
        self.day = day

    def compute_key(
        self, task_ctx: Any, inputs: Mapping[str, Any], flow_parameters: Mapping[str, Any], **kwargs: Any
    ) -> str | None:
        return f"{task_ctx.task.name}-{self.day}-{inputs['number']}-{flow_parameters['city']}"


def test_an_own_policy_makes_the_key(calls: Callable[[], list[TaskRun]]) -> None:
    """Alone, added to another one, and configured."""
    ran: list[int] = []

    def work(number: int) -> int:
        ran.append(number)
        return len(ran)

    own = task(cache_policy=ByDay("monday"))(work)
    added = task(cache_policy=ByDay("monday") + INPUTS)(work)
    configured = task(cache_policy=ByDay("tuesday").configure(isolation_level="SERIALIZABLE"))(work)

    @flow
    def main(city: str) -> list[int]:
        return [one(1) for one in (own, own, added, added, configured, configured)]

    assert main("here") == [1, 1, 2, 2, 3, 3]
    assert main("there") == [4, 4, 5, 5, 6, 6]
    assert "monday" in str(calls()[1].cache_reason)


def test_a_policy_without_a_rule_is_refused_where_it_is_declared() -> None:
    """With the method that it needs."""

    class Nothing(CachePolicy):
        pass

    with pytest.raises(DefinitionError, match=r"is a Nothing, which has no compute_key\("):
        task(cache_policy=Nothing())(lambda: None)
