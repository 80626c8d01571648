"""Values as bytes that depend on nothing but the value: the same in every process and under every hash seed.

The encoding is `marshal` at version 0: no references between objects, no interning. Only exact built-in types reach it
as they are. A dictionary of marshal therefore never stands for a dictionary of the author's, and serves as the tag of
everything else: `{"set": [...]}`, `{"dict": [...]}`.

Two dictionaries that differ only in order are the same value, as they are equal in Python; so are two sets.
1, 1.0 and True are three values. An enum member is its name: giving it another value is a change of code, not of input.
Functions, classes and modules are what `function_encoding` says.
"""

from __future__ import annotations

import marshal
import pickle
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final

from flowdeck.rules.keys import first_sights, function_encoding, places, table_forms
from flowdeck.rules.keys.bounded_bytes import BoundedBuffer, TooLargeError
from flowdeck.rules.keys.refusals import NotKeyedError

try:
    # hashlib loads OpenSSL, 2 ms at the start of every flow; the same function lies in a small module of its own.
    from _blake2 import blake2b
except ImportError:  # a Python built without it
    from hashlib import blake2b

KEY_BYTES: Final = 16
MARSHAL_VERSION: Final = 0
_MAXIMUM_DEPTH: Final = 100
_CONTAINER_BYTES: Final = 5
_MEMBER_BYTES: Final = 6
"""The least that a container, and one member of a set, take up: so that what is too large is given up early."""
_PICKLE_PROTOCOL: Final = 5
_PICKLED_OBJECTS: Final = 5_000_000
"""In one value: an object that stands in itself many times over is given up, whatever its bytes come to."""
_REMEMBERED: Final = 100_000
"""Containers whose digests are kept while one value is read, so that one that stands in it twice is read once."""
_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
_SIZED: Final = frozenset({str, bytes})
_NUMBERS: Final = frozenset({int, float})
_NUMBER_BYTES: Final = 5
"""The least that a number takes up: so that a long list of them is given up before it is copied."""
_NAMES: Final = frozenset({str})
_CONTAINERS: Final = frozenset({list, tuple, dict, set, frozenset})

_SIGNALS: Final = frozenset({threading.Event, threading.Condition, threading.Semaphore, threading.Barrier})
"""What these are when a call begins depends on other threads: for replay they count by their type."""

type_of: Callable[[Any], type[Any]] = type
"""`type`, told to the type checker; unlike `__class__` it cannot be feigned by a proxy."""


def digest(encoded: bytes) -> bytes:
    """Return 16 bytes that stand for encoded ones."""
    return blake2b(encoded, digest_size=KEY_BYTES).digest()


