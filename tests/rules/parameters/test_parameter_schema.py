"""Parameters as JSON schema: what forms show, and what is refused before a run is made."""

# ruff: noqa: UP045, RUF013 - old and sloppy spellings are what users write

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field

from flowdeck.rules.parameters import parameter_checks, parameter_schema, parameters


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Mixed(Enum):
    ONE = 1
    A = "a"


class Marker(Enum):
    ONE = object()


class User(BaseModel):
    name: str
    age: int = 3


class Tree(BaseModel):
    children: list[Tree] = []


class Plain: ...


def schema_of(function: Callable[..., Any]) -> dict[str, Any]:
    return parameter_schema.schema(parameters.signature_of(function), parameters.type_hints(function), function.__doc__)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (Any, {}),
        (Plain, {}),
        ("Unknown", {}),
        (datetime, {"type": "string", "format": "date-time"}),
        (date, {"type": "string", "format": "date"}),
        (timedelta, {"type": "string", "format": "duration"}),
        (Path, {"type": "string", "format": "path"}),
        (bytes, {"type": "string", "format": "binary"}),
        (list, {"type": "array", "items": {}}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (
            tuple[int, str],
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
        ),
        (dict, {"type": "object", "additionalProperties": True}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Literal["a", "b"], {"enum": ["a", "b"], "type": "string"}),
        (Literal[1, "a"], {"enum": [1, "a"]}),
        (Colour, {"enum": ["red", "blue"], "type": "string"}),
        (Mixed, {"enum": [1, "a"]}),
        (Marker, {"enum": ["ONE"], "type": "string"}),
        (Annotated[int, Field(gt=3)], {"type": "integer", "exclusiveMinimum": 3}),
    ],
    ids=str,
)
def test_annotations_as_schema(annotation: Any, expected: dict[str, Any]) -> None:
    """Each plain type has the form that the world gives it; what is unknown allows all."""

    def work(x: Any) -> None: ...

    work.__annotations__["x"] = annotation
    assert schema_of(work) == {
        "type": "object", "properties": {"x": expected}, "required": ["x"], "additionalProperties": False,
    }  # fmt: skip


def test_a_model_brings_its_definitions_along() -> None:
    """References lead to where the definitions stand in the whole document."""

    def work(user: User, tree: Tree) -> None: ...

    properties = schema_of(work)["properties"]
    assert properties["user"]["properties"]["name"]["type"] == "string"
    reference = properties["tree"]["$defs"]["Tree"]["properties"]["children"]["items"]["$ref"]
    assert reference == "#/properties/tree/$defs/Tree"


def test_defaults_are_shown_where_json_can_hold_them() -> None:
    """A parameter with a default is never required, whether the default can be shown or not."""

    def work(
        a: int,
        b: int = 1,
        c: date = date(2026, 1, 1),
        d: timedelta = timedelta(seconds=90),
        e: Colour = Colour.RED,
        f: Any = Plain(),  # noqa: B008 - a default that JSON cannot hold
        g: float = math.nan,
        h: int = None,  # type: ignore[assignment]
        *rest: int,
        i: Path,
        **more: float,
    ) -> None: ...

    told = schema_of(work)
    assert told["required"] == ["a", "i"]
    defaults = {name: entry["default"] for name, entry in told["properties"].items() if "default" in entry}
    assert defaults == {"b": 1, "c": "2026-01-01", "d": "PT90S", "e": "red", "g": "NaN", "h": None}
    assert told["properties"]["rest"] == {"type": "array", "items": {"type": "integer"}}
    assert told["properties"]["more"] == {"type": "object", "additionalProperties": {"type": "number"}}


GOOGLE = """Do it.

    Args:
        a: the first
            of two.
        b (int, optional): the second: with a colon.
        *rest: others.

    Returns:
        c: nothing.
    """
FIELDS = """Do it.

    :param a: the first
        of two.
    :param int b: the second: with a colon.
    :param rest: others.
    :returns: nothing.
    """


@pytest.mark.parametrize("docstring", [GOOGLE, FIELDS])
def test_docstrings_describe_parameters(docstring: str) -> None:
    """In the two forms that are common."""

    def work(a: int, b: int, c: int, *rest: int) -> None: ...

    work.__doc__ = docstring
    told = {name: entry.get("description") for name, entry in schema_of(work)["properties"].items()}
    assert told == {"a": "the first of two.", "b": "the second: with a colon.", "c": None, "rest": "others."}


def everything(  # noqa: PLR0917 - one of each kind
    count: int,
    ratio: float,
    name: str,
    deep: bool,
    names: list[str],
    pair: tuple[int, str],
    counts: dict[str, int],
    colour: Colour,
    day: date,
    moment: datetime,
    wait: timedelta,
    folder: Path,
    user: User,
    anything: Any,
    maybe: int | None = None,
    limit: int = None,  # type: ignore[assignment]
    *rest: int,
    **more: float,
) -> None: ...


