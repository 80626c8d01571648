"""Parameters of flows: binding, coercing, storing."""

# ruff: noqa: UP007, UP045, RUF013 - old and sloppy spellings are what users write

from __future__ import annotations

import math
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType, Optional, TypeVar, Union
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic takes the one of `typing` only from Python 3.12 on

from flowdeck.rules.exceptions import ParameterError
from flowdeck.rules.parameters import parameters

if TYPE_CHECKING:
    from nowhere import OnlyForTheTypeChecker  # pyright: ignore


class Colour(Enum):
    RED = "red"
    TWO = 2


class Level(IntEnum):
    LOW = 1


class Marker(Enum):
    ONE = object()
    TWO = (1, 2)


class User(BaseModel):
    age: int
    friends: list[User] = []


@dataclass
class Point:
    x: int


class Row(TypedDict):
    count: int


class Plain:
    """A class that pydantic does not know."""


Bound = TypeVar("Bound", bound=int)
Count = NewType("Count", int)


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (one == other or (one != one and other != other))  # noqa: PLR0124 - NaN


PLAIN: list[tuple[Any, Any]] = [
    *[(int, v) for v in (5, "5", " 5 ", "5.0", "1_000", "+5", "-5", 5.0, 5.5, True, "abc", "", "5.", None, b"5")],
    *[(int, v) for v in (1e400,)],
    *[(int, v) for v in (Decimal(5), Decimal("5.5"), Level.LOW, [5], "9" * 5000, math.nan)],
    *[(float, v) for v in (5, 5.5, True, "1.5", "nan", " 2 ", "", "x", None, Decimal("1.5"), b"1.5", 1j, [1.0])],
    *[(bool, v) for v in (True, 0, 1, 2, 1.0, 0.0, 0.5, "true", "FALSE", "yes", "no", "on", "t", "", " on", None, [])],
    *[(str, v) for v in ("x", 5, 5.5, None, True, b"x", bytearray(b"x"), b"\xff", ["x"])],
    *[(bytes, v) for v in (b"x", "x", bytearray(b"x"), 5, None)],
    *[(None, v) for v in (None, 0, "", False)],
    *[(Optional[int], v) for v in (None, 5, "5", "", "x", 5.5)],
    *[(int | None, v) for v in (None, "5", [])],
    *[(Union[int, str], v) for v in (5, "5", True, 5.0, 5.5, None)],
    *[(Union[str, float], v) for v in (5, "5", 1.5, True)],
    *[(Union[float, int], v) for v in (5, "5", True)],
    *[(list[int], v) for v in ([1], (1, "2"), {1}, frozenset({1}), range(2), deque([1]), "12", {1: 2}, {1: 2}.keys())],
    *[(list[int], v) for v in ([1, "x"], [None], None, 5, b"12")],
    *[(list, v) for v in ([1, "x"], (1,), "x")],
    *[(list[list[int]], v) for v in ([["1"], [2]], [[1], ["x"]])],
    *[(set[int], v) for v in ({1}, [1, "2"], (1,), "12")],
    *[(frozenset[str], v) for v in (frozenset({"a"}), {"a"}, ["a", "a"])],
    *[(tuple[int, ...], v) for v in ((1,), [1, "2"], ())],
    *[(tuple[int, str], v) for v in ((1, "a"), [1, "a"], ["1", "a"], (1,), (1, 2), (1, "a", 2))],
    *[(tuple, v) for v in ((1, "a"), [1])],
    *[(dict[str, int], v) for v in ({"a": 1}, {"a": "1"}, {1: 1}, {"a": "x"}, [("a", 1)], None)],
    *[(dict, v) for v in ({1: "x"}, [(1, 2)])],
    *[(Literal[1, "a"], v) for v in (1, "a", "1", "b", True, 1.0)],
    *[(Colour, v) for v in (Colour.RED, "red", 2, "2", "RED", "x", None)],
    *[(date, v) for v in (date(2026, 1, 31), "2026-01-31", "2026-01-31T00:00:00", "2026-01-31T01:00:00", "20260131")],
    *[(date, v) for v in (datetime(2026, 1, 1), datetime(2026, 1, 1, 1), 86400, 86401, 0, "x", None)],  # noqa: DTZ001
    *[(datetime, v) for v in ("2026-01-31", "2026-01-31T01:00Z", "2026-01-31 01:00", 0, 1.7e12, "1700000000", "x")],
    *[(datetime, v) for v in (None,)],
    *[(datetime, v) for v in (datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1), "2026-01-31T01:00:00.5+02:00")],
    *[(datetime, v) for v in (1e300,)],
    *[(timedelta, v) for v in (timedelta(1), 90, 1.5, "PT10M", "-PT1.5S", "P1DT2H", "P2W", "1:30:00", "01:30")],
    *[(timedelta, v) for v in ("3 days",)],
    *[(timedelta, v) for v in ("2 days, 1:00:00", "P", "PT", "x", "", None, 1e300)],
    *[(Path, v) for v in (Path("a"), "a", 5, None, b"a")],
    *[(Sequence[int], v) for v in ([1], (1, "2"), ["1"], "12", 5)],
    *[(Mapping[str, int], v) for v in ({"a": "1"}, 5)],
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value"), PLAIN, ids=lambda it: repr(it)[:40])
def test_plain_types_agree_with_pydantic(annotation: Any, value: Any) -> None:
    """What pydantic takes in lax mode our own rules take, to the same value; what it refuses they refuse."""
    try:
        expected = TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        with pytest.raises(ParameterError):
            parameters.coerce("x", annotation, value)
    else:
        assert same(parameters.coerce("x", annotation, value), expected)


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (timedelta, "90", timedelta(seconds=90)),
        (timedelta, " 1.5 ", timedelta(seconds=1.5)),
        (Level, 1, Level.LOW),
        (Marker, "ONE", Marker.ONE),
        (Marker, (1, 2), Marker.TWO),
        (PurePosixPath, "a", PurePosixPath("a")),
        (AbstractSet[int], ["1"], {1}),
        (Annotated[int, "in metres"], "5", 5),
        (Count, "5", 5),
        (Bound, "5", 5),
        (Any, "5", "5"),
        (object, "5", "5"),
        ("NotResolved", "5", "5"),
        (TypeVar("Free"), "5", "5"),
    ],
)
def test_what_goes_beyond_pydantic(annotation: Any, value: Any, expected: Any) -> None:
    """Seconds as text, members whose values no text can stand for, and annotations that ask nothing."""
    assert same(parameters.coerce("x", annotation, value), expected)


