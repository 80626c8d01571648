"""The keys of inputs and of tasks, of which the key of a call is made; see `call_identity`.

Keys are the same in every process and under every hash seed, whether the file ran as `__main__` or was imported.
"""

from __future__ import annotations

import functools
import marshal
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from flowdeck.rules.keys import places
from flowdeck.rules.keys.bounded_bytes import TooLargeError
from flowdeck.rules.keys.refusals import NotKeyedError
from flowdeck.rules.keys.value_encoding import MARSHAL_VERSION, Encoder, digest, type_of

MAXIMUM_INPUT_BYTES: Final = 1 << 20
"""Inputs that encode to more are not keyed by their content: walking them would cost more than it saves."""

_NOTHING_KNOWN: Final[Mapping[int, bytes]] = MappingProxyType({})


def input_key(
    arguments: Sequence[Any] | Mapping[str, Any],
    known: Mapping[int, bytes] = _NOTHING_KNOWN,
) -> bytes | None:
    """Return 16 bytes that stand for the values a task was called with.

    Args:
        arguments: the values, in a tuple or list, or in a dict by parameter name (the order of names does not matter).
        known: keys of the recorded calls that made large objects, by the `id` of the object.

    Returns:
        The key, or None when the values cannot be keyed: more of them than `MAXIMUM_INPUT_BYTES`, nested more than 100
        deep or in themselves, or with a part that cannot be pickled.
    """
    try:
        return key_of(arguments, Encoder(known, MAXIMUM_INPUT_BYTES), MAXIMUM_INPUT_BYTES)
    except NotKeyedError:
        return None


def key_of(arguments: Sequence[Any] | Mapping[str, Any], encoder: Encoder, limit: int) -> bytes:
    """Return 16 bytes that stand for values.

    Args:
        arguments: see `input_key`.
        encoder: of this key.
        limit: number of bytes beyond which it is given up.

    Raises:
        NotKeyedError: one of the values has no stable bytes, or too many.
    """
    try:
        if isinstance(arguments, Mapping):
            canonical: Any = {"dict": encoder.mapping(arguments, 1)}
        else:
            canonical = encoder.sequence(tuple(arguments), 1)
        encoded = marshal.dumps(canonical, MARSHAL_VERSION)
    except (TooLargeError, ValueError, RuntimeError) as error:
        # RuntimeError: nested beyond the stack, or changed by another thread while it was read.
        raise NotKeyedError("it is too deep, or changed while it was read") from error
    if len(encoded) > limit:
        raise NotKeyedError("it is too large")
    return digest(encoded)


def task_key(function: Callable[..., Any]) -> str:
    """Return what names a task for people: `folder/file:qualified name`, without the module's name.

    Tasks may share it: see `function_identity`.
    """
    innermost: Any = function
    while "__wrapped__" in getattr(innermost, "__dict__", ()):
        innermost = innermost.__wrapped__
    if type_of(innermost) is functools.partial:
        return task_key(innermost.func)
    name = getattr(innermost, "__qualname__", None)
    if not isinstance(name, str):  # an instance with __call__
        return task_key(type_of(innermost))
    code = getattr(innermost, "__code__", None)
    if code is None:
        return f"{places.of_module(innermost.__module__)}:{name}"
    return f"{places.of_file(code.co_filename)}:{name}"
