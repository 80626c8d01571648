"""What a flow's parameters mean to a call: how it binds them, what they are made into, how they are stored.

How they are described stands in `parameter_schema`, how they are checked before a run in `parameter_checks`: a process
that only runs a flow needs neither.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any, Final

from flowdeck.rules.exceptions import ParameterBindError, ParameterError
from flowdeck.rules.parameters.parameter_json import MAXIMUM_JSON_BYTES, is_placeholder, to_json
from flowdeck.rules.parameters.parameter_scalars import UnfitError
from flowdeck.rules.parameters.parameter_types import type_hints, type_of

__all__ = [
    "MAXIMUM_JSON_BYTES",
    "bind",
    "call_arguments",
    "coerce",
    "coerce_all",
    "is_placeholder",
    "signature_of",
    "to_json",
    "type_hints",
]

_IN_LINE: Final = frozenset({Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD})
_BY_NAME: Final = frozenset({Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD})
_VARIADIC: Final = frozenset({Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD})


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return the signature of a function, also where an annotation of it cannot be resolved."""
    if sys.version_info >= (3, 14):  # annotations are evaluated when asked for, no longer when the file is loaded
        import annotationlib  # noqa: PLC0415 - older Pythons have none

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def bind(
    signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any], *, flow_name: str | None = None
) -> dict[str, Any]:
    """Give each parameter its value, defaults included, in the order of the signature.

    Returns:
        Parameter -> value; what `*args` and `**kwargs` take stands under their names, as a tuple and a dict.

    Raises:
        ParameterBindError: a parameter is missing, unknown, or given twice.
    """
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        raise ParameterBindError(f"{_flow(flow_name)} {_binding_problem(signature, args, kwargs)}") from None
    bound.apply_defaults()
    return bound.arguments


def call_arguments(signature: Signature, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Turn values by parameter, as `bind` returns them or a form sends them, into the arguments of a call.

    A parameter that has no value is left to its default. A name that the signature does not know becomes a keyword
    argument, so that binding the call names it as unknown, or `**kwargs` takes it.
    """
    positional: list[Any] = []
    named: dict[str, Any] = {}
    in_line = True
    for name, parameter in signature.parameters.items():
        given = name in values
        if parameter.kind is Parameter.VAR_POSITIONAL:
            positional.extend(_spread(values.get(name, ())) if in_line else ())
        elif parameter.kind is Parameter.VAR_KEYWORD:
            extra = values.get(name, {})
            named.update(extra if isinstance(extra, Mapping) else {name: extra})
        elif parameter.kind is Parameter.KEYWORD_ONLY or not in_line:
            named.update({name: values[name]} if given else {})
        elif given or parameter.default is not Parameter.empty:
            positional.append(values[name] if given else parameter.default)
        else:
            in_line = False  # binding will name it as missing
    named.update((name, value) for name, value in values.items() if name not in signature.parameters)
    return positional, named


def coerce(name: str, annotation: Any, value: Any, *, flow_name: str | None = None) -> Any:
    """Make of a value what the annotation of its parameter asks, as pydantic's lax mode does: `"5"` -> 5.

    Args:
        name: name of the parameter, for the error.
        annotation: a resolved one; `inspect.Parameter.empty` and unresolved texts ask nothing.
        value: the value that was given.
        flow_name: name of the flow, for the error.

    Raises:
        ParameterError: it cannot be made of this value.
    """
    try:
        return type_of(annotation).coerce(value, ())
    except UnfitError as error:
        sentence = error.sentence(name)
        raise ParameterError(f"{_flow(flow_name)}: {sentence}" if flow_name else sentence) from error


def coerce_all(
    signature: Signature, hints: Mapping[str, Any], values: Mapping[str, Any], *, flow_name: str | None = None
) -> dict[str, Any]:
    """Coerce what `bind` returned, defaults too; one that does not fit its own annotation is taken as it is.

    Args:
        signature: of the flow's function.
        hints: its annotations, as `type_hints` gives them.
        values: one for each parameter.
        flow_name: name of the flow, for the error.

    Raises:
        ParameterError: the first value that does not fit.
    """
    coerced: dict[str, Any] = {}
    for name, value in values.items():
        parameter, annotation = signature.parameters[name], hints.get(name, Parameter.empty)
        if value is parameter.default:
            coerced[name] = _coerced_default(annotation, value)
        elif parameter.kind is Parameter.VAR_POSITIONAL:
            coerced[name] = tuple(coerce(name, annotation, member, flow_name=flow_name) for member in value)
        elif parameter.kind is Parameter.VAR_KEYWORD:
            coerced[name] = {key: coerce(key, annotation, member, flow_name=flow_name) for key, member in value.items()}
        else:
            coerced[name] = coerce(name, annotation, value, flow_name=flow_name)
    return coerced


def _coerced_default(annotation: Any, value: Any) -> Any:
    try:
        return type_of(annotation).coerce(value, ())
    except UnfitError:
        return value  # `count: int = None`


def _spread(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list | tuple) else (values,)


def _flow(flow_name: str | None) -> str:
    return f'flow "{flow_name}"' if flow_name else "the flow"


def _binding_problem(signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Say why a call does not fit a signature; the interpreter's own words name neither the flow nor a way out."""
    parameters = list(signature.parameters.values())
    kinds = {parameter.kind for parameter in parameters}
    in_line = [one.name for one in parameters if one.kind in _IN_LINE]
    by_name = {one.name for one in parameters if one.kind in _BY_NAME}
    unknown = [name for name in kwargs if name not in by_name]
    if unknown and Parameter.VAR_KEYWORD not in kinds:
        taken = f"it takes {_listed(list(signature.parameters))}" if parameters else "it takes none"
        return f"has no parameter {_listed(unknown)}; {taken}"
    if len(args) > len(in_line) and Parameter.VAR_POSITIONAL not in kinds:
        return f"takes {len(in_line)} values by position ({_listed(in_line) or 'none'}), not {len(args)}"
    filled = set(in_line[: len(args)])
    twice = [name for name in kwargs if name in filled and name in by_name]
    if twice:
        return f"was given {_listed(twice)} twice, by position and by name"
    missing = [
        one.name
        for one in parameters
        if one.kind not in _VARIADIC
        and one.default is Parameter.empty
        and one.name not in filled
        and not (one.name in kwargs and one.name in by_name)
    ]
    return f"is missing the parameter{'s' if len(missing) > 1 else ''} {_listed(missing)}"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
