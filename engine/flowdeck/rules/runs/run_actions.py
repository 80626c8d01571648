"""What may be done to a flow run: retry, cancel, delete. The rule alone; each face says it in its own words."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from flowdeck.rules.states import TERMINAL, StateType


class Obstacle(StrEnum):
    """Why something cannot be done to a run."""

    NOT_OVER = "not over"
    OVER = "over"
    SUBFLOW = "subflow"
    """A subflow run shares the process of its root run, which is what can be acted on."""
    COMPLETED = "completed"
    CANCELLING = "cancelling"


class ActedOn(Protocol):
    """What of a run decides whether something may be done to it."""

    @property
    def state_type(self) -> StateType:
        """Type of the run's state."""
        ...

    @property
    def parent_key(self) -> int | None:
        """Key of the run that started it; None for a root run."""
        ...


def retry_obstacle(run: ActedOn, *, completed: bool = False) -> Obstacle | None:
    """Say why a run may not be retried; None when it may.

    Args:
        run: the run.
        completed: whether a completed run may be retried too.
    """
    if run.state_type not in TERMINAL:
        return Obstacle.NOT_OVER
    if run.parent_key is not None:
        return Obstacle.SUBFLOW
    return Obstacle.COMPLETED if run.state_type is StateType.COMPLETED and not completed else None


def cancel_obstacle(run: ActedOn, *, again: bool = False) -> Obstacle | None:
    """Say why a run may not be cancelled; None when it may.

    Args:
        run: the run.
        again: whether a run that is being cancelled may be told once more, such as by force.
    """
    if run.state_type in TERMINAL:
        return Obstacle.OVER
    if run.parent_key is not None:
        return Obstacle.SUBFLOW
    return Obstacle.CANCELLING if run.state_type is StateType.CANCELLING and not again else None


def delete_obstacle(run: ActedOn) -> Obstacle | None:
    """Say why a run may not be deleted; None when it may.

    One that only waits to be claimed is not over, yet the store may delete it: nobody else can tell whether it waits.
    """
    if run.parent_key is not None:
        return Obstacle.SUBFLOW
    return None if run.state_type in TERMINAL else Obstacle.NOT_OVER