@pytest.mark.parametrize("value", [[1, 2], {"a": [1]}, {1, 2}, ({"a": 1},)], ids=repr)
def test_a_value_that_fits_stays_the_same_object(value: Any) -> None:
    """As in any call of a function: what a flow changes in its list, the caller sees."""
    for annotation in (type(value), Any, type(value) | None):
        assert parameters.coerce("x", annotation, value) is value


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (int, "abc", "x must be a whole number, not 'abc'"),
        (int, None, "x must be a whole number, not null"),
        (int, "y" * 500, "x must be a whole number, not '" + "y" * 59 + "…"),
        (float, Plain(), "x must be a number, not a Plain"),
        (bool, [1], "x must be true or false, not a list"),
        (list[dict[str, int]], [{"a": 1}, {"a": "q"}], "x[1]['a'] must be a whole number, not 'q'"),
        (int | None, "q", "x must be a whole number or null, not 'q'"),
        (list[int] | None, [1, "q"], "x[1] must be a whole number, not 'q'"),
        (Literal["a", "b"], "c", "x must be one of 'a', 'b', not 'c'"),
        (tuple[int, int], [1], "x must be a list of 2 values, not a list"),
        (set, [[1]], "x holds a value that cannot be in a set"),
        (dict[str, int], [], "x must be a table of names and values, not a list"),
        (date, "soon", "x must be a date such as 2026-01-31, not 'soon'"),
        (User, {"age": "q"}, "x['age'] must be a valid integer, not 'q'"),
        (User, {"age": 1, "friends": [{}]}, "x['friends'][0]['age'] is missing"),
        (Annotated[int, Field(gt=3)], 2, "x must be greater than 3, not 2"),
        (Plain, 5, "x must be an instance of Plain, not 5"),
    ],
    ids=lambda it: str(it)[:30],
)
def test_a_refusal_names_the_place_and_what_was_seen(annotation: Any, value: Any, said: str) -> None:
    """One sentence, also for what pydantic refuses."""
    with pytest.raises(ParameterError) as refused:
        parameters.coerce("x", annotation, value)
    assert str(refused.value) == said
    with pytest.raises(ParameterError, match=r'^flow "etl": x'):
        parameters.coerce("x", annotation, value, flow_name="etl")


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (User, {"age": "5"}, User(age=5)),
        (User | None, {"age": 1}, User(age=1)),
        (list[User], [{"age": 1}], [User(age=1)]),
        (dict[str, User], {"a": {"age": 1}}, {"a": User(age=1)}),
        (Point, {"x": "1"}, Point(1)),
        (Row, {"count": "1"}, {"count": 1}),
        (Annotated[int, Field(gt=3)], "5", 5),
        (UUID, "01a203ea-699c-7014-a47e-55c108cc28ab", UUID("01a203ea-699c-7014-a47e-55c108cc28ab")),
        (Decimal, "1.5", Decimal("1.5")),
        (time, "01:30", time(1, 30)),
        (Callable[[int], int], abs, abs),
    ],
    ids=lambda it: str(it)[:30],
)
def test_all_else_is_left_to_pydantic(annotation: Any, value: Any, expected: Any) -> None:
    """Models, dataclasses, typed dicts, constraints, and types that only pydantic knows."""
    assert same(parameters.coerce("x", annotation, value), expected)


