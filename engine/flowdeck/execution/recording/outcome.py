"""How a user's function ended. Its exception travels in here: one that leaves a coroutine may be changed (PEP 479)."""

from __future__ import annotations

from typing import Any, NamedTuple

from flowdeck.execution.recording.failures import state_of_error
from flowdeck.rules.states import State, named


class Outcome(NamedTuple):
    """How a user's function ended: its value, or what it raised."""

    value: Any = None
    error: BaseException | None = None
    timed_out: bool = False
    """It was given up, since its time was up; `error` says so."""


def state_of_failure(outcome: Outcome) -> State:
    """Return the state of an outcome that is an exception."""
    assert outcome.error is not None
    if outcome.timed_out:
        return named("TimedOut", str(outcome.error), exception=outcome.error)
    return state_of_error(outcome.error)
