"""Records as plain data (JSON) and back: what another process says is checked, value by value, before it is used.

The annotations of a record are its schema. A record is a list of its fields in order; of several kinds of records, as
facts are, it is the kind's name and that list. Bytes are base64. A state is its type, its name and its message: what it
carries besides (a value, an exception) does not travel with it.
"""

from __future__ import annotations

import binascii
import functools
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple

from flowdeck.rules.exceptions import WorkerError
from flowdeck.rules.states import State, StateType


class MessageError(WorkerError):
    """What another process said is no message of this version of the stream."""


class _MismatchError(Exception):
    """A value is not of the kind that its schema asks for."""

    def __init__(self, found: object, wanted: str) -> None:
        super().__init__()
        self.found = _KINDS.get(type(found), "another kind of value")
        self.wanted = wanted
        self.path: list[str] = []


class Codec(NamedTuple):
    """How values of one kind are written and read."""

    encode: Callable[[Any], Any] | None
    """Makes plain data of a value; None where it is plain data already."""
    decode: Callable[[Any], Any]
    """Makes the value of plain data; raises `_MismatchError`."""
    plain_types: frozenset[type] = frozenset()
    """Types of plain data that need no decoding."""


_KINDS: Final[Mapping[type, str]] = {
    NoneType: "null", bool: "a truth value", int: "a whole number", float: "a number", str: "a text", list: "a list",
    dict: "an object",
}  # fmt: skip


def encode(kind: Any, value: Any) -> Any:
    """Return a value as plain data.

    Args:
        kind: the annotation of the value.
        value: the value, of that kind.
    """
    codec = codec_of(kind)
    return value if codec.encode is None else codec.encode(value)


def decode(kind: Any, plain: Any, what: str) -> Any:
    """Return the value of plain data.

    Args:
        kind: the annotation that the value must fit.
        plain: the plain data, as another process sent it.
        what: the name of the value, for the sentence.

    Raises:
        MessageError: it does not fit.
    """
    try:
        return codec_of(kind).decode(plain)
    except _MismatchError as error:
        path = "".join(reversed(error.path))
        raise MessageError(f"{what}{path} is {error.found}, not {error.wanted}") from None


@functools.cache
def codec_of(kind: Any) -> Codec:
    """Return the codec of an annotation; TypeError for one that is no plain data."""
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple()
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {UnionType, typing.Union}:
        return _union(arguments)
    if origin is tuple and Ellipsis not in arguments:
        return _row(arguments, [f"[{index}]" for index in range(len(arguments))], list, tuple)
    if origin in {list, tuple, frozenset}:
        return _many(origin, codec_of(arguments[0]))
    if origin in {dict, Mapping}:
        return _pairs(arguments)
    return _record(kind)


def _record(kind: Any) -> Codec:
    names = record_fields(kind)
    hints = typing.get_type_hints(kind)
    labels = [f".{name}" for name in names]
    return _row([hints[name] for name in names], labels, _values_of(names), lambda row: kind(*row))


def record_fields(kind: Any) -> list[str]:
    """Return the names of a record's fields; TypeError for a class that is no record."""
    if is_dataclass(kind):
        return [field.name for field in fields(kind)]
    if hasattr(kind, "_fields"):
        return list(kind._fields)
    raise TypeError(f"{kind!r} is no plain data")


def _plain(kinds: Sequence[type]) -> Codec:
    types = frozenset(kinds)
    wanted = " or ".join(_KINDS[kind] for kind in kinds)

    def check(plain: Any) -> Any:
        if type(plain) not in types:
            raise _MismatchError(plain, wanted)
        return plain

    return Codec(None, check, types)


def _union(kinds: Sequence[Any]) -> Codec:
    if all(kind in _KINDS for kind in kinds):
        return _plain(kinds)
    if NoneType not in kinds:
        return _one_of({kind.__name__: kind for kind in kinds})
    (other,) = [kind for kind in kinds if kind is not NoneType]
    write, read, _ = codec_of(other)

    def encode_other(value: Any) -> Any:
        return None if value is None or write is None else write(value)

    def decode_other(plain: Any) -> Any:
        return None if plain is None else read(plain)

    return Codec(None if write is None else encode_other, decode_other)


