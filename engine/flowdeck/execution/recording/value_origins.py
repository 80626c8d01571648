"""Large values and the recorded calls that made them: so that handing one on needs no walk through it.

A value is held here only as long as somebody else holds it too; whose last other user is gone is let go at the next
look. Python tells that by its count of references.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

from flowdeck.rules.keys.call_keys import MAXIMUM_INPUT_BYTES

_OURS: Final = 2
"""References to a value that is held only here, as `sys.getrefcount` counts: the table's and its own argument."""
_SMALL: Final = frozenset({type(None), bool, int, float})


class LargeValues:
    """Keys of the calls that made large values, by the `id` of these. Thread-safe."""

    def __init__(self) -> None:
        self._values: dict[int, Any] = {}
        self._keys: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def add(self, value: Any, call_key: bytes, size_bytes: int | None) -> None:
        """Remember who made a value.

        Args:
            value: the value; small ones are not remembered, since they are keyed by what they are.
            call_key: the key of the call that made it.
            size_bytes: the size of the recorded result; None when it is not known, since the value was too large.
        """
        if type(value) in _SMALL or (size_bytes is not None and size_bytes <= MAXIMUM_INPUT_BYTES):
            return
        with self._lock:
            self._values[id(value)] = value
            self._keys[id(value)] = call_key

    def keys(self) -> Mapping[int, bytes]:
        """Return the keys by `id`, of those values that are still in use."""
        if not self._values:
            return self._keys
        with self._lock:
            for identity in list(self._values):
                if sys.getrefcount(self._values[identity]) <= _OURS:
                    del self._values[identity]
                    del self._keys[identity]
        return self._keys
