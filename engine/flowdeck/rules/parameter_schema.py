"""Parameters as JSON schema: what a flow takes, told to forms and to those who run it without importing it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from inspect import Parameter, Signature, cleandoc
from typing import Any, Final, cast

from flowdeck.rules.parameter_json import json_value
from flowdeck.rules.parameter_models import Model
from flowdeck.rules.parameter_scalars import (
    BYTES,
    DAY,
    MOMENT,
    NOTHING,
    NUMBER,
    SPAN,
    TEXT,
    TRUTH,
    WHOLE_NUMBER,
    Choice,
    ParameterType,
    UnfitError,
)
from flowdeck.rules.parameter_types import ANYTHING, Items, OneOf, Row, Table, type_of

_ARGUMENT_SECTION: Final = r"(?m)^(?:Args|Arguments|Parameters|Params):[ \t]*\n((?:[ \t]+.*\n?|[ \t]*\n)*)"
_ARGUMENT_ENTRY: Final = r"\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)"
_FIELD_ENTRY: Final = r"(?m)^:param\s+(?:[^:]*\s)?\*{0,2}(\w+):\s*(.*(?:\n[ \t]+\S.*)*)"

_VARIADIC: Final = frozenset({Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD})
_MAXIMUM_DEPTH: Final = 16

_BY_TYPE: Final[Mapping[str, ParameterType]] = {
    "string": TEXT,
    "integer": WHOLE_NUMBER,
    "number": NUMBER,
    "boolean": TRUTH,
    "null": NOTHING,
}
_BY_FORMAT: Final[Mapping[str, ParameterType]] = {
    "date-time": MOMENT,
    "date": DAY,
    "duration": SPAN,
    "binary": BYTES,
}


def schema(signature: Signature, type_hints: Mapping[str, Any], docstring: str | None) -> dict[str, Any]:
    """Return the JSON schema of a flow's parameters.

    Args:
        signature: of the function.
        type_hints: its annotations, resolved.
        docstring: of the function; what it says of a parameter becomes the description of its property.

    Returns:
        An object schema: a property for each parameter, in order; `required` names those without a default.
        `*args` is an array, `**kwargs` an object. A default that JSON cannot hold is left out.
    """
    descriptions = dict(_described(docstring or ""))
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, parameter in signature.parameters.items():
        properties[name] = _property(parameter, type_of(type_hints.get(name, Any)))
        if name in descriptions:
            properties[name].setdefault("description", descriptions[name])
        if parameter.default is Parameter.empty and parameter.kind not in _VARIADIC:
            required.append(name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(parameter: Parameter, kind: ParameterType) -> dict[str, Any]:
    if isinstance(kind, Model):
        described = kind.json_schema(f"#/properties/{parameter.name}")
    else:
        described = kind.json_schema()
    if parameter.kind is Parameter.VAR_POSITIONAL:
        return {"type": "array", "items": described}
    if parameter.kind is Parameter.VAR_KEYWORD:
        return {"type": "object", "additionalProperties": described or True}
    if parameter.default is not Parameter.empty:
        written = json_value(parameter.default)
        if written.whole:
            described["default"] = written.value
    return described


def _described(docstring: str) -> Iterator[tuple[str, str]]:
    """Find what a docstring says of parameters, in Google's form or with `:param name:`."""
    text = f"{cleandoc(docstring)}\n"
    for name, description in re.findall(_FIELD_ENTRY, text):
        yield name, " ".join(description.split())
    section = re.search(_ARGUMENT_SECTION, text)
    if section is None:
        return
    entry: tuple[str, list[str]] | None = None
    for line in cleandoc(f"\n{section[1]}").splitlines():
        head = None if line[:1].isspace() else re.fullmatch(_ARGUMENT_ENTRY, line)
        if head is None and entry is not None:
            entry[1].append(line)
        if head is not None:
            if entry is not None:
                yield entry[0], " ".join(" ".join(entry[1]).split())
            entry = (head[1], [head[2]])
    if entry is not None:
        yield entry[0], " ".join(" ".join(entry[1]).split())


