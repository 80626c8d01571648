"""Ids of flow runs: UUIDv7 (RFC 9562), made without the `uuid` module because importing that costs a run 5 ms."""

from __future__ import annotations

import os
import threading
import time
from typing import Final

SHORT_ID_LENGTH: Final = 8
"""How many characters people see. They come from the end of an id: ids made together begin alike."""

MINIMUM_FRAGMENT_LENGTH: Final = 4
"""The shortest prefix or suffix that may stand for a run."""

_ID_LENGTH: Final = 36
_HEX_DIGITS: Final = frozenset("0123456789abcdef")
_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
_VERSION_BITS: Final = 0x7 << 76
_VARIANT_BITS: Final = 0b10 << 62
_TAIL_MASK: Final = (1 << 62) - 1


class _Ticks:
    """The 60 bits of time in an id: milliseconds, then 12 bits of their fraction; never the same one twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        milliseconds, nanoseconds = divmod(time.time_ns(), _NANOSECONDS_PER_MILLISECOND)
        tick = (milliseconds << 12) | ((nanoseconds << 12) // _NANOSECONDS_PER_MILLISECOND)
        with self._lock:
            # A clock that stands still or goes back must not put a later run before an earlier one.
            self._last = max(tick, self._last + 1)
            return self._last

    def renew_lock(self) -> None:
        """After a fork the lock may be held by a thread that does not exist in the child."""
        self._lock = threading.Lock()


_TICKS: Final = _Ticks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_TICKS.renew_lock)


def new_run_id() -> str:
    """Make the id of a new run: a UUIDv7 in lower case; each one made by this process sorts after the one before."""
    tick = _TICKS.next()
    tail = int.from_bytes(os.urandom(8), "big") & _TAIL_MASK
    number = ((tick >> 12) << 80) | _VERSION_BITS | ((tick & 0xFFF) << 64) | _VARIANT_BITS | tail
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def short_id(run_id: str) -> str:
    """Return the part of an id that people see and type: its last 8 characters."""
    return run_id[-SHORT_ID_LENGTH:]


def is_run_reference_fragment(text: str) -> bool:
    """Tell whether `text` can be the beginning or the end of a run id: 4 or more of its characters."""
    digits = text.replace("-", "").lower()
    return (
        MINIMUM_FRAGMENT_LENGTH <= len(text) <= _ID_LENGTH
        and len(digits) >= MINIMUM_FRAGMENT_LENGTH
        and _HEX_DIGITS.issuperset(digits)
    )
