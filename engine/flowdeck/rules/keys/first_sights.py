"""Objects that code changes while it runs (a list that it appends to), by what they were when first seen.

What a closure collects is its state, not what it was made of: a later attempt finds the list filled, and would take
its calls for others. Who asks for the key of such an object gets the one that it had at first, in this process.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Final

_OURS: Final = 2
"""References to an object that is held only here, as `sys.getrefcount` counts: the table's and its own argument."""

_lock = threading.Lock()


class _Sight:
    __slots__ = ("keys", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.keys: dict[bool, bytes] = {}


_seen: Final[dict[int, _Sight]] = {}


def key_of(value: Any, whole: bool, make: Callable[[], bytes]) -> bytes:
    """Return the key that an object had when it was first asked for. Thread-safe.

    Args:
        value: an object that may change.
        whole: the kind of key, of two.
        make: returns the key that it has now.
    """
    sight = _seen.get(id(value))
    found = None if sight is None else sight.keys.get(whole)
    if found is not None:
        return found
    made = make()
    with _lock:
        if id(value) not in _seen:
            _let_go()
        return _seen.setdefault(id(value), _Sight(value)).keys.setdefault(whole, made)


def _let_go() -> None:
    """Forget the objects that nobody else holds any more."""
    for place in list(_seen):
        if sys.getrefcount(_seen[place].value) <= _OURS:
            del _seen[place]
