"""A cancel that is under way: first a request to end, then a kill when the grace is over; for run host and engine.

Pure: it is told the time and who is left, and signals nobody itself.
"""

from __future__ import annotations

import math
from typing import Final

LEFTOVER_GRACE_SECONDS: Final = 2.0
"""When the process of a cancelled run is gone, how long what it left behind has to follow."""


class Cancellation:
    """The deadline of one cancel, in seconds of a monotonic clock."""

    def __init__(self) -> None:
        """Begin without a deadline: nobody has been asked to end."""
        self.kill_at = math.inf
        """When what is left shall be killed; infinite before anybody was asked to end."""
        self.is_forced = False
        """Whether nothing was asked to end before it is killed."""
        self._leftovers_asked = False

    @property
    def has_begun(self) -> bool:
        """Whether there is a deadline."""
        return self.kill_at != math.inf

    def begin(self, now: float, grace_seconds: float) -> None:
        """Set the deadline, which an earlier one precedes.

        Args:
            now: monotonic seconds.
            grace_seconds: how long the process has to end by itself.
        """
        self.kill_at = min(self.kill_at, now + grace_seconds)

    def force(self, now: float) -> None:
        """Wait no longer.

        Args:
            now: monotonic seconds.
        """
        self.is_forced = True
        self.kill_at = min(self.kill_at, now)

    def is_due(self, now: float) -> bool:
        """Tell whether the grace is over.

        Args:
            now: monotonic seconds.
        """
        return now >= self.kill_at

    def ask_leftovers(self, now: float) -> bool:
        """Shorten the grace for what a process that is gone has left behind.

        Args:
            now: monotonic seconds.

        Returns:
            True the first time: they are to be asked to end.
        """
        if self._leftovers_asked:
            return False
        self._leftovers_asked = True
        self.kill_at = min(self.kill_at, now + LEFTOVER_GRACE_SECONDS)
        return True
