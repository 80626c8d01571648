"""Values held against a parameter schema: for forms and for those who run a flow without importing it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from flowdeck.rules.parameters.parameter_bounds import Bounded, bounds_of
from flowdeck.rules.parameters.parameter_models import ANY_INPUT
from flowdeck.rules.parameters.parameter_scalars import (
    BYTES,
    CLOCK_TIME,
    DAY,
    DECIMAL_PATTERN,
    DECIMAL_WORDS,
    MOMENT,
    NOTHING,
    NUMBER,
    SPAN,
    TEXT,
    TRUTH,
    WHOLE_NUMBER,
    Choice,
    ParameterType,
    Path,
    Scalar,
    UnfitError,
    unfit,
)
from flowdeck.rules.parameters.parameter_types import ANYTHING, Items, OneOf, Row, Table

_MAXIMUM_DEPTH: Final = 16
_UUID_PATTERN: Final = r"(?:urn:uuid:)?\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?"


def _no_truth(number: Scalar) -> Scalar:
    """Take a number as JSON means it: `true` is none there, other than in Python."""

    def convert(value: Any) -> Any:
        if isinstance(value, bool):
            raise TypeError
        return number.convert(value)

    return replace(number, convert=convert)


def _text_like(pattern: str, *others: type) -> Callable[[Any], Any]:
    """Take texts of a form, and values of other kinds as they are."""

    def convert(value: Any) -> Any:
        is_text = isinstance(value, str) and re.fullmatch(pattern, value.strip()) is not None
        if is_text or (isinstance(value, others) and not isinstance(value, bool)):
            return value
        raise ValueError

    return convert


_BY_TYPE: Final[Mapping[str, ParameterType]] = {
    "string": TEXT,
    "integer": _no_truth(WHOLE_NUMBER),
    "number": _no_truth(NUMBER),
    "boolean": TRUTH,
    "null": NOTHING,
}
_BY_FORMAT: Final[Mapping[str, ParameterType]] = {
    "date-time": MOMENT,
    "date": DAY,
    "time": CLOCK_TIME,
    "duration": SPAN,
    "binary": BYTES,
    "decimal": Scalar(object, DECIMAL_WORDS, _text_like(DECIMAL_PATTERN, int, float), {}),
    "uuid": Scalar(object, "a UUID", _text_like(_UUID_PATTERN), {}),
}


@dataclass(frozen=True, slots=True)
class Fields(ParameterType):
    """The fields of a model, as far as its schema tells of them.

    Attributes:
        fields: the fields by their name in the input.
        required: those that must be given.
        is_closed: no others are taken.
    """

    fields: Mapping[str, ParameterType]
    required: frozenset[str]
    is_closed: bool

    def fits(self, value: Any) -> bool:
        """An object is always looked through."""
        return False

    def coerce(self, value: Any, path: Path) -> Any:
        """Return the object with its known fields coerced, or raise UnfitError."""
        if not isinstance(value, Mapping):
            raise unfit("a table of names and values", value, path)
        given = cast("Mapping[str, Any]", value)
        unknown = [name for name in given if name not in self.fields]
        if unknown and self.is_closed:
            raise UnfitError(f"is not a field; there are {', '.join(self.fields)}", (*path, unknown[0]))
        missing = [name for name in self.fields if name in self.required and name not in given]
        if missing and not unknown:  # an unknown name may be another one of a field that seems to be missing
            raise UnfitError("is missing", (*path, missing[0]))
        return {
            name: self.fields[name].coerce(member, (*path, name)) if name in self.fields else member
            for name, member in given.items()
        }

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of the object."""
        properties = {name: kind.json_schema() for name, kind in self.fields.items()}
        return {"type": "object", "properties": properties, "required": sorted(self.required)}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a parameter.

    Attributes:
        sentence: says it, with the parameter's name.
        path: where in its value it lies; empty for the value as a whole.
    """

    sentence: str
    path: Path = ()


def validate(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Say in one sentence for each parameter what `problems_of` finds; empty when all is well."""
    return {name: problem.sentence for name, problem in problems_of(schema, values).items()}


def problems_of(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Problem]:
    """Hold values against the schema of a flow's parameters, before the flow is run.

    A value is well when the flow would take it: `"5"` is a whole number here too. What only the flow's own process
    can tell (a validator of a pydantic model) is told by the run. In one thing this is stricter than a call in
    Python: whoever types `true` for a number has erred.

    Returns:
        Parameter -> what is wrong with it; empty when all is well.
    """
    properties: Mapping[str, Any] = schema.get("properties", {})
    problems: dict[str, Problem] = {}
    for name in schema.get("required", ()):
        if name not in values:
            problems[name] = Problem(f"{name} is missing")
    for name, value in values.items():
        if name in properties:
            problem = _problem(name, properties[name], value)
            if problem is not None:
                problems[name] = problem
        elif schema.get("additionalProperties", True) is False:
            taken = f"the flow takes {', '.join(properties)}" if properties else "the flow takes none"
            problems[name] = Problem(f"{name} is not a parameter; {taken}")
    return problems


