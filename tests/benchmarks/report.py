"""A figure beside the floor that was measured in the same run: machines differ, ratios less so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        name: what was measured.
        value: the number, in `unit`.
        unit: such as ms, /s, B/s.
        floor: what it is compared with, in the same unit; None when the target is a plain number.
        floor_name: what the floor is.
        target: the ratio to the floor (or the plain number) that is wanted.
        at_least: True when more is better.
    """

    name: str
    value: float
    unit: str
    target: float
    floor: float | None = None
    floor_name: str = ""
    at_least: bool = False

    @property
    def compared(self) -> float:
        """Return what is held against the target."""
        return self.value if self.floor is None else self.value / self.floor

    @property
    def reached(self) -> bool:
        """Tell whether the target is met."""
        return self.compared >= self.target if self.at_least else self.compared <= self.target

    def line(self) -> str:
        """Return one line for people."""
        sign = "≥" if self.at_least else "≤"
        verdict = "reached" if self.reached else "NOT REACHED"
        number = f"{self.value:>10,.1f} {self.unit:<4}"
        if self.floor is None:
            return f"{self.name:<44} {number} target {sign} {self.target:g} {self.unit:<14} {verdict}"
        ratio = f"{self.compared:.2f} × {self.floor_name} ({self.floor:,.1f} {self.unit})"
        return f"{self.name:<44} {number} {ratio}, target {sign} {self.target:g} ×  {verdict}"


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of all values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def best_of(measure: Callable[[], float], times: int) -> float:
    """Return the median of repeated measurements after one that warms up."""
    measure()
    return median(measure() for _ in range(times))
