"""The key of a call, by which a later attempt finds what an earlier one recorded.

A call is (the call that made it, the key of its task, the key of its inputs, the how-manieth call with that same key).
Keys are the same in every process and under every hash seed, whether the file ran as `__main__` or was imported.

The encoding of inputs is `marshal` at version 0, whose bytes depend on nothing but the value: no references between
objects, no interning. Only exact built-in types reach it as they are. A dictionary of marshal therefore never stands
for a dictionary of the author's, and serves as the tag of everything else: `{"set": [...]}`, `{"dict": [...]}`.

Two dictionaries that differ only in order are the same input, as they are equal in Python; so are two sets.
1, 1.0 and True are three inputs. An enum member is its name: giving it another value is a change of code, not of input.
"""

from __future__ import annotations

import marshal
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from types import FunctionType, MappingProxyType
from typing import Any, Final

from flowdeck.rules.keys.bounded_bytes import BoundedBuffer, TooLargeError

try:
    # hashlib loads OpenSSL, 2 ms at the start of every flow; the same function lies in a small module of its own.
    from _blake2 import blake2b
except ImportError:  # a Python built without it
    from hashlib import blake2b

MAXIMUM_INPUT_BYTES: Final = 1 << 20
"""Inputs that encode to more are not keyed by their content: walking them would cost more than it saves."""

_MAXIMUM_DEPTH: Final = 100
_CONTAINER_BYTES: Final = 5
_MEMBER_BYTES: Final = 6
"""The least that a container, and one member of a set, take up: so that what is too large is given up early."""
_KEY_BYTES: Final = 16
_MARSHAL_VERSION: Final = 0
_PICKLE_PROTOCOL: Final = 5
_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
_SIZED: Final = frozenset({str, bytes})
_NUMBERS: Final = frozenset({int, float})
_NUMBER_BYTES: Final = 5
"""The least that a number takes up: so that a long list of them is given up before it is copied."""
_NAMES: Final = frozenset({str})
_NOTHING_KNOWN: Final[Mapping[int, bytes]] = MappingProxyType({})

_type_of: Callable[[Any], type[Any]] = type
"""`type`, told to the type checker; unlike `__class__` it cannot be feigned by a proxy."""


class _NotKeyedError(Exception):
    """Too large, too deep, or of a kind that has no stable bytes."""


def input_key(
    arguments: Sequence[Any] | Mapping[str, Any],
    known: Mapping[int, bytes] = _NOTHING_KNOWN,
    *,
    limit: int = MAXIMUM_INPUT_BYTES,
) -> bytes | None:
    """Return 16 bytes that stand for the values a task was called with.

    Args:
        arguments: the values, in a tuple or list, or in a dict by parameter name (the order of names does not matter).
        known: keys of the recorded calls that made large objects, by the `id` of the object.
        limit: number of bytes beyond which it is given up.

    Returns:
        The key, or None when the values cannot be keyed: more of them than `limit`, nested more than 100 deep or in
        themselves, or with a part that cannot be pickled.
    """
    try:
        encoder = _Encoder(known, limit)
        if isinstance(arguments, Mapping):
            canonical: Any = {"dict": encoder.mapping(arguments, 1)}
        else:
            canonical = encoder.sequence(tuple(arguments), 1)
        encoded = marshal.dumps(canonical, _MARSHAL_VERSION)
    except (_NotKeyedError, TooLargeError, ValueError, RuntimeError):
        # RuntimeError: nested beyond the stack, or changed by another thread while it was read.
        return None
    if len(encoded) > limit:
        return None
    return blake2b(encoded, digest_size=_KEY_BYTES).digest()


def task_key(function: Callable[..., Any]) -> str:
    """Return what names a task in the keys of its calls: `folder/file:qualified name`, without the module's name.

    A lambda has no name of its own, so that its line is added; two of one line share a key.
    """
    innermost: Any = function
    while hasattr(innermost, "__wrapped__"):
        innermost = innermost.__wrapped__
    if not hasattr(innermost, "__qualname__"):
        # A functools.partial, or an instance with __call__.
        inner: Callable[..., Any] = getattr(innermost, "func", _type_of(innermost))
        return task_key(inner)
    name = innermost.__qualname__
    code = getattr(innermost, "__code__", None)
    if code is None:
        return f"{_place_of_module(innermost.__module__)}:{name}"
    if name.endswith("<lambda>"):
        name = f"{name}@{code.co_firstlineno}"
    return f"{_place_of_file(code.co_filename)}:{name}"


def _place_of_file(path: str) -> str:
    """Return `folder/file` without suffix; what is no path (`<stdin>`) stays."""
    if path.startswith("<"):
        return path
    folder, name = os.path.split(os.path.abspath(path))
    return f"{os.path.basename(folder)}/{os.path.splitext(name)[0]}"


def _place_of_module(module_name: str | None) -> str:
    path = getattr(sys.modules.get(module_name or ""), "__file__", None)
    # The file name of a compiled module tells of the Python it was built for.
    return _place_of_file(path) if path and path.endswith(".py") else str(module_name)


