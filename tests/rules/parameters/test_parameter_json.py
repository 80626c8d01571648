"""Parameters as they are stored: JSON, and what stands for a value that JSON cannot hold."""

from __future__ import annotations

import json
import math
from collections import deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, SecretStr

from flowdeck.rules.parameters import parameters


class Colour(Enum):
    RED = "red"
    TWO = 2


class Level(IntEnum):
    LOW = 1


class User(BaseModel):
    age: int
    friends: list[User] = []


@dataclass
class Point:
    x: int


class Plain:
    """A class that JSON does not know."""


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (one == other or (one != one and other != other))  # noqa: PLR0124 - NaN


def test_parameters_are_stored_as_json() -> None:
    """In their order; dates, members, paths and models in the form in which they are read back."""
    values = {
        "plain": [None, True, 1, 1.5, "a"],
        "numbers": [math.nan, math.inf, -math.inf],
        "times": (date(2026, 1, 31), datetime(2026, 1, 31, 9, tzinfo=UTC), time(9)),
        "spans": [timedelta(seconds=90), timedelta(days=2), timedelta(seconds=-0.5), timedelta(1, 1), timedelta(0)],
        "members": [Colour.RED, Level.LOW],
        "texts": [Path("a/b"), Decimal("1.10"), UUID(int=0), b"text"],
        "containers": [(1,), {1}, frozenset({1}), deque([1]), range(2), {1: 2, None: 3}],
        "objects": [Point(1), User(age=1)],
    }
    written = parameters.to_json(values)
    assert list(written) == list(values)
    assert json.loads(json.dumps(written, allow_nan=False)) == {
        "plain": [None, True, 1, 1.5, "a"],
        "numbers": ["NaN", "Infinity", "-Infinity"],
        "times": ["2026-01-31", "2026-01-31T09:00:00+00:00", "09:00:00"],
        "spans": ["PT90S", "P2D", "-PT0.5S", "P1DT1S", "PT0S"],
        "members": ["red", 1],
        "texts": ["a/b", "1.10", "00000000-0000-0000-0000-000000000000", "text"],
        "containers": [[1], [1], [1], [1], [0, 1], {"1": 2, "None": 3}],
        "objects": [{"x": 1}, {"age": 1, "friends": []}],
    }


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (timedelta, timedelta(days=1, seconds=2, microseconds=3)),
        (timedelta, -timedelta(seconds=90.25)),
        (datetime, datetime(2026, 1, 31, 9, tzinfo=UTC)),
        (date, date(2026, 1, 31)),
        (float, math.nan),
        (float, -math.inf),
        (Colour, Colour.TWO),
        (set[int], {1, 2}),
        (tuple[int, str], (1, "a")),
        (bytes, b"text"),
        (Path, Path("a")),
        (User, User(age=1)),
        (Point, Point(1)),
    ],
    ids=repr,
)
def test_what_is_stored_can_be_read_back(annotation: Any, value: Any) -> None:
    """A retry starts from the stored parameters."""
    (stored,) = json.loads(json.dumps(parameters.to_json({"x": value}))).values()
    assert not parameters.is_placeholder(stored)
    assert same(parameters.coerce("x", annotation, stored), value)


def in_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


class Odd(BaseModel):
    model_config = {"arbitrary_types_allowed": True}
    it: Plain


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Plain(), "<Plain>"),
        ([1, Plain()], [1, "<Plain>"]),
        ({"a": Plain()}, {"a": "<Plain>"}),
        (b"\xff", "<bytes>"),
        (1 << 20_000, "<int>"),
        ("x" * (parameters.MAXIMUM_JSON_BYTES + 1), "<str>"),
        (["x" * 1000] * 10_000, "<list>"),
        (SecretStr("hush"), "<SecretStr>"),
        (Odd(it=Plain()), "<Odd>"),
        (len, "<builtin_function_or_method>"),
        (User, "<ModelMetaclass>"),
    ],
    ids=[
        "object",
        "in a list",
        "in a dict",
        "bytes",
        "long number",
        "long text",
        "long list",
        "secret",
        "model",
        "function",
        "class",
    ],
)
def test_what_json_cannot_hold_stands_by_its_type(value: Any, stored: Any) -> None:
    """Too large counts too: a flow may be called with a table of any size, only the record of it is cut."""
    written = parameters.to_json({"before": 1, "x": value, "after": "a"})
    assert written == {"before": 1, "x": stored, "after": "a"}
    assert parameters.is_placeholder(written["x"])


def test_a_value_that_holds_itself_is_stored_to_a_depth() -> None:
    """It ends, and is known not to be whole."""
    stored = parameters.to_json({"x": in_itself()})["x"]
    json.dumps(stored)
    assert parameters.is_placeholder(stored)


@pytest.mark.parametrize("value", ["", "a < b", "<>", "<a b>", "a<b>", [], {}, ["<", ">"], 5, None, True])
def test_ordinary_values_are_no_placeholders(value: Any) -> None:
    """Only a text that is a type's name in angle brackets is one."""
    assert not parameters.is_placeholder(value)
