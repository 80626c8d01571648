"""Hashes of arrays and frames: equal only for what numpy, pandas and polars take for equal."""

from __future__ import annotations

import dataclasses
import enum
import itertools
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pandas
import polars
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowdeck.rules.keys.content_hashes import content_hash

QUICK = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
NAMES = st.sampled_from([None, "a", "b", 1, ("a", "b")])
CELLS = st.sampled_from([None, 1, 1.0, True, "1", b"1", float("nan"), -0.0, 0.0, 2, ("a",)])
SMALL = st.integers(0, 2)


@st.composite
def indexes(draw: st.DrawFn, size: int) -> Any:
    """Make a pandas index of a size, of any of its kinds."""
    name, first = draw(NAMES), draw(SMALL)
    numbers = range(first, first + size)
    zone = draw(st.sampled_from([None, "UTC", "Europe/Berlin"]))
    return draw(
        st.sampled_from(
            [
                pandas.Index(list(numbers), name=name),
                pandas.Index([float(number) for number in numbers], name=name),
                pandas.Index([str(number) for number in numbers], name=name),
                pandas.Index([(number, "x") for number in numbers], name=name, tupleize_cols=False),
                pandas.MultiIndex.from_arrays([list(numbers), ["x"] * size], names=[name, "second"]),
                pandas.CategoricalIndex([str(number) for number in numbers], name=name),
                pandas.date_range("2026-01-01", periods=size, tz=zone, name=name),
            ]
        )
    )


@st.composite
def columns(draw: st.DrawFn, size: int = 2) -> Any:
    """Make a pandas Series of a size."""
    letters = draw(st.lists(st.sampled_from(["a", "b", None]), min_size=size, max_size=size))
    numbers = draw(st.lists(SMALL, min_size=size, max_size=size))
    categories = draw(st.permutations(["a", "b", "c"]).map(lambda all_of: all_of[: draw(st.integers(2, 3))]))
    kinds: list[Any] = [
        numpy.array(numbers, dtype=draw(st.sampled_from(["i1", "i8", "f8", "M8[s]", "M8[ns]", "m8[s]", "?"]))),
        pandas.array(numbers, dtype="Int64"),
        pandas.Categorical(
            [one if one in categories else None for one in letters], categories=categories, ordered=draw(st.booleans())
        ),
        numpy.array(
            draw(st.lists(CELLS.filter(lambda cell: cell != ("a",)), min_size=size, max_size=size)), dtype=object
        ),
        pandas.array(letters, dtype="string"),
        pandas.period_range("2026-01", periods=size, freq="M"),
    ]
    series = pandas.Series(draw(st.sampled_from(kinds)), name=draw(NAMES), index=draw(indexes(size)))
    series.attrs = draw(st.sampled_from([{}, {"unit": "m"}]))
    return series


@st.composite
def frames(draw: st.DrawFn) -> Any:
    """Make a pandas DataFrame of two columns."""
    frame = pandas.DataFrame({place: draw(columns()).reset_index(drop=True) for place in range(2)})
    frame.columns = draw(indexes(2))
    frame.index = draw(indexes(2))
    return frame


def same_in_pandas(one: Any, other: Any) -> bool:
    check = pandas.testing.assert_series_equal if isinstance(one, pandas.Series) else pandas.testing.assert_frame_equal
    try:
        check(one, other, check_exact=True, check_column_type=True) if one.ndim == 2 else check(
            one, other, check_exact=True
        )
    except AssertionError:
        return False
    return one.attrs == other.attrs


@QUICK
@given(st.lists(columns(), min_size=6, max_size=6))
def test_columns_of_one_hash_are_equal(made: list[Any]) -> None:
    """In name, type, categories and their order, index and attributes."""
    for one, other in itertools.combinations(made, 2):
        if content_hash(one) == content_hash(other):
            assert same_in_pandas(one, other), (one, other)
        assert content_hash(one) == content_hash(one.copy(deep=True)) is not None


@QUICK
@given(st.lists(frames(), min_size=4, max_size=4))
def test_frames_of_one_hash_are_equal(made: list[Any]) -> None:
    """In the names of their axes too."""
    for one, other in itertools.combinations(made, 2):
        if content_hash(one) == content_hash(other):
            assert same_in_pandas(one, other), (one, other)
        assert content_hash(one) == content_hash(one.copy(deep=True)) is not None


POLARS_TYPES = [
    polars.Int8, polars.Int64, polars.Float64, polars.String, polars.Boolean, polars.Datetime("ns"),
    polars.Datetime("us", "UTC"), polars.Duration("ms"), polars.Categorical, polars.Enum(["0", "1", "2"]),
    polars.Enum(["2", "1", "0"]), polars.List(polars.Int64), polars.Struct({"a": polars.Int64}),
]  # fmt: skip


@st.composite
def polars_series(draw: st.DrawFn) -> Any:
    """Make a polars Series of two cells."""
    dtype = draw(st.sampled_from(POLARS_TYPES))
    numbers = draw(st.lists(st.one_of(st.none(), SMALL), min_size=2, max_size=2))
    as_text = dtype in (polars.String, polars.Categorical) or isinstance(dtype, polars.Enum)
    cells: list[Any] = [None if number is None else str(number) if as_text else number for number in numbers]
    if isinstance(dtype, polars.List):
        cells = [None if number is None else [number] for number in numbers]
    elif isinstance(dtype, polars.Struct):
        cells = [{"a": number} for number in numbers]
    elif dtype == polars.Boolean:
        cells = [None if number is None else bool(number) for number in numbers]
    elif isinstance(dtype, polars.Datetime | polars.Duration):
        return polars.Series(draw(st.sampled_from(["a", "b"])), numbers, polars.Int64).cast(dtype)
    return polars.Series(draw(st.sampled_from(["a", "b"])), cells, dtype)


