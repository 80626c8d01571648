"""Limits that a schema sets to a value beside its type: least and greatest, lengths, patterns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from typing import Any, Final, cast

from flowdeck.rules.parameters.parameter_scalars import ParameterType, Path, UnfitError, shown

_Judge = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class _Bound:
    """One keyword of JSON schema: to which values it applies, when they are well, and how it is said."""

    kinds: tuple[type, ...]
    is_well: _Judge
    words: str


def _matches(value: str, pattern: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # written for another dialect: the flow's own process knows it
        return True


def _is_multiple(value: float, step: float) -> bool:
    quotient = value / step
    return abs(quotient - round(quotient)) < 1e-9 * max(1.0, abs(quotient))


_NUMBERS: Final = (int, float)
_BOUNDS: Final[Mapping[str, _Bound]] = {
    "minimum": _Bound(_NUMBERS, lambda value, bound: value >= bound, "must be at least {}"),
    "maximum": _Bound(_NUMBERS, lambda value, bound: value <= bound, "must be at most {}"),
    "exclusiveMinimum": _Bound(_NUMBERS, lambda value, bound: value > bound, "must be more than {}"),
    "exclusiveMaximum": _Bound(_NUMBERS, lambda value, bound: value < bound, "must be less than {}"),
    "multipleOf": _Bound(_NUMBERS, _is_multiple, "must be a multiple of {}"),
    "minLength": _Bound((str,), lambda value, bound: len(value) >= bound, "must have at least {} characters"),
    "maxLength": _Bound((str,), lambda value, bound: len(value) <= bound, "must have at most {} characters"),
    "pattern": _Bound((str,), _matches, "must match the pattern {}"),
    "minItems": _Bound((list,), lambda value, bound: len(value) >= bound, "must have at least {} items"),
    "maxItems": _Bound((list,), lambda value, bound: len(value) <= bound, "must have at most {} items"),
}


@dataclass(frozen=True, slots=True)
class Bounded(ParameterType):
    """A type whose values are limited further.

    Attributes:
        kind: the type.
        bounds: keyword of JSON schema -> limit; only those of `bounds_of`.
    """

    kind: ParameterType
    bounds: Mapping[str, Any]

    def fits(self, value: Any) -> bool:
        """Tell whether a value passes unchanged."""
        return self.kind.fits(value) and self._broken(value) is None

    def coerce(self, value: Any, path: Path) -> Any:
        """Return the value as its type, or raise UnfitError; what it is made into is held against the limits."""
        coerced = self.kind.coerce(value, path)
        broken = self._broken(coerced)
        if broken is not None:
            words = _BOUNDS[broken].words.format(self.bounds[broken])
            counted = isinstance(coerced, list)
            said = len(cast("Sized", coerced)) if counted else shown(value)
            raise UnfitError(f"{words}, not {said}", path)
        return coerced

    def _broken(self, value: Any) -> str | None:
        for keyword, limit in self.bounds.items():
            bound = _BOUNDS[keyword]
            if isinstance(value, bound.kinds) and not bound.is_well(value, limit):
                return keyword
        return None

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of the type with its limits."""
        return {**self.kind.json_schema(), **self.bounds}


def bounds_of(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits that a schema sets, without keywords whose limit is none of the kind they want."""
    bounds = {keyword: described[keyword] for keyword in _BOUNDS if keyword in described}
    return {
        keyword: limit
        for keyword, limit in bounds.items()
        if isinstance(limit, str if keyword == "pattern" else (int, float))
    }
