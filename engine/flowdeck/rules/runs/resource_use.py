"""What a run's processes have used of the machine. Pure."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from resource import struct_rusage


class ResourceUse(NamedTuple):
    """Memory and processor time of one process, or of several together."""

    peak_rss_bytes: int
    """The most memory that any one of them held at a time: the system keeps no peak of their sum."""
    cpu_seconds: float
    """User and system time of all of them."""

    def __str__(self) -> str:
        """Write both for a sentence."""
        return f"peak memory {self.peak_memory}, CPU {self.cpu_seconds:.2f} s"

    @property
    def peak_memory(self) -> str:
        """The peak in words."""
        return f"{self.peak_rss_bytes / 1e6:.0f} MB"

    def plus(self, other: ResourceUse) -> ResourceUse:
        """Return the use of both together."""
        peak_rss_bytes = max(self.peak_rss_bytes, other.peak_rss_bytes)
        return ResourceUse(peak_rss_bytes, _to_microseconds(self.cpu_seconds + other.cpu_seconds))

    def since(self, before: ResourceUse) -> ResourceUse:
        """Return what of it was used after a moment of the same processes; a peak is that of their whole life."""
        return self._replace(cpu_seconds=_to_microseconds(max(0.0, self.cpu_seconds - before.cpu_seconds)))

    def columns(self) -> dict[str, float]:
        """Return what a row says of it."""
        return self._asdict()


def resource_use_of(usage: struct_rusage) -> ResourceUse:
    """Read what the system says of a process that was waited for; of its own children, those that it waited for."""
    # ru_maxrss is kilobytes on Linux, bytes on macOS.
    peak_rss_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return ResourceUse(peak_rss_bytes, _to_microseconds(usage.ru_utime + usage.ru_stime))


def _to_microseconds(seconds: float) -> float:
    """Round to what the system counts in: sums of binary fractions would be printed with all their digits."""
    return round(seconds, 6)