class Encoder:
    """Turns values into built-in ones that marshal writes the same way everywhere."""

    def __init__(self, known: Mapping[int, bytes], limit: int, *, whole: bool = False, source_file: str = "") -> None:
        """Make an encoder of the values of one key.

        Args:
            known: what stands for large objects, by their `id`.
            limit: number of bytes beyond which it gives up.
            whole: arrays and frames count by their content, and what stands in a value twice is read once.
            source_file: functions of this file count by their code and by what it names; empty for those only that
                have no name of their own.
        """
        self.budget = limit
        self.whole = whole
        self.functions = function_encoding.FunctionEncoder(self, source_file)
        self._known = known
        self._digests: dict[int, tuple[Any, bytes]] = {}

    def value(self, value: Any, depth: int) -> Any:
        """Return what marshal writes for a value.

        Args:
            value: any.
            depth: of what it stands in.

        Raises:
            NotKeyedError: it has no stable bytes, or too many.
        """
        kind = type_of(value)
        if kind in _PLAIN:
            self.spend(len(value) if kind is str or kind is bytes else 1)
            return value
        if self._known and (made_by := self._known.get(id(value))) is not None:
            return {"made by": made_by}
        if depth > _MAXIMUM_DEPTH:
            raise NotKeyedError(f"it is nested more than {_MAXIMUM_DEPTH} deep, or in itself")
        self.spend(_CONTAINER_BYTES)
        if kind not in _CONTAINERS:
            return self._special(value, kind, depth)
        return self._remembered(value, kind, depth) if self.whole else self._container(value, kind, depth)

    def sequence(self, values: list[Any] | tuple[Any, ...], depth: int) -> list[Any] | tuple[Any, ...]:
        """Return a list or tuple of encoded members; see `value`."""
        if self._all_plain(values):
            return values
        encoded = [self.value(value, depth) for value in values]
        return encoded if type(values) is list else tuple(encoded)

    def mapping(self, values: Mapping[Any, Any], depth: int) -> tuple[Any, ...]:
        """Return the encoded items of a dict in an order of their own; see `value`."""
        if not _NAMES.issuperset(map(type, values)):
            self.spend(len(values) * _MEMBER_BYTES)
            return tuple(sorted((self.bytes_of(key, depth), self.bytes_of(one, depth)) for key, one in values.items()))
        self.spend(sum(map(len, values)))
        names = sorted(values)
        return (*names, *self.sequence(tuple([values[name] for name in names]), depth))

    def bytes_of(self, value: Any, depth: int) -> bytes:
        """Return the bytes of a value; see `value`."""
        return marshal.dumps(self.value(value, depth), MARSHAL_VERSION)

    def first_seen(self, value: Any, depth: int) -> Any:
        """Return what stands for an object that may have changed since it was first seen; see `value`."""
        kind = type_of(value)
        if kind in _PLAIN or kind is tuple or kind is frozenset or function_encoding.is_code(value, kind):
            return self.value(value, depth)
        number = self.functions.number(value)
        if number is not None:
            return {"again": number}

        def made() -> bytes:
            with self.functions.numbered_apart():
                return digest(self.bytes_of(value, depth))

        return {"first": first_sights.key_of(value, self.whole, made)}

    def pickled(self, value: Any, limit: int, depth: int) -> bytes:
        """Return the bytes of an object as it is pickled; see `value`."""
        buffer = BoundedBuffer(limit)
        try:
            _StablePickler(buffer, self, depth).dump(value)
        except NotKeyedError:
            raise
        except TooLargeError:
            raise NotKeyedError("it is too large") from None
        except Exception as error:
            raise NotKeyedError(f"{type_of(value).__qualname__} cannot be pickled") from error
        return buffer.content()

    def spend(self, size: int) -> None:
        """Count bytes against the limit.

        Raises:
            NotKeyedError: there are too many.
        """
        self.budget -= size
        if self.budget < 0:
            raise NotKeyedError("it is too large")

    def _container(self, value: Any, kind: type[Any], depth: int) -> Any:
        if kind is list or kind is tuple:
            return self.sequence(value, depth + 1)
        if kind is dict:
            return {"dict": self.mapping(value, depth + 1)}
        self.spend(len(value) * _MEMBER_BYTES)
        return {kind.__name__: sorted(self.bytes_of(member, depth + 1) for member in value)}

    def _remembered(self, value: Any, kind: type[Any], depth: int) -> dict[str, bytes]:
        known = self._digests.get(id(value))
        if known is not None:
            return {"digest": known[1]}
        found = digest(marshal.dumps(self._container(value, kind, depth), MARSHAL_VERSION))
        if len(self._digests) < _REMEMBERED:
            self._digests[id(value)] = (value, found)
        return {"digest": found}

    def _all_plain(self, values: list[Any] | tuple[Any, ...]) -> bool:
        """Tell whether marshal takes `values` as they are, and count them; at the speed of C, for long lists."""
        self.spend(len(values))
        kinds = set(map(type, values))
        if not kinds <= _PLAIN:
            return False
        if kinds <= _NUMBERS:
            self.spend(len(values) * (_NUMBER_BYTES - 1))
        if not kinds.isdisjoint(_SIZED):
            self.spend(sum([len(value) for value in values if type(value) in _SIZED]))
        return True

    def _special(self, value: Any, kind: type[Any], depth: int) -> dict[str, Any]:
        write = _WRITERS.get(kind) or _writer_of_loaded_module(kind)
        if write is not None:
            return {kind.__name__: write(value)}
        if self.whole and (form := table_forms.form_of(kind)) is not None:
            return {"table": self._table(value, form, depth)}
        if isinstance(value, Enum):
            named = value.name is not None and "<" not in kind.__qualname__
            told = value.name if named else (value.name, self.value(value.value, depth + 1))
            return {"enum": (places.of_module(kind.__module__), kind.__qualname__, told)}
        if function_encoding.is_code(value, kind):
            return self.functions.encode(value, depth + 1)
        if not self.whole and kind in _SIGNALS:
            return {"signal": kind.__name__}
        pickled = self.pickled(value, self.budget, depth)
        self.spend(len(pickled))
        return {"pickle": pickled}

    def _table(self, table: Any, form: table_forms.Form, depth: int) -> Any:
        try:
            self.spend(int(getattr(table, "size", 0)))
            return form(table, lambda member: self.value(member, depth + 1))
        except NotKeyedError:
            raise
        except Exception as error:
            raise NotKeyedError(f"{type_of(table).__qualname__} cannot be read") from error


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

    def __init__(self, buffer: BoundedBuffer, encoder: Encoder, depth: int) -> None:
        super().__init__(buffer, _PICKLE_PROTOCOL)
        self._buffer = buffer
        self._encoder = encoder
        self._depth = depth
        self._objects = 0
        self.fast = True

    def persistent_id(self, obj: Any) -> Any:
        self._objects += 1
        if self._objects > _PICKLED_OBJECTS:
            raise NotKeyedError("it is too large")
        kind = type_of(obj)
        if kind in _PLAIN:
            return None
        if kind is set or kind is frozenset:
            return (kind.__name__, self._members(obj))
        encoder = self._encoder
        if function_encoding.is_code(obj, kind) or (encoder.whole and table_forms.form_of(kind) is not None):
            return ("encoded", encoder.bytes_of(obj, self._depth + 1))
        return None

    def _members(self, members: Iterable[Any]) -> list[bytes]:
        left, pickled = self._buffer.left, list[bytes]()
        for member in members:
            pickled.append(self._encoder.pickled(member, left, self._depth + 1))
            left -= len(pickled[-1])
        return sorted(pickled)