@QUICK
@given(st.lists(polars_series(), min_size=10, max_size=10))
def test_polars_columns_of_one_hash_are_equal(made: list[Any]) -> None:
    """In name, type and cells; also as frames."""
    for one, other in itertools.combinations(made, 2):
        equal = one.equals(other, check_dtypes=True, check_names=True)
        assert (content_hash(one) == content_hash(other)) == equal, (one, other)
        assert (content_hash(one.to_frame()) == content_hash(other.to_frame())) == equal


class Text(str):
    __slots__ = ()


class Colour(enum.Enum):
    RED = "red"


class Size(enum.Flag):
    SMALL = 1
    LARGE = 2


@dataclasses.dataclass
class Point:
    x: int


@dataclasses.dataclass
class Place:
    x: int


def in_order(dtype: Any, *values: Any) -> Any:
    return numpy.array(list(values), dtype=dtype)


NAN = numpy.array([0x7FF8000000000000, 0x7FF8000000000001], dtype="u8").view("f8")
DIFFERENT: list[Any] = [
    1, True, 1.0, numpy.int64(1), numpy.float64(1.0), "1", Text("1"), b"1", -1, 0.0, -0.0, 0, False, None,
    Colour.RED, "red", Size.SMALL, Size.SMALL | Size.LARGE, Point(1), Place(1), {"x": 1}, [1], (1,), {1},
    frozenset({1}),
    [1, 2], [2, 1], {1: 2}, {2: 1}, [[1], 2], [[1, 2]], [1, [2]],
    datetime(2026, 1, 1),  # noqa: DTZ001 - one without a zone is among them
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    Decimal(1), Decimal("1.0"), Path("1"), Path("a"),
    in_order("i4", 1, 2), in_order("i8", 1, 2), in_order(">i8", 1, 2), in_order("u8", 1, 2), in_order("f8", 1, 2),
    in_order("i8", 1, 2).reshape(2, 1), in_order("i8", 1, 2).reshape(1, 2), numpy.array(1), numpy.array([1]),
    numpy.zeros((0, 3)), numpy.zeros((3, 0)), numpy.zeros(0), in_order("M8[s]", 1), in_order("M8[ms]", 1),
    in_order("m8[s]", 1), NAN[:1], NAN[1:], in_order([("a", "i4"), ("b", "i4")], (1, 2)),
    in_order([("b", "i4"), ("a", "i4")], (1, 2)), in_order([("a", "O")], (1,)), in_order([("b", "O")], (1,)),
    in_order(object, 1), in_order(object, True), in_order(object, "1"), in_order("U1", "1"), in_order("S1", b"1"),
    numpy.ma.array([1, 2], mask=[0, 1]), numpy.ma.array([1, 2], mask=[1, 0]), numpy.zeros(2, 'V0'),
    pandas.Series(["a"], dtype=object, name="x"), pandas.Series(["a"], dtype=object, name="y"),
    pandas.Series(pandas.Categorical(["a"], categories=["a", "b"])),
    pandas.Series(pandas.Categorical(["a"], categories=["a", "c"])),
    pandas.Series(pandas.Categorical(["a"], categories=["b", "a"])),
    pandas.Series(pandas.Categorical(["a"], categories=["a", "b"], ordered=True)),
    pandas.DataFrame([[1, 2]], columns=pandas.Index(["a", "b"], name="first")),
    pandas.DataFrame([[1, 2]], columns=pandas.Index(["a", "b"], name="second")),
    pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
    pandas.DataFrame([[1, 2]], columns=pandas.Index([("a", "b"), ("a", "c")], tupleize_cols=False)),
    pandas.Index([1]), pandas.Index([1], name="x"), ("array", "int64 int64", (1,)), {"table": ("array",)},
]  # fmt: skip


def test_different_values_have_different_hashes() -> None:
    """However near they are to each other; alone, in a list and in an object."""
    for around in (lambda value: value, lambda value: [value], Point):
        hashes = [content_hash(around(value)) for value in DIFFERENT]
        assert None not in hashes
        same = [pair for pair in itertools.combinations(range(len(hashes)), 2) if hashes[pair[0]] == hashes[pair[1]]]
        assert not [(DIFFERENT[one], DIFFERENT[other]) for one, other in same]


def test_order_of_sets_and_dicts_does_not_count() -> None:
    """They are equal in Python."""
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    assert content_hash({"x", "y", "z"}) == content_hash({"z", "y", "x"})


def in_itself(kind: str) -> Any:
    members: list[Any] = []
    values: dict[str, Any] = {"list": members, "tuple": (members,), "dict": {"a": members}, "object": Point(0)}
    value = values[kind]
    members.append(value)
    if kind == "object":
        value.x = value
    return value


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("kind", ["list", "tuple", "dict", "object"])
def test_value_in_itself_has_no_hash(kind: str) -> None:
    """It is given up, in the time of one."""
    assert content_hash(in_itself(kind)) is None


def test_work_is_bounded() -> None:
    """For a value that is 3,000 deep, and for one that stands in itself 2**80 times."""
    began = time.monotonic()
    assert content_hash(deep(3_000)) is None
    shared: Any = [1]
    for _ in range(80):
        shared = [shared, shared]
    assert content_hash(shared) is not None
    assert time.monotonic() - began < 5
