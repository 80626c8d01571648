"""The one clock: wall time, monotonic time and sleeping, so that a test can hold all three."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS_PER_SECOND: Final = 1_000_000


class Clock:
    """Time as this machine tells it."""

    def now_microseconds(self) -> int:
        """Return wall time as whole microseconds since 1970-01-01 UTC: the form that is stored."""
        return time.time_ns() // 1000

    def monotonic_seconds(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the calling thread."""
        time.sleep(seconds)


SYSTEM_CLOCK: Final = Clock()


def to_datetime(microseconds: int) -> datetime:
    """Turn stored microseconds into an aware UTC datetime."""
    return EPOCH + timedelta(microseconds=microseconds)


def to_optional_datetime(microseconds: int | None) -> datetime | None:
    """Turn a stored time that may be missing into an aware UTC datetime or None."""
    return None if microseconds is None else to_datetime(microseconds)


def to_microseconds(moment: datetime) -> int:
    """Turn an aware datetime into stored microseconds; a naive one is taken as local time."""
    aware = moment if moment.tzinfo is not None else moment.astimezone()
    return (aware - EPOCH) // timedelta(microseconds=1)


def rfc3339(moment: datetime | None) -> str | None:
    """Write a moment as RFC 3339 in UTC with microseconds and Z; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