def _one_of(kinds: Mapping[str, Any]) -> Codec:
    """Return the codec of a record of one of several kinds."""

    def write(value: Any) -> list[Any]:
        name = type(value).__name__
        return [name, encode(kinds[name], value)]

    def read(plain: Any) -> Any:
        if type(plain) is not list or len(plain) != 2:
            raise _MismatchError(plain, "the name of a kind and its fields")
        name, row = plain
        if type(name) is not str or name not in kinds:
            raise _MismatchError(name, f"one of {', '.join(kinds)}")
        try:
            return codec_of(kinds[name]).decode(row)
        except _MismatchError as error:
            error.path.append(f".{name}")
            raise

    return Codec(write, read)


def _row(
    kinds: Sequence[Any], labels: Sequence[str], values_of: Callable[[Any], list[Any]], make: Callable[[list[Any]], Any]
) -> Codec:
    """Return the codec of something with a fixed number of members, each of its own kind."""
    codecs = [codec_of(kind) for kind in kinds]
    written = [(index, codec.encode) for index, codec in enumerate(codecs) if codec.encode is not None]
    read = [(index, codec.plain_types, codec.decode) for index, codec in enumerate(codecs)]
    wanted = f"a list of {len(codecs)}"

    def encode_row(value: Any) -> list[Any]:
        row = values_of(value)
        for index, write in written:
            row[index] = write(row[index])
        return row

    def decode_row(plain: Any) -> Any:
        if type(plain) is not list or len(plain) != len(codecs):
            raise _MismatchError(plain, wanted)
        row = plain.copy()
        index = 0
        try:
            for index, types, decode_one in read:
                if type(row[index]) not in types:
                    row[index] = decode_one(row[index])
        except _MismatchError as error:
            error.path.append(labels[index])
            raise
        return make(row)

    return Codec(encode_row, decode_row)


def _many(make: Callable[[list[Any]], Any], codec: Codec) -> Codec:
    """Return the codec of any number of members of one kind."""
    write = codec.encode

    def encode_many(values: Any) -> list[Any]:
        return list(values) if write is None else [write(value) for value in values]

    def decode_many(plain: Any) -> Any:
        if type(plain) is not list:
            raise _MismatchError(plain, "a list")
        return make([codec.decode(member) for member in plain])

    return Codec(encode_many, decode_many)


def _pairs(kinds: Sequence[Any]) -> Codec:
    """Return the codec of a mapping: a list of its keys and values."""
    one = _row(kinds, ["[0]", "[1]"], list, tuple)
    pairs = _many(dict, one)
    assert pairs.encode is not None
    write = pairs.encode

    def encode_pairs(mapping: Any) -> Any:
        return write(mapping.items())

    return Codec(encode_pairs, pairs.decode)


def _values_of(names: Sequence[str]) -> Callable[[Any], list[Any]]:
    if len(names) < 2:  # an attrgetter of one name gives no tuple, and there is none of no name
        return lambda record: [getattr(record, name) for name in names]
    get = attrgetter(*names)
    return lambda record: list(get(record))


def _as_it_is(plain: Any) -> Any:
    return plain


def _base64(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).decode("ascii")


def _from_base64(plain: Any) -> bytes:
    if type(plain) is str:
        try:
            return binascii.a2b_base64(plain, strict_mode=True)
        except ValueError:
            pass
    raise _MismatchError(plain, "bytes in base64")


def _plain_state(state: State) -> list[Any]:
    return [state.type.value, state.name, state.message]


def _state(plain: Any) -> State:
    type_name, name, message = codec_of(tuple[str, str, str | None]).decode(plain)
    if type_name not in StateType.__members__:
        raise _MismatchError(type_name, "a type of states")
    return State(StateType(type_name), name, message)


_SIMPLE: Final[Mapping[Any, Callable[[], Codec]]] = {
    Any: lambda: Codec(None, _as_it_is),
    bytes: lambda: Codec(_base64, _from_base64),
    State: lambda: Codec(_plain_state, _state),
    **{kind: functools.partial(_plain, (kind,)) for kind in _KINDS},
}