def parse_text(schema_property: Mapping[str, Any], text: str) -> Any:
    """Read what somebody typed for a parameter: text where the schema says string, else JSON, else text.

    Text is meant where nothing but a string (or null) is allowed.
    """
    if is_textual(schema_property):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def is_textual(schema_property: Mapping[str, Any]) -> bool:
    """Tell whether what is typed for a parameter is the value itself, never JSON."""
    return _is_textual(schema_property, definitions_of(schema_property))


def definitions_of(schema_property: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the shared parts of a parameter's schema, which lie inside it."""
    return schema_property.get("$defs", {})


def followed(described: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference leads to, with what stands beside the reference; other schemas as they are."""
    reference = described.get("$ref")
    if not isinstance(reference, str):
        return described
    beside = {key: value for key, value in described.items() if key != "$ref"}
    return {**definitions.get(reference.rpartition("/")[2], {}), **beside}


def _is_textual(described: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    described = followed(described, definitions)
    kinds = described.get("type")
    if isinstance(kinds, str):
        return kinds == "string"
    if isinstance(kinds, list):
        return set(cast("list[str]", kinds)) in ({"string"}, {"string", "null"})
    members: list[Mapping[str, Any]] = described.get("anyOf", described.get("oneOf", []))
    said = [member for member in members if followed(member, definitions).get("type") != "null"]
    return bool(said) and all(_is_textual(member, definitions) for member in said)


def _problem(name: str, described: Mapping[str, Any], value: Any) -> Problem | None:
    if "default" in described and type(described["default"]) is type(value) and described["default"] == value:
        return None  # a default is taken as it is, whatever the annotation says
    try:
        _type_of_schema(described, definitions_of(described)).coerce(value, ())
    except UnfitError as error:
        return Problem(error.sentence(name), error.path)
    return None


def _type_of_schema(described: Mapping[str, Any], definitions: Mapping[str, Any], depth: int = 0) -> ParameterType:
    """Return the type whose values a schema describes; what plain types do not say is left open."""
    described = followed(described, definitions)
    if depth > _MAXIMUM_DEPTH or described.get(ANY_INPUT):
        return ANYTHING  # a model that holds itself, or one that makes something of any input first
    if "enum" in described or "const" in described:
        options = described.get("enum", [described.get("const")])
        return Choice(tuple((option, option) for option in options))
    members = described.get("anyOf") or described.get("oneOf")
    if members:
        return OneOf(tuple(_type_of_schema(member, definitions, depth + 1) for member in members))
    kinds = described.get("type")
    if isinstance(kinds, list):
        each = [{**described, "type": kind} for kind in cast("list[str]", kinds)]
        return OneOf(tuple(_type_of_schema(one, definitions, depth + 1) for one in each))
    kind = _type_of_kind(str(kinds), described, definitions, depth)
    bounds = bounds_of(described)
    return Bounded(kind, bounds) if bounds and not isinstance(kind, Row) else kind


def _type_of_kind(kind: str, described: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> ParameterType:
    if kind == "array":
        return _type_of_array(described, definitions, depth)
    if kind == "object":
        return _type_of_object(described, definitions, depth)
    if kind == "string" and described.get("format") in _BY_FORMAT:
        return _BY_FORMAT[described["format"]]
    return _BY_TYPE.get(kind, ANYTHING)


def _type_of_array(described: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> ParameterType:
    places = described.get("prefixItems")
    if places and described.get("maxItems") == len(places):
        return Row(tuple(_type_of_schema(place, definitions, depth + 1) for place in places))
    items = described.get("items")
    item = _type_of_schema(items, definitions, depth + 1) if isinstance(items, dict) else ANYTHING
    return Items(list, item, keeps_tuples=True)


def _type_of_object(described: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> ParameterType:
    values = described.get("additionalProperties")
    properties: Mapping[str, Any] = described.get("properties", {})
    if properties:
        fields = {name: _type_of_schema(field, definitions, depth + 1) for name, field in properties.items()}
        return Fields(fields, frozenset(described.get("required", ())), values is False)
    return Table(ANYTHING, _type_of_schema(values, definitions, depth + 1) if isinstance(values, dict) else ANYTHING)
