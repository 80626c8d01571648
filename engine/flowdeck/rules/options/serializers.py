"""How a result becomes bytes and a value again: pickle, JSON, either of them compressed, or an author's own.

What is recorded begins with the name of its serializer and a line end, so that a reader needs no other knowledge.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any, Final, Protocol, runtime_checkable

from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.keys.bounded_bytes import BoundedBuffer, TooLargeError

_PROTOCOL: Final = 5
_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})


@runtime_checkable
class Serializer(Protocol):
    """Turns values into bytes and back; `type` names it in what is recorded."""

    type: str

    def dumps(self, value: Any, limit: int) -> bytes:
        """Return the value as bytes.

        Args:
            value: any.
            limit: number of bytes beyond which it may give up.

        Raises:
            TooLargeError: it would be more than `limit` bytes.
        """
        ...

    def loads(self, content: bytes, names: Mapping[str, Any]) -> Any:
        """Return the value.

        Args:
            content: bytes that `dumps` made.
            names: names of the author's own module, for classes that were recorded while it ran as `__main__`.
        """
        ...


class PickleSerializer:
    """Python's pickle; what that cannot name (a lambda, a class of a function) cloudpickle takes by value."""

    type: str = "pickle"

    def dumps(self, value: Any, limit: int) -> bytes:
        """See `Serializer`."""
        kind: Any = type(value)
        if kind in _PLAIN:
            if kind in {str, bytes} and len(value) > limit:
                raise TooLargeError
            return pickle.dumps(value, _PROTOCOL)
        try:
            buffer = BoundedBuffer(limit)
            pickle.Pickler(buffer, _PROTOCOL).dump(value)
        except (pickle.PicklingError, AttributeError, TypeError):
            import cloudpickle  # noqa: PLC0415 - 30 ms, for the few values that pickle cannot take

            buffer = BoundedBuffer(limit)
            cloudpickle.CloudPickler(buffer, _PROTOCOL).dump(value)
        return buffer.content()

    def loads(self, content: bytes, names: Mapping[str, Any]) -> Any:
        """See `Serializer`."""
        if b"__main__" not in content:
            return pickle.loads(content)
        return _OwnModuleUnpickler(content, names).load()


class JSONSerializer:
    """JSON: readable by anything. See `json_values` for what comes back besides the values that JSON has."""

    type: str = "json"

    def dumps(self, value: Any, limit: int) -> bytes:
        """See `Serializer`. Raises TypeError for what cannot come back."""
        from flowdeck.rules.options import json_values  # noqa: PLC0415 - 8 ms that most flows do not need

        content = json_values.encode(value)
        if len(content) > limit:
            raise TooLargeError
        return content

    def loads(self, content: bytes, names: Mapping[str, Any]) -> Any:
        """See `Serializer`."""
        from flowdeck.rules.options import json_values  # noqa: PLC0415 - as above

        return json_values.decode(content, names)


class CompressedSerializer:
    """Another serializer's bytes, compressed with zlib."""

    def __init__(self, serializer: Serializer | str = "pickle") -> None:
        """Args: serializer: the other one, or its name."""
        self.serializer = serializer_of(serializer, "CompressedSerializer")
        self.type = f"compressed/{self.serializer.type}"

    def dumps(self, value: Any, limit: int) -> bytes:
        """See `Serializer`; the limit is for what is compressed."""
        import zlib  # noqa: PLC0415 - only who asks for it pays

        return zlib.compress(self.serializer.dumps(value, limit))

    def loads(self, content: bytes, names: Mapping[str, Any]) -> Any:
        """See `Serializer`."""
        import zlib  # noqa: PLC0415 - as above

        return self.serializer.loads(zlib.decompress(content), names)


