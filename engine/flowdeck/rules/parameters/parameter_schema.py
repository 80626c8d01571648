"""Parameters as JSON schema: what a flow takes, told to forms and to those who run it without importing it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from inspect import Parameter, Signature, cleandoc
from typing import Any, Final

from flowdeck.rules.parameters.parameter_json import json_value
from flowdeck.rules.parameters.parameter_models import Model
from flowdeck.rules.parameters.parameter_scalars import ParameterType
from flowdeck.rules.parameters.parameter_types import type_of

_ARGUMENT_SECTION: Final = r"(?m)^(?:Args|Arguments|Parameters|Params):[ \t]*\n((?:[ \t]+.*\n?|[ \t]*\n)*)"
_ARGUMENT_ENTRY: Final = r"\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)"
_FIELD_ENTRY: Final = r"(?m)^:param\s+(?:[^:]*\s)?\*{0,2}(\w+):\s*(.*(?:\n[ \t]+\S.*)*)"

_VARIADIC: Final = frozenset({Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD})


def schema(signature: Signature, type_hints: Mapping[str, Any], docstring: str | None) -> dict[str, Any]:
    """Return the JSON schema of a flow's parameters.

    Args:
        signature: signature of the function.
        type_hints: its annotations, resolved.
        docstring: docstring of the function; what it says of a parameter becomes the description of its property.

    Returns:
        An object schema: a property for each parameter, in order; `required` names those without a default.
        `*args` is an array, `**kwargs` an object, of whose members each may also be given by its own name. A default
        that JSON cannot hold is left out.
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
    further = next((one.name for one in signature.parameters.values() if one.kind is Parameter.VAR_KEYWORD), None)
    others: Any = False if further is None else properties[further]["additionalProperties"]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": others}


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
