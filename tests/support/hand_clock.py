"""A clock for tests, moved by hand."""

from __future__ import annotations

from flowdeck.rules.clock import Clock


class HandClock(Clock):
    """Two clocks that are moved by hand: a machine that sleeps moves only the first."""

    def __init__(self) -> None:
        self.wall_seconds = 1_000_000.0
        self.awake_seconds = 50.0

    def now_microseconds(self) -> int:
        return int(self.wall_seconds * 1e6)

    def monotonic_seconds(self) -> float:
        return self.awake_seconds

    def work(self, seconds: float) -> None:
        self.wall_seconds += seconds
        self.awake_seconds += seconds
