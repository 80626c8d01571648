"""A parameter's type in words, for forms and descriptions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowdeck.rules.parameters.parameter_checks import definitions_of, followed
from flowdeck.rules.text.terminal_text import inert_line

_WORDS: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "array": "list",
    "object": "table",
    "date": "date such as 2026-01-31",
    "date-time": "date and time such as 2026-01-31T09:30",
    "time": "time such as 09:30",
    "duration": "duration such as 90 or 1:30:00",
    "decimal": "decimal number",
    "uuid": "UUID",
    "path": "path",
    "binary": "bytes",
    "password": "secret",
}
_MOST_DEPTH: Final = 3


def kind_of(schema: Mapping[str, Any]) -> str:
    """Say what values a parameter takes, harmless for a terminal."""
    return _kind(schema, definitions_of(schema), 0)


def name_of_value(placeholder: Any) -> str:
    """Return the type that a stored parameter says it was: `<DataFrame>` -> `DataFrame`."""
    return str(placeholder)[1:-1] if isinstance(placeholder, str) else "value with parts"


def _kind(described: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> str:
    schema = followed(described, definitions)
    if "enum" in schema:
        return "one of " + ", ".join(inert_line(str(choice)) for choice in schema["enum"])
    if "const" in schema:
        return f"always {inert_line(str(schema['const']))}"
    members = schema.get("anyOf") or schema.get("oneOf")
    if members:
        return " or ".join(dict.fromkeys(_kind(member, definitions, depth) for member in members))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(_WORDS.get(str(one), str(one)) for one in kind)
    if kind == "array":
        return _array(schema, definitions, depth)
    if kind == "object":
        return _object(schema, definitions, depth)
    words = _WORDS.get(str(schema.get("format"))) or _WORDS.get(str(kind))
    return (words or "anything") + _limits(schema)


def _array(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> str:
    items = schema.get("items")
    if not isinstance(items, dict) or not items or depth > _MOST_DEPTH:
        return "list"
    return f"list of {_kind(items, definitions, depth + 1)}"


def _object(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> str:
    fields: Mapping[str, Any] = schema.get("properties", {})
    if fields and depth <= _MOST_DEPTH:
        title = inert_line(str(schema.get("title", "table")))
        written = [f"{inert_line(name)}: {_kind(field, definitions, depth + 2)}" for name, field in fields.items()]
        return f"{title} {{{', '.join(written)}}}" if depth else title
    values = schema.get("additionalProperties")
    if isinstance(values, dict) and values and depth <= _MOST_DEPTH:
        return f"table of {_kind(values, definitions, depth + 1)}"
    return inert_line(str(schema.get("title", "table")))


def _limits(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f" from {least} on"
    return f" up to {most}" if most is not None else ""
