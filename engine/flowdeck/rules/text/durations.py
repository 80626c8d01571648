"""Durations as people read them."""

from __future__ import annotations


def coarse_duration(seconds: int) -> str:
    """Write whole seconds in at most 6 characters, up to 99 days: `41s`, `2m13s`, `1h04m`, `3d07h`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02d}h"
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
