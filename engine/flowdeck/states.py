"""States, by the names under which authors import them: `return Failed(message="no rows")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flowdeck.rules.states import NAMES, State, StateType

__all__ = [
    "AwaitingConcurrencySlot",
    "AwaitingRetry",
    "Cached",
    "Cancelled",
    "Cancelling",
    "Completed",
    "Crashed",
    "Failed",
    "Late",
    "NotReady",
    "Paused",
    "Pending",
    "Resuming",
    "Retrying",
    "RolledBack",
    "Running",
    "Scheduled",
    "State",
    "StateType",
    "Suspended",
    "TimedOut",
]


def _maker(name: str) -> Callable[..., State]:
    def make(data: Any = None, message: str | None = None, name: str = name, **unknown: Any) -> State:
        if unknown:
            raise TypeError(f"{own}() takes data, message and name, not {', '.join(unknown)}.")
        is_error = isinstance(data, BaseException)
        return State(kind, name, message, data=None if is_error else data, exception=data if is_error else None)

    own, kind = name, NAMES[name]
    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Make a state of type {kind} that is named {name}; an exception given as data is what it failed of."
    return make


AwaitingConcurrencySlot: Final = _maker("AwaitingConcurrencySlot")
AwaitingRetry: Final = _maker("AwaitingRetry")
Cached: Final = _maker("Cached")
Cancelled: Final = _maker("Cancelled")
Cancelling: Final = _maker("Cancelling")
Completed: Final = _maker("Completed")
Crashed: Final = _maker("Crashed")
Failed: Final = _maker("Failed")
Late: Final = _maker("Late")
NotReady: Final = _maker("NotReady")
Paused: Final = _maker("Paused")
Pending: Final = _maker("Pending")
Resuming: Final = _maker("Resuming")
Retrying: Final = _maker("Retrying")
RolledBack: Final = _maker("RolledBack")
Running: Final = _maker("Running")
Scheduled: Final = _maker("Scheduled")
Suspended: Final = _maker("Suspended")
TimedOut: Final = _maker("TimedOut")
