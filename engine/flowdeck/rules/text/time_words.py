"""Durations and moments as people type them: `1h30m`, `24h`, `2026-11-22`, `08:00`, `yesterday`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Final

_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_DURATION: Final = re.compile(rf"(?:{_PIECE.pattern})+")
_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
LONGEST_SECONDS: Final = 1000 * 366 * 86400.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, given as such or as so long ago.

    Attributes:
        at: aware time; None when it is counted back from now.
        ago_seconds: seconds before now.
    """

    at: datetime | None = None
    ago_seconds: float = 0.0

    def resolve(self, now: datetime) -> datetime:
        """Return the point in time, seen from now."""
        return self.at if self.at is not None else now - timedelta(seconds=self.ago_seconds)


def duration_seconds(text: str) -> float | None:
    """Read `90s`, `5m`, `1h30m`, `250ms`, `2w`; None when it is none."""
    if not _DURATION.fullmatch(text):
        return None
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PIECE.findall(text))
    return seconds if seconds <= LONGEST_SECONDS else None


def moment(text: str, now: datetime, zone: tzinfo | None, *, is_end: bool = False) -> Moment | None:
    """Read a moment; None when it is none.

    Args:
        text: a duration (so long ago), a date, a time of today, both with T between, `today`, `yesterday` or `now`.
        now: the time, aware.
        zone: time zone of the one who types; None for that of the machine.
        is_end: a day then stands for its end, else for its start.
    """
    seconds = duration_seconds(text)
    if seconds is not None:
        return Moment(ago_seconds=seconds)
    if text == "now":
        return Moment()
    today = now.astimezone(zone).replace(tzinfo=None)
    days = {"today": 0, "yesterday": 1}
    try:
        if text in days:
            local, is_day = datetime.combine(today.date() - timedelta(days=days[text]), time()), True
        elif _CLOCK.fullmatch(text):
            local, is_day = datetime.combine(today.date(), time.fromisoformat(text.rjust(5, "0"))), False
        else:
            local, is_day = datetime.fromisoformat(text), len(text) == len("2026-11-22")
    except ValueError:
        return None
    if is_day and is_end:
        local += timedelta(days=1)
    return Moment(_aware(local, zone))


def _aware(local: datetime, zone: tzinfo | None) -> datetime:
    if local.tzinfo is not None:
        return local
    return local.astimezone() if zone is None else local.replace(tzinfo=zone)