class OwnSerializer:
    """An author's serializer that has `dumps(value)` and `loads(content)` and no more, as Prefect's have."""

    def __init__(self, given: Any) -> None:
        """Args: given: the author's."""
        self.given = given
        kind = type(given)
        named: Any = getattr(given, "type", None)
        self.type = (
            named if isinstance(named, str) and named.isprintable() else f"{kind.__module__}.{kind.__qualname__}"
        )

    def dumps(self, value: Any, limit: int) -> bytes:
        """See `Serializer`."""
        content = self.given.dumps(value)
        if not isinstance(content, bytes | bytearray | memoryview):
            raise TypeError(f"its dumps() returned a {type(content).__name__}, not bytes")
        if len(content) > limit:
            raise TooLargeError
        return bytes(content)

    def loads(self, content: bytes, names: Mapping[str, Any]) -> Any:
        """See `Serializer`."""
        del names
        return self.given.loads(content)


PICKLE: Final = PickleSerializer()
_NAMED: Final[Mapping[str, Any]] = {
    "pickle": lambda: PICKLE,
    "json": JSONSerializer,
    "compressed": CompressedSerializer,
    "compressed/pickle": CompressedSerializer,
    "compressed/json": lambda: CompressedSerializer("json"),
}


def serializer_of(given: Any, owner: str) -> Serializer:
    """Return the serializer that an author named or gave; pickle for None.

    Raises:
        DefinitionError: it is neither a name that flowdeck knows nor an object with type, dumps and loads.
    """
    if given is None:
        return PICKLE
    if isinstance(given, str):
        make = _NAMED.get(given)
        if make is None:
            raise DefinitionError(f"{owner} has no serializer '{given}'. Known: {', '.join(sorted(_NAMED))}.")
        return make()
    if isinstance(given, type):
        raise DefinitionError(
            f"{owner} was given the class {given.__name__} as a serializer; give an object of it: {given.__name__}()."
        )
    missing = [name for name in ("dumps(value)", "loads(content)") if not callable(getattr(given, name[:5], None))]
    if missing:
        raise DefinitionError(f"{owner} was given {given!r} as a serializer, which lacks {' and '.join(missing)}.")
    return given if isinstance(given, Serializer) and _takes_two(given.dumps) else OwnSerializer(given)


def _takes_two(dumps: Any) -> bool:
    """Tell whether a method takes the value and a limit, as flowdeck's own do."""
    import inspect  # noqa: PLC0415 - for an author's own serializer

    try:
        parameters = list(inspect.signature(dumps).parameters.values())
    except (TypeError, ValueError):
        return False
    in_line = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return len(in_line) >= 2 and in_line[1].default is inspect.Parameter.empty


def to_bytes(value: Any, serializer: Serializer, limit: int) -> bytes:
    """Return what is recorded of a value.

    Raises:
        TooLargeError: more than `limit` bytes.
        Exception: of the serializer, for a value that it cannot take.
    """
    return serializer.type.encode() + b"\n" + serializer.dumps(value, limit)


def from_bytes(content: bytes, own: Serializer, names: Mapping[str, Any]) -> Any:
    """Return the value of what was recorded.

    Args:
        content: bytes that `to_bytes` made.
        own: the serializer that the author asked for, in case it is one of the author's.
        names: see `Serializer.loads`.

    Raises:
        Exception: what the bytes hold cannot be made here, e.g. since its class is gone.
    """
    name, _, rest = content.partition(b"\n")
    kind = name.decode()
    serializer = own if own.type == kind else serializer_of(kind, "The recorded result")
    return serializer.loads(rest, names)


class _OwnModuleUnpickler(pickle.Unpickler):
    """Finds classes of `__main__` in the author's module: a script's run is retried with that module imported."""

    def __init__(self, content: bytes, names: Mapping[str, Any]) -> None:
        super().__init__(io.BytesIO(content))
        self._names = names

    def find_class(self, module: str, name: str, /) -> Any:
        if module != "__main__":
            return super().find_class(module, name)
        head, *rest = name.split(".")
        if head not in self._names:
            return super().find_class(module, name)
        found: Any = self._names[head]
        for part in rest:
            found = getattr(found, part)
        return found
