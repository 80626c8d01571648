"""A flow's parameter schema as fields of a form, and what was typed into them as parameters. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowdeck.rules.parameter_schema import parse_text, validate
from flowdeck.rules.terminal_text import inert_line


@dataclass(frozen=True, slots=True)
class FormField:
    """One parameter as a form shows it.

    Attributes:
        name: of the parameter.
        kind: its type in words, harmless for a terminal.
        initial: text that the field starts with: the default.
        is_required: a value must be given.
        is_text: what is typed is the value itself, never JSON.
        schema: its part of the parameter schema.
    """

    name: str
    kind: str
    initial: str
    is_required: bool
    is_text: bool
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Filled:
    """What a form holds when it is submitted.

    Attributes:
        values: parameters that differ from their defaults.
        texts: what was typed for them, for the command line that does the same.
        problems: by field, one sentence on what is wrong; empty when the flow may run.
    """

    values: Mapping[str, Any]
    texts: Mapping[str, str]
    problems: Mapping[str, str]


def fields_of(schema: Mapping[str, Any]) -> tuple[FormField, ...]:
    """Return the fields of a schema in its order."""
    required = frozenset(schema.get("required", ()))
    shared = {key: value for key, value in schema.items() if key in ("$defs", "definitions")}
    return tuple(
        _field(name, {**shared, **described}, name in required)
        for name, described in schema.get("properties", {}).items()
    )


def _field(name: str, described: Mapping[str, Any], is_required: bool) -> FormField:
    is_text = parse_text(described, "0") == "0"
    default = described.get("default")
    if "default" not in described:
        initial = ""
    elif isinstance(default, str) and parse_text(described, default) == default:
        initial = default
    else:
        initial = json.dumps(default, ensure_ascii=False)
    return FormField(name, _kind(described), initial, is_required, is_text, described)


def _kind(described: Mapping[str, Any]) -> str:
    if "enum" in described:
        return "one of " + ", ".join(inert_line(str(choice)) for choice in described["enum"])
    if "const" in described:
        return f"always {inert_line(str(described['const']))}"
    if "$ref" in described:
        return inert_line(str(described["$ref"]).rsplit("/", 1)[-1])
    for choice in ("anyOf", "oneOf"):
        if choice in described:
            return " or ".join(dict.fromkeys(_kind(part) for part in described[choice]))
    kind = described.get("type")
    if kind is None:
        return "any"
    if not isinstance(kind, str):
        return " or ".join(str(one) for one in kind)
    return str(described.get("format", kind))


def read(schema: Mapping[str, Any], fields: Sequence[FormField], typed: Mapping[str, str]) -> Filled:
    """Make parameters of what was typed, and hold them against the schema.

    A field that still shows its default is left to the flow; an empty one that is not a text has no value.
    """
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for field in fields:
        text = typed.get(field.name, field.initial)
        if _has_value(field, text):
            values[field.name] = parse_text(field.schema, text)
            texts[field.name] = text
    return Filled(values, texts, validate(schema, values))


def _has_value(field: FormField, text: str) -> bool:
    if "default" in field.schema and text == field.initial:
        return False
    # Where a text stood and was taken away, the empty text is meant; elsewhere nothing was given.
    return bool(text) or (field.is_text and bool(field.initial))
