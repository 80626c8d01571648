"""The orders in which runs are listed, and where a run stands in each: a place by which a list goes on. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from flowdeck.rules.clock import to_microseconds
from flowdeck.rules.states import StateType


class RunOrder(StrEnum):
    """How a list of runs is sorted; the value is what people read."""

    NEWEST = "newest"
    OLDEST = "oldest"
    DURATION = "duration"
    NAME = "name"
    STATE = "state"


DESCENDING: Final = frozenset({RunOrder.NEWEST, RunOrder.DURATION, RunOrder.STATE})
"""Orders that begin with the highest place."""

STATES_BY_RANK: Final = (
    StateType.COMPLETED,
    StateType.CANCELLED,
    StateType.FAILED,
    StateType.CRASHED,
    StateType.SCHEDULED,
    StateType.PAUSED,
    StateType.PENDING,
    StateType.CANCELLING,
    StateType.RUNNING,
)
"""From the last to the first in a list by state: what is under way stands above what is over."""
RANKS: Final = {state_type: rank for rank, state_type in enumerate(STATES_BY_RANK)}

RUNNING_FIRST: Final = 1 << 62
"""A run that is not over stands above all that are, by its start: so it keeps its place while its time grows."""
NOT_STARTED: Final = -1


class Placed(Protocol):
    """What of a run decides where it stands."""

    @property
    def key(self) -> int:
        """Number of the run, ever growing."""
        ...

    @property
    def name(self) -> str:
        """Name of the run."""
        ...

    @property
    def state_type(self) -> StateType:
        """Type of its state."""
        ...

    @property
    def started_at(self) -> datetime | None:
        """Start of its current attempt."""
        ...

    @property
    def ended_at(self) -> datetime | None:
        """End of it."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands in an order: by its value there, then by its key. Values of one order are all of one type."""

    value: int | str
    key: int

    def rank(self, order: RunOrder) -> tuple[int | str, int]:
        """Return a tuple that grows from the first row of the list to its last."""
        if order in DESCENDING and isinstance(self.value, int):
            return -self.value, -self.key
        return self.value, self.key


def place_of(run: Placed, order: RunOrder) -> Place:
    """Tell where a run stands; the same rule as the SQL of `store.runs.run_scan`."""
    match order:
        case RunOrder.NAME:
            return Place(run.name, run.key)
        case RunOrder.STATE:
            return Place(RANKS[run.state_type], run.key)
        case RunOrder.DURATION:
            return Place(_duration_value(run), run.key)
        case RunOrder.NEWEST | RunOrder.OLDEST:
            return Place(run.key, run.key)


def _duration_value(run: Placed) -> int:
    if run.started_at is None:
        return NOT_STARTED
    if run.ended_at is None:
        return RUNNING_FIRST - to_microseconds(run.started_at)
    return to_microseconds(run.ended_at) - to_microseconds(run.started_at)
