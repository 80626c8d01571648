"""Parameters as they are stored and shown: JSON, with `<TypeName>` for what JSON cannot hold."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final, cast

from flowdeck.rules.parameters.parameter_scalars import span_text

MAXIMUM_JSON_BYTES: Final = 8 << 20
"""All parameters of a run together. A parameter that goes beyond stands as `<TypeName>`: a flow may be called with a
table of any size, and a record of it is no reason to refuse that."""

_MAXIMUM_DEPTH: Final = 60
_MAXIMUM_INTEGER_BITS: Final = 10_000
"""Python itself refuses to write longer ones as text."""
_BYTES_OF_SCALAR: Final = 8


class _TooMuchError(Exception):
    """The space for JSON is used up."""


@dataclass(frozen=True, slots=True)
class Written:
    """A value as JSON.

    Attributes:
        value: the value to store.
        whole: nothing in it had to be replaced by `<TypeName>`.
    """

    value: Any
    whole: bool


def to_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON values, in their order; what JSON cannot hold stands as `<TypeName>`.

    NaN and the infinities become the texts `NaN`, `Infinity` and `-Infinity`, dates and times ISO 8601, enum members
    their values, sets and tuples arrays, dataclasses and pydantic models objects.
    """
    left = MAXIMUM_JSON_BYTES
    written: dict[str, Any] = {}
    for name, value in values.items():
        writer = _Writer(left)
        try:
            written[name] = writer.write(value, 0)
            left = writer.left
        except _TooMuchError:
            written[name] = _type_name(value)
    return written


def json_value(value: Any) -> Written:
    """Write one value, and tell whether anything was lost."""
    writer = _Writer(MAXIMUM_JSON_BYTES)
    try:
        return Written(writer.write(value, 0), writer.whole)
    except _TooMuchError:
        return Written(_type_name(value), whole=False)


def is_placeholder(value: Any) -> bool:
    """Tell whether a stored parameter, or a part of it, stands for a value that JSON could not hold.

    A text that an author happened to write as `<Name>` counts as one too: nothing in a record tells them apart.
    """
    if isinstance(value, str):
        return value[:1] == "<" and value[-1:] == ">" and value[1:-1].isidentifier()
    if isinstance(value, list):
        return any(map(is_placeholder, cast("list[Any]", value)))
    return isinstance(value, dict) and any(map(is_placeholder, cast("dict[str, Any]", value).values()))


class _Writer:
    """Walks one value, counting what it will take up."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.whole = True

    def write(self, value: Any, depth: int) -> Any:
        self._spend(len(value) if isinstance(value, str) else _BYTES_OF_SCALAR)
        if isinstance(value, Enum):
            return self.write(value.value, depth + 1) if depth < _MAXIMUM_DEPTH else self._lost(value)
        if value is None or isinstance(value, bool | str | int | float):
            return self._scalar(value)
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, timedelta):
            return span_text(value)
        if isinstance(value, bytes):
            return self._bytes(value)
        return self._container(value, depth) if depth < _MAXIMUM_DEPTH else self._lost(value)

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > _MAXIMUM_INTEGER_BITS:
            return self._lost(value)
        for plain in (bool, int, float, str):
            # json would write a subclass with a __repr__ of its own by that.
            if isinstance(value, plain):
                return plain(value) if type(value) is not plain else value
        return None

    def _bytes(self, value: bytes) -> str:
        self._spend(len(value))
        try:
            return value.decode()
        except UnicodeDecodeError:
            return self._lost(value)

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, list | tuple | AbstractSet) or _is_plain_sequence(value):
            return [self.write(member, depth + 1) for member in value]
        if is_dataclass(value) and not isinstance(value, type):
            return self._object({field.name: getattr(value, field.name, None) for field in fields(value)}, depth)
        return self._foreign(value, depth)

    def _object(self, values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for key, member in values.items():
            name = key if type(key) is str else str(self.write(key, depth + 1))
            self._spend(len(name))
            written[name] = self.write(member, depth + 1)
        return written

    def _foreign(self, value: Any, depth: int) -> Any:
        """Write what other modules hold; they are looked up, not imported: who has such a value has loaded them."""
        for module_name, class_name, write in _FOREIGN_TEXTS:
            kind = getattr(sys.modules.get(module_name), class_name, None)
            if kind is not None and isinstance(value, kind):
                return write(value)
        model = getattr(sys.modules.get("pydantic"), "BaseModel", None)
        if model is not None and isinstance(value, model):
            try:
                return self.write(value.model_dump(mode="json"), depth + 1)
            except _TooMuchError:
                raise
            except Exception:  # noqa: BLE001 - a model may bring code of its own for this
                return self._lost(value)
        return self._lost(value)

    def _lost(self, value: Any) -> str:
        self.whole = False
        return _type_name(value)

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _TooMuchError


_FOREIGN_TEXTS: Final = (("pathlib", "PurePath", str), ("decimal", "Decimal", str), ("uuid", "UUID", str))


def _is_plain_sequence(value: Any) -> bool:
    return isinstance(value, range) or (type(value).__module__ == "collections" and isinstance(value, Sequence))


def _type_name(value: Any) -> str:
    return f"<{type(value).__name__}>"
