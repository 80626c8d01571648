"""Values that JSON does not have, as JSON: times, bytes, sets, dataclasses and models come back as they were."""

from __future__ import annotations

import base64
import dataclasses
import importlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any, Final
from uuid import UUID

_TAG: Final = "__flowdeck__"
_MAIN: Final = "__main__"
_FIELDS: Final = "__dataclass_fields__"


def encode(value: Any) -> bytes:
    """Return a value as JSON.

    Raises:
        TypeError: it holds something that cannot come back.
    """
    tagged = 0

    def default(found: Any) -> dict[str, Any]:
        nonlocal tagged
        tagged += 1
        kind, content = _written(found)
        return {_TAG: kind, "value": content}

    text = json.dumps(value, ensure_ascii=False, default=default)
    if text.count(f'"{_TAG}":') != tagged:
        raise TypeError(f"a dictionary has the key {_TAG}, which is flowdeck's own")
    return text.encode("utf-8", "surrogatepass")


def decode(content: bytes, names: Mapping[str, Any]) -> Any:
    """Return the value.

    Args:
        content: as `encode` made it.
        names: of the author's own module, for classes that were recorded while it ran as `__main__`.
    """

    def hook(found: dict[str, Any]) -> Any:
        return _read(found[_TAG], found["value"], names) if found.keys() == {_TAG, "value"} else found

    return json.loads(content.decode("utf-8", "surrogatepass"), object_hook=hook)


def _written(value: Any) -> tuple[str, Any]:
    if isinstance(value, bytes | bytearray):
        return type(value).__name__, base64.b64encode(value).decode()
    if isinstance(value, set | frozenset):
        return type(value).__name__, list(value)
    if isinstance(value, timedelta):
        return "timedelta", [value.days, value.seconds, value.microseconds]
    if isinstance(value, datetime | date | time):
        return type(value).__name__, value.isoformat()
    if isinstance(value, UUID | Decimal):
        return type(value).__name__, str(value)
    if isinstance(value, PurePath):
        return "Path", str(value)
    kind: Any = type(value)
    if hasattr(kind, _FIELDS):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
        return f"{kind.__module__}:{kind.__qualname__}", fields
    if hasattr(kind, "model_construct"):
        extra: dict[str, Any] = value.__pydantic_extra__ or {}
        return f"{kind.__module__}:{kind.__qualname__}", {**vars(value), **extra}
    raise TypeError(f"a {kind.__qualname__} has no form in JSON")


def _read_span(parts: Sequence[int]) -> timedelta:
    return timedelta(*parts)


def _read_bytearray(text: str) -> bytearray:
    return bytearray(base64.b64decode(text))


_READERS: Final[Mapping[str, Any]] = {
    "bytes": base64.b64decode,
    "bytearray": _read_bytearray,
    "set": set,
    "frozenset": frozenset,
    "timedelta": _read_span,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "UUID": UUID,
    "Decimal": Decimal,
    "Path": Path,
}


def _read(kind: str, content: Any, names: Mapping[str, Any]) -> Any:
    if kind in _READERS:
        return _READERS[kind](content)
    found = _class_of(kind, names)
    if hasattr(found, _FIELDS):
        made = object.__new__(found)  # its checks ran when it was made
        for name, member in content.items():
            object.__setattr__(made, name, member)
        return made
    if hasattr(found, "model_construct"):
        return found.model_construct(**content)
    raise TypeError(f"{kind} is neither a dataclass nor a model")


def _class_of(kind: str, names: Mapping[str, Any]) -> Any:
    module, _, path = kind.partition(":")
    head, *rest = path.split(".")
    found: Any
    if module == _MAIN and head in names:
        found = names[head]
    else:
        found = getattr(importlib.import_module(module), head)
    for part in rest:
        found = getattr(found, part)
    return found