EVERYTHING = schema_of(everything)
WELL: dict[str, Any] = {
    "count": 1, "ratio": 1.5, "name": "x", "deep": True, "names": ["a"], "pair": [1, "a"], "counts": {"a": 1},
    "colour": "red", "day": "2026-01-31", "moment": "2026-01-31T09:00:00Z", "wait": "PT90S", "folder": "a",
    "user": {"name": "x"}, "anything": [1, {"a": None}],
}  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"count": "5", "ratio": 5, "deep": "yes", "wait": 90, "moment": 0},
        {"maybe": None},
        {"maybe": 5},
        {"limit": None},
        {"rest": [1, 2], "more": {"a": 1}},
        {"anything": None},
    ],
)
def test_what_the_flow_would_take_is_well(changed: dict[str, Any]) -> None:
    """Conversions of the run count; a default is taken even where it does not fit its annotation."""
    assert parameter_checks.validate(EVERYTHING, {**WELL, **changed}) == {}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("count", "x", "count must be a whole number, not 'x'"),
        ("count", None, "count must be a whole number, not null"),
        ("ratio", "x", "ratio must be a number, not 'x'"),
        ("name", 5, "name must be text, not 5"),
        ("deep", "perhaps", "deep must be true or false, not 'perhaps'"),
        ("names", "a", "names must be a list, not 'a'"),
        ("names", ["a", 5], "names[1] must be text, not 5"),
        ("pair", [1], "pair must be a list of 2 values, not a list"),
        ("counts", {"a": "x"}, "counts['a'] must be a whole number, not 'x'"),
        ("colour", "green", "colour must be one of 'red', 'blue', not 'green'"),
        ("day", "soon", "day must be a date such as 2026-01-31, not 'soon'"),
        ("moment", "soon", "moment must be a date and time such as 2026-01-31T09:30:00Z, not 'soon'"),
        ("wait", "soon", "wait must be a duration in seconds, or such as 1:30:00 or PT90M, not 'soon'"),
        ("user", 5, "user must be a table of names and values, not 5"),
        ("maybe", "x", "maybe must be a whole number or null, not 'x'"),
        ("rest", [1, "x"], "rest[1] must be a whole number, not 'x'"),
        ("more", {"a": "x"}, "more['a'] must be a number, not 'x'"),
    ],
)
def test_what_the_flow_would_refuse_is_told(name: str, value: Any, said: str) -> None:
    """One sentence under the parameter's name, the same that the run would fail with."""
    assert parameter_checks.validate(EVERYTHING, {**WELL, name: value}) == {name: said}


def test_missing_and_unknown_parameters_are_told_together() -> None:
    """All problems at once: a form shows each beside its field."""

    def work(a: int, b: int) -> None: ...

    assert parameter_checks.validate(schema_of(work), {"b": "x", "c": 1}) == {
        "a": "a is missing",
        "b": "b must be a whole number, not 'x'",
        "c": "c is not a parameter; the flow takes a, b",
    }
    assert parameter_checks.validate(schema_of(lambda: None), {"c": 1}) == {
        "c": "c is not a parameter; the flow takes none"
    }


def test_a_model_that_holds_itself_can_be_validated() -> None:
    """Following its references ends."""

    def work(tree: Tree) -> None: ...

    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"children": [deep]}
    assert parameter_checks.validate(schema_of(work), {"tree": deep}) == {}


def test_an_empty_schema_allows_all() -> None:
    """A flow whose parameters could not be described can be run all the same."""
    assert parameter_checks.validate({"type": "object", "properties": {}, "required": []}, {"a": 1}) == {}


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (str, "5", "5"),
        (str, "null", "null"),
        (str, "", ""),
        (Optional[str], "5", "5"),
        (Colour, "red", "red"),
        (Literal["1", "2"], "1", "1"),
        (date, "2026-01-31", "2026-01-31"),
        (timedelta, "90", "90"),
        (Path, "5", "5"),
        (int, "5", 5),
        (int, "x", "x"),
        (float, "1e3", 1000.0),
        (bool, "true", True),
        (bool, "yes", "yes"),
        (Optional[int], "null", None),
        (Optional[int], "5", 5),
        (int | str, "5", 5),
        (int | str, "x", "x"),
        (list[int], "[1, 2]", [1, 2]),
        (list[str], "a,b", "a,b"),
        (dict, '{"a": 1}', {"a": 1}),
        (User, '{"name": "x"}', {"name": "x"}),
        (Mixed, "1", 1),
        (Mixed, "a", "a"),
        (Any, "5", 5),
        (Any, "[1", "[1"),
        (Any, "plain text", "plain text"),
        (Any, "[" * 100_000, "[" * 100_000),
    ],
    ids=lambda it: str(it)[:20],
)
def test_typed_text_is_read_by_the_schema(annotation: Any, text: str, value: Any) -> None:
    """Text where the schema says string, else JSON, else text."""

    def work(x: Any) -> None: ...

    work.__annotations__["x"] = annotation
    read = parameter_checks.parse_text(schema_of(work)["properties"]["x"], text)
    assert (type(read), read) == (type(value), value)


def test_what_is_typed_for_each_type_is_taken_by_the_flow() -> None:
    """From the text in a form, through the check, to the value that the flow gets."""
    typed = {"day": "2026-01-31", "wait": "1:30:00", "moment": "2026-01-31T09:00:00Z", "colour": "blue", "count": "7"}

    def work(day: date, wait: timedelta, moment: datetime, colour: Colour, count: int) -> None: ...

    described = schema_of(work)
    read = {name: parameter_checks.parse_text(described["properties"][name], text) for name, text in typed.items()}
    assert parameter_checks.validate(described, read) == {}
    signature = parameters.signature_of(work)
    bound = parameters.bind(signature, (), read)
    assert parameters.coerce_all(signature, parameters.type_hints(work), bound) == {
        "day": date(2026, 1, 31),
        "wait": timedelta(hours=1.5),
        "moment": datetime(2026, 1, 31, 9, tzinfo=UTC),
        "colour": Colour.BLUE,
        "count": 7,
    }
