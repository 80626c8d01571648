"""Parameters that plain rules do not settle: pydantic's models, dataclasses, constraints and all the rest.

pydantic is imported only here, and only when such an annotation has something to convert or to describe: importing it
takes 0.1 s, more than the whole start of a flow. In an environment without it values pass as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from flowdeck.rules.parameters.parameter_scalars import ParameterType, Path, UnfitError, unfit

_REASON: Final = ", (?:unable|got) "
"""Where pydantic goes on to tell of its attempts; our sentence ends with the value instead."""


ANY_INPUT: Final = "x-any-input"
"""Marks a part of a schema whose validator sees the input first: it may make something of what seems not to fit."""


@dataclass(frozen=True, slots=True)
class Model(ParameterType):
    """An annotation that is left to pydantic.

    Attributes:
        annotation: the whole of it.
        alternatives: the members of a union, so that a value that fits one of them needs no pydantic.
    """

    annotation: Any
    alternatives: Sequence[ParameterType] = ()

    def fits(self, value: Any) -> bool:
        """Tell whether a value is an instance of the annotated class, and so passes unchanged."""
        if self.alternatives:
            return any(alternative.fits(value) for alternative in self.alternatives)
        if not isinstance(self.annotation, type):
            return False
        try:
            return isinstance(value, self.annotation)
        except TypeError:  # a TypedDict, or a Protocol that is not for run time
            return False

    def coerce(self, value: Any, path: Path) -> Any:
        """Return what pydantic makes of a value, or raise UnfitError."""
        if self.fits(value):
            return value
        adapter = _adapter(self.annotation)
        if adapter is None:
            return value
        from pydantic import ValidationError  # noqa: PLC0415 - start-up cost: see above

        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            raise _unfit(first["type"], first["msg"], first["input"], (*path, *first["loc"])) from error

    def json_schema(self, pointer: str = "#") -> dict[str, Any]:
        """Return the JSON schema that pydantic gives, its definitions inside; empty when it has none.

        Args:
            pointer: where the schema will stand in its document, so that references lead to its definitions.
        """
        adapter = _adapter(self.annotation)
        if adapter is None:
            return {}
        try:
            return adapter.json_schema(ref_template=f"{pointer}/$defs/{{model}}", schema_generator=_generator())
        except Exception:  # noqa: BLE001 - an annotation may bring code of its own for this
            return {}


def _unfit(kind: str, message: str, value: Any, path: Path) -> UnfitError:
    if kind == "missing":
        return UnfitError("is missing", path)
    expected = message.removeprefix("Input should be ")
    if expected == message:
        return UnfitError(f"is refused: {message}", path)
    return unfit(re.split(_REASON, expected, maxsplit=1)[0], value, path)


@lru_cache(maxsize=1)
def _generator() -> Any:
    """Return pydantic's maker of schemas, taught to mark what `ANY_INPUT` says."""
    from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415 - start-up cost: see above

    class Generator(GenerateJsonSchema):
        """Says where a validator of the author's own comes before the type."""

        def function_before_schema(self, schema: Any) -> dict[str, Any]:
            """Mark it."""
            return {**super().function_before_schema(schema), ANY_INPUT: True}

        def function_wrap_schema(self, schema: Any) -> dict[str, Any]:
            """Mark it."""
            return {**super().function_wrap_schema(schema), ANY_INPUT: True}

    return Generator


def _adapter(annotation: Any) -> Any:
    """Return pydantic's TypeAdapter of an annotation, or None when there is none."""
    try:
        # Unions that differ in order are equal to Python, not to pydantic.
        return _cached_adapter(annotation, repr(annotation))
    except TypeError:  # not hashable
        return _make_adapter(annotation)


@lru_cache(maxsize=256)
def _cached_adapter(annotation: Any, _written: str) -> Any:
    return _make_adapter(annotation)


def _make_adapter(annotation: Any) -> Any:
    try:
        from pydantic import ConfigDict, PydanticUserError, TypeAdapter  # noqa: PLC0415 - start-up cost: see above
    except ImportError:
        return None
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:
        pass  # a class that has a configuration of its own takes none from outside
    except Exception:  # noqa: BLE001 - an annotation may bring code of its own for this
        return None
    try:
        return TypeAdapter(annotation)
    except Exception:  # noqa: BLE001 - as above
        return None