def validate(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Hold values against the schema of a flow's parameters, before the flow is run.

    A value is well when the flow would take it: `"5"` is a whole number here too. What only the flow's own process
    can tell (a constraint of a pydantic model) is told by the run.

    Returns:
        Parameter -> what is wrong with it, one sentence; empty when all is well.
    """
    properties: Mapping[str, Any] = schema.get("properties", {})
    problems: dict[str, str] = {}
    for name in schema.get("required", ()):
        if name not in values:
            problems[name] = f"{name} is missing"
    for name, value in values.items():
        if name in properties:
            problem = _problem(name, properties[name], value)
            if problem is not None:
                problems[name] = problem
        elif schema.get("additionalProperties", True) is False:
            taken = f"the flow takes {', '.join(properties)}" if properties else "the flow takes none"
            problems[name] = f"{name} is not a parameter; {taken}"
    return problems


def parse_text(schema_property: Mapping[str, Any], text: str) -> Any:
    """Read what somebody typed for a parameter: text where the schema says string, else JSON, else text.

    Text is meant where nothing but a string (or null) is allowed.
    """
    if _is_textual(schema_property, _definitions(schema_property)):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_textual(described: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    described = _followed(described, definitions)
    kinds = described.get("type")
    if isinstance(kinds, str):
        return kinds == "string"
    if isinstance(kinds, list):
        return set(cast("list[str]", kinds)) in ({"string"}, {"string", "null"})
    members: list[Mapping[str, Any]] = described.get("anyOf", described.get("oneOf", []))
    said = [member for member in members if _followed(member, definitions).get("type") != "null"]
    return bool(said) and all(_is_textual(member, definitions) for member in said)


def _problem(name: str, described: Mapping[str, Any], value: Any) -> str | None:
    if "default" in described and type(described["default"]) is type(value) and described["default"] == value:
        return None  # a default is taken as it is, whatever the annotation says
    try:
        _type_of_schema(described, _definitions(described)).coerce(value, ())
    except UnfitError as error:
        return error.sentence(name)
    return None


def _definitions(described: Mapping[str, Any]) -> Mapping[str, Any]:
    return described.get("$defs", {})


def _followed(described: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference leads to; definitions lie inside their property."""
    reference = described.get("$ref")
    if not isinstance(reference, str):
        return described
    return definitions.get(reference.rpartition("/")[2], {})


def _type_of_schema(described: Mapping[str, Any], definitions: Mapping[str, Any], depth: int = 0) -> ParameterType:
    """Return the type whose values a schema describes; what plain types do not say is left open."""
    described = _followed(described, definitions)
    if depth > _MAXIMUM_DEPTH:
        return ANYTHING  # a model that holds itself
    if "enum" in described or "const" in described:
        options = described.get("enum", [described.get("const")])
        return Choice(tuple((option, option) for option in options))
    members = described.get("anyOf") or described.get("oneOf")
    if members:
        return OneOf(tuple(_type_of_schema(member, definitions, depth + 1) for member in members))
    kinds = described.get("type")
    if isinstance(kinds, list):
        return OneOf(
            tuple(
                _type_of_schema({**described, "type": kind}, definitions, depth + 1)
                for kind in cast("list[str]", kinds)
            )
        )
    if kinds == "array":
        return _type_of_array(described, definitions, depth)
    if kinds == "object":
        return _type_of_object(described, definitions, depth)
    if kinds == "string" and described.get("format") in _BY_FORMAT:
        return _BY_FORMAT[described["format"]]
    return _BY_TYPE.get(str(kinds), ANYTHING)


def _type_of_array(described: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> ParameterType:
    places = described.get("prefixItems")
    if places and described.get("maxItems") == len(places):
        return Row(tuple(_type_of_schema(place, definitions, depth + 1) for place in places))
    items = described.get("items")
    item = _type_of_schema(items, definitions, depth + 1) if isinstance(items, dict) else ANYTHING
    return Items(list, item, keeps_tuples=True)


def _type_of_object(described: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> ParameterType:
    values = described.get("additionalProperties")
    # The fields of a model are for its own process to judge: it may know aliases and defaults of its own.
    return Table(ANYTHING, _type_of_schema(values, definitions, depth + 1) if isinstance(values, dict) else ANYTHING)
