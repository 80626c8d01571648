"""The stretch of the list of runs that the screen holds: a few thousand rows of however many, in their order. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from flowdeck.rules.runs.run_order import Place, RunOrder, place_of

if TYPE_CHECKING:
    from flowdeck.deck import FlowRun

ROWS_MOST: Final = 3000
"""Beyond this, rows at the far end are let go; they are read again when somebody comes there."""

Rank = tuple[int | str, int]


class RunWindow:
    """Keys of runs from one place of a list to another, without a gap.

    A run is taken in where it belongs, unless that lies beyond an end that is not an end of the list: there may be
    others in between that were not read.
    """

    def __init__(self, order: RunOrder = RunOrder.NEWEST) -> None:
        self.order = order
        self._ranks: list[Rank] = []
        self._keys: list[int] = []
        self._places: dict[int, Place] = {}
        self.is_at_start = True
        """Whether the first row is that of the list."""
        self.is_at_end = True
        """Whether the last row is that of the list."""

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def __contains__(self, key: int) -> bool:
        return key in self._places

    def key(self, position: int) -> int:
        """Return the key at a position."""
        return self._keys[position]

    def position(self, key: int) -> int | None:
        """Return where a run stands; None when it is not here."""
        place = self._places.get(key)
        return None if place is None else bisect_left(self._ranks, place.rank(self.order))

    @property
    def first(self) -> Place | None:
        """Place of the first row, before which the list may go on."""
        return self._places[self._keys[0]] if self._keys else None

    @property
    def last(self) -> Place | None:
        """Place of the last row, behind which the list may go on."""
        return self._places[self._keys[-1]] if self._keys else None

    def clear(self, order: RunOrder, *, is_at_start: bool, is_at_end: bool) -> None:
        """Let all rows go, and say which ends of the list the next ones may reach."""
        self.order = order
        self.is_at_start, self.is_at_end = is_at_start, is_at_end
        self._ranks, self._keys, self._places = [], [], {}

    def extend(self, runs: Iterable[FlowRun]) -> None:
        """Take in runs that were read next to those that are here."""
        for run in runs:
            self._insert(run)

    def put(self, run: FlowRun) -> bool:
        """Take in a run, or move it to where it belongs now; False, and without it, when that is beyond an end."""
        self.discard(run.key)
        rank = place_of(run, self.order).rank(self.order)
        is_before = not self.is_at_start and (not self._ranks or rank < self._ranks[0])
        is_behind = not self.is_at_end and (not self._ranks or rank > self._ranks[-1])
        if is_before or is_behind:
            return False
        self._insert(run)
        return True

    def discard(self, key: int) -> None:
        """Take a run out."""
        position = self.position(key)
        if position is not None:
            del self._ranks[position], self._keys[position], self._places[key]

    def trim(self, *, keep_start: bool) -> list[int]:
        """Let rows go that are too many, at the end or at the start; return their keys."""
        number = len(self._keys) - ROWS_MOST
        if number <= 0:
            return []
        gone = slice(len(self._keys) - number, None) if keep_start else slice(0, number)
        keys = self._keys[gone]
        del self._ranks[gone], self._keys[gone]
        for key in keys:
            del self._places[key]
        self.is_at_end = self.is_at_end and not keep_start
        self.is_at_start = self.is_at_start and keep_start
        return keys

    def _insert(self, run: FlowRun) -> None:
        place = place_of(run, self.order)
        rank = place.rank(self.order)
        if self._places.get(run.key) == place:
            return
        self.discard(run.key)
        position = bisect_left(self._ranks, rank)
        self._ranks.insert(position, rank)
        self._keys.insert(position, run.key)
        self._places[run.key] = place
