"""Hashes of whole values, the same in every process: what a cache key stands on.

Unlike the key of a call for replay, which must cost next to nothing, this reads all of a value however large it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flowdeck.rules.keys.call_keys import key_of
from flowdeck.rules.keys.refusals import NotKeyedError
from flowdeck.rules.keys.value_encoding import Encoder

_UNBOUNDED: Final = 1 << 62


def content_hash(*values: Any) -> str | None:
    """Return 32 hexadecimal digits that stand for the values, or None when one of them has no stable bytes.

    Equal built-in values, dataclasses, arrays and frames have equal hashes, in whatever process and under whatever hash
    seed. Frames are equal when columns, types, index, names, attributes and cells are, however they lie in memory.
    """
    try:
        return hash_of(*values)
    except NotKeyedError:
        return None


def hash_of(*values: Any) -> str:
    """Return what `content_hash` does.

    Raises:
        NotKeyedError: one of the values has no stable bytes.
    """
    return key_of(values, Encoder({}, _UNBOUNDED, whole=True), _UNBOUNDED).hex()


def source_hash(function: Callable[..., Any]) -> str:
    """Return 32 hexadecimal digits that stand for what a function does.

    It counts by its code, what that closes over, its default values, and the global variables that the code names:
    functions and classes of the same file by their code too, others by their names. Its own name and place do not
    count.

    Args:
        function: any that can be called.

    Raises:
        NotKeyedError: it closes over something that has no stable bytes.
    """
    innermost: Any = function
    while "__wrapped__" in getattr(innermost, "__dict__", ()):
        innermost = innermost.__wrapped__
    innermost = getattr(innermost, "func", innermost)
    code = getattr(innermost, "__code__", None)
    file = "" if code is None else code.co_filename
    return key_of((function,), Encoder({}, _UNBOUNDED, whole=True, source_file=file), _UNBOUNDED).hex()