class _Encoder:
    """Turns one call's values into built-in ones that marshal writes the same way everywhere."""

    def __init__(self, known: Mapping[int, bytes], limit: int) -> None:
        self._budget = limit
        self._known = known

    def value(self, value: Any, depth: int) -> Any:
        kind = _type_of(value)
        if kind in _PLAIN:
            self._spend(len(value) if kind is str or kind is bytes else 1)
            return value
        if self._known and (made_by := self._known.get(id(value))) is not None:
            return {"made by": made_by}
        if depth > _MAXIMUM_DEPTH:
            raise _NotKeyedError
        self._spend(_CONTAINER_BYTES)
        if kind is list or kind is tuple:
            return self.sequence(value, depth + 1)
        if kind is dict:
            return {"dict": self.mapping(value, depth + 1)}
        if kind is set or kind is frozenset:
            self._spend(len(value) * _MEMBER_BYTES)
            return {kind.__name__: sorted(self._bytes(member, depth + 1) for member in value)}
        return self._special(value, kind)

    def sequence(self, values: list[Any] | tuple[Any, ...], depth: int) -> list[Any] | tuple[Any, ...]:
        if self._all_plain(values):
            return values
        encoded = [self.value(value, depth) for value in values]
        return encoded if type(values) is list else tuple(encoded)

    def mapping(self, values: Mapping[Any, Any], depth: int) -> tuple[Any, ...]:
        if not _NAMES.issuperset(map(type, values)):
            self._spend(len(values) * _MEMBER_BYTES)
            return tuple(sorted((self._bytes(key, depth), self._bytes(value, depth)) for key, value in values.items()))
        self._spend(sum(map(len, values)))
        names = sorted(values)
        return (*names, *self.sequence(tuple([values[name] for name in names]), depth))

    def _all_plain(self, values: list[Any] | tuple[Any, ...]) -> bool:
        """Tell whether marshal takes `values` as they are, and count them; at the speed of C, for long lists."""
        self._spend(len(values))
        kinds = set(map(type, values))
        if not kinds <= _PLAIN:
            return False
        if kinds <= _NUMBERS:
            self._spend(len(values) * (_NUMBER_BYTES - 1))
        if not kinds.isdisjoint(_SIZED):
            self._spend(sum([len(value) for value in values if type(value) in _SIZED]))
        return True

    def _bytes(self, value: Any, depth: int) -> bytes:
        return marshal.dumps(self.value(value, depth), _MARSHAL_VERSION)

    def _special(self, value: Any, kind: type[Any]) -> dict[str, Any]:
        write = _WRITERS.get(kind) or _writer_of_loaded_module(kind)
        if write is not None:
            return {kind.__name__: write(value)}
        if isinstance(value, Enum):
            return {"enum": (_place_of_module(kind.__module__), kind.__qualname__, value.name)}
        pickled = _pickle(value, self._budget)
        self._spend(len(pickled))
        return {"pickle": pickled}

    def _spend(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            raise _NotKeyedError


def _moment(value: datetime | time) -> tuple[str, int, str | None]:
    # Two zones may agree at one moment and not a day later: a named zone counts by its name too.
    return (value.isoformat(), value.fold, getattr(value.tzinfo, "key", None))


def _span(value: timedelta) -> tuple[int, int, int]:
    return (value.days, value.seconds, value.microseconds)


_WRITERS: Final[dict[type[Any], Callable[[Any], Any]]] = {
    datetime: _moment,
    time: _moment,
    date: date.isoformat,
    timedelta: _span,
}


def _writer_of_loaded_module(kind: type[Any]) -> Callable[[Any], Any] | None:
    """Know paths and decimals without importing their modules: who has a value of theirs has loaded them."""
    decimal, pathlib = sys.modules.get("decimal"), sys.modules.get("pathlib")
    if decimal is not None and kind is decimal.Decimal:
        return str
    if pathlib is not None and kind in {
        pathlib.PosixPath,
        pathlib.PurePosixPath,
        pathlib.WindowsPath,
        pathlib.PureWindowsPath,
    }:
        return str
    return None


class _StablePickler(pickle.Pickler):
    """Pickles so that equal objects give equal bytes: without memory of identity, sets in order, places for modules."""

    def __init__(self, buffer: BoundedBuffer) -> None:
        super().__init__(buffer, _PICKLE_PROTOCOL)
        self._buffer = buffer
        self.fast = True

    def persistent_id(self, obj: Any) -> Any:
        kind = _type_of(obj)
        if kind is set or kind is frozenset:
            return (kind.__name__, self._members(obj))
        if isinstance(obj, type | FunctionType) and "<" not in obj.__qualname__:
            return (_place_of_module(obj.__module__), obj.__qualname__)
        # What was made inside a function is left to pickle, which refuses it.
        return None

    def _members(self, members: Iterable[Any]) -> list[bytes]:
        left, pickled = self._buffer.left, list[bytes]()
        for member in members:
            pickled.append(_pickle(member, left))
            left -= len(pickled[-1])
        return sorted(pickled)


def _pickle(value: Any, limit: int) -> bytes:
    buffer = BoundedBuffer(limit)
    try:
        _StablePickler(buffer).dump(value)
    except Exception as error:
        raise _NotKeyedError from error
    return buffer.content()