@pytest.mark.parametrize("annotation", [Plain, Plain | None, Iterable[int], "Broken["])
def test_an_instance_of_an_unknown_class_passes(annotation: Any) -> None:
    """A table of pandas, a connection, anything: the class is all that is asked."""
    value = Plain() if annotation in (Plain, Plain | None) else iter([1])
    assert parameters.coerce("x", annotation, value) is not None


def test_plain_parameters_never_load_pydantic() -> None:
    """It would add more than a tenth of a second to the start of every flow."""
    code = """
import sys
from datetime import date
from typing import Literal
from pathlib import Path
from flowdeck.rules.parameters import parameter_checks, parameters
class Plain: pass
def work(a: int, b: list[str] | None = None, c: Literal["x"] = "x", d: date = date(2026, 1, 1), e: Path = Path("."),
         f: Plain = None, *rest: float, **more: dict[str, int]) -> None: "Args:\\n    a: number"
signature, hints = parameters.signature_of(work), parameters.type_hints(work)
bound = parameters.bind(signature, ("1",), {"b": ("x",), "f": Plain(), "z": {"q": "1"}})
coerced = parameters.coerce_all(signature, hints, bound)
parameters.to_json(coerced)
parameter_checks.validate({"properties": {"a": {"type": "integer"}}}, {"a": "x"})
print("pydantic" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def flow_function(
    n: int, /, names: list[str], day: date = date(2026, 1, 1), *rest: int, deep: bool = False, **more: float
) -> None: ...


SIGNATURE = parameters.signature_of(flow_function)
HINTS = parameters.type_hints(flow_function)


def test_binding_gives_every_parameter_its_value_in_order() -> None:
    """Defaults included; what the stars take stands under their names."""
    bound = parameters.bind(SIGNATURE, (1, ["a"]), {"x": 2.0})
    assert list(bound.items()) == [
        ("n", 1), ("names", ["a"]), ("day", date(2026, 1, 1)), ("rest", ()), ("deep", False), ("more", {"x": 2.0}),
    ]  # fmt: skip


def test_coercing_reaches_what_the_stars_take() -> None:
    """Each value of `*rest` and `**more` is made what its annotation asks."""
    bound = parameters.bind(SIGNATURE, ("1", ("a",), "2026-02-01", "3", 4.0), {"deep": "yes", "x": "2"})
    coerced = parameters.coerce_all(SIGNATURE, HINTS, bound)
    assert coerced == {
        "n": 1,
        "names": ["a"],
        "day": date(2026, 2, 1),
        "rest": (3, 4),
        "deep": True,
        "more": {"x": 2.0},
    }
    with pytest.raises(ParameterError, match=r"^flow .etl.: x must be a number, not 'q'$"):
        parameters.coerce_all(SIGNATURE, HINTS, {**bound, "more": {"x": "q"}}, flow_name="etl")


def test_a_default_need_not_fit_its_annotation() -> None:
    """`limit: int = None` is common, and nobody asks for it to be converted."""

    def work(limit: int = None, odd: list[int] = "none") -> None: ...  # type: ignore[assignment]

    signature = parameters.signature_of(work)
    bound = parameters.bind(signature, (), {})
    assert parameters.coerce_all(signature, parameters.type_hints(work), bound) == {"limit": None, "odd": "none"}


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "said"),
    [
        (lambda a, b=1: 0, (), {}, 'flow "etl" is missing the parameter a'),
        (lambda a, b, c: 0, (1,), {}, 'flow "etl" is missing the parameters b and c'),
        (lambda a, b=1: 0, (1,), {"z": 1}, 'flow "etl" has no parameter z; it takes a and b'),
        (lambda: 0, (), {"y": 1, "z": 1}, 'flow "etl" has no parameter y and z; it takes none'),
        (lambda a: 0, (1,), {"a": 1}, 'flow "etl" was given a twice, by position and by name'),
        (lambda a, b: 0, (1, 2, 3), {}, 'flow "etl" takes 2 values by position (a and b), not 3'),
        (lambda: 0, (1,), {}, 'flow "etl" takes 0 values by position (none), not 1'),
        (lambda *, a: 0, (), {}, 'flow "etl" is missing the parameter a'),
        (lambda a, **more: 0, (), {"z": 1}, 'flow "etl" is missing the parameter a'),
        (lambda a, /: 0, (), {"a": 1}, 'flow "etl" has no parameter a; it takes a'),
    ],
)
def test_a_call_that_does_not_fit_is_one_sentence(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], said: str
) -> None:
    """It names the flow, the parameter, and what there is instead."""
    with pytest.raises(ParameterError) as refused:
        parameters.bind(parameters.signature_of(function), args, kwargs, flow_name="etl")
    assert str(refused.value) == said


@pytest.mark.parametrize(
    "values",
    [
        {"n": 1, "names": []},
        {"n": 1, "names": [], "rest": [5, 6]},
        {"names": [], "n": 1, "deep": True, "more": {"x": 1.0}},
        {"n": 1, "names": [], "day": date(2027, 1, 1), "rest": (), "deep": False, "more": {}},
    ],
)
def test_values_by_name_become_a_call_that_binds_to_them(values: dict[str, Any]) -> None:
    """Also positional-only parameters, and what the stars take: a form knows only names."""
    args, kwargs = parameters.call_arguments(SIGNATURE, values)
    bound = parameters.bind(SIGNATURE, args, kwargs)
    assert {name: list(bound[name]) if name == "rest" else bound[name] for name in values} == {
        name: list(value) if name == "rest" else value for name, value in values.items()
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"names": []}, "the flow is missing the parameter n"),
        ({"n": 1, "rest": [5]}, "the flow is missing the parameter names"),
    ],
)
def test_values_that_are_missing_are_named_by_binding(values: dict[str, Any], said: str) -> None:
    """Whatever else is given, the sentence is about what is not."""
    args, kwargs = parameters.call_arguments(SIGNATURE, values)
    with pytest.raises(ParameterError, match=said):
        parameters.bind(SIGNATURE, args, kwargs)


def test_hints_that_cannot_be_resolved_ask_nothing() -> None:
    """A name imported for the type checker alone does not spoil the other annotations."""

    class Local: ...

    def work(a: OnlyForTheTypeChecker, b: int, c: Local, d: list[OnlyForTheTypeChecker] = []) -> None: ...  # noqa: B006

    assert parameters.type_hints(work) == {"a": Any, "b": int, "c": Any, "d": Any, "return": type(None)}
