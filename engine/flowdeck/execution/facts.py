"""What can be said of a run while it lives. A recorder keeps facts: in the store, or as frames of a stream.

A fact is plain data, so it can cross a pipe; `(attempt, incarnation, seq)` of the row that it changes orders and fences
it, see `recorder`. Times are microseconds since 1970 UTC. Not frozen: making one is on the hot path of a task call.
"""

from __future__ import annotations

from dataclasses import dataclass

from flowdeck.rules.states import State
from flowdeck.store.run_facts import RunError
from flowdeck.store.task_runs import NewTaskRun


@dataclass(slots=True)
class TaskRunsMade:
    """Calls were submitted; they wait for what they need, or for a free worker."""

    calls: list[NewTaskRun]
    state: State
    at: int


@dataclass(slots=True)
class TaskRunStarted:
    """A call's body is about to run."""

    call: NewTaskRun
    state: State
    at: int
    attempt: int
    worker: str | None
    made: bool
    """True when its row is there already: it was submitted, or this is not its first attempt."""


@dataclass(slots=True)
class TaskRunWaits:
    """A call's attempt failed, and there will be another one."""

    task_run_id: int
    state: State
    at: int
    error: RunError


@dataclass(slots=True)
class TaskRunEnded:
    """A call is over."""

    task_run_id: int
    state: State
    at: int
    preview: str | None
    error: RunError | None


@dataclass(slots=True)
class TaskRunNotReady:
    """A call will never start: what it needs has failed."""

    call: NewTaskRun
    state: State
    at: int
    made: bool


@dataclass(slots=True)
class FlowRunChanged:
    """The flow run entered another state."""

    state: State
    at: int
    attempt: int
    error: RunError | None = None
    close_below: bool = False
    """Calls and subflow runs of it that are not over are over now too."""


Fact = TaskRunsMade | TaskRunStarted | TaskRunWaits | TaskRunEnded | TaskRunNotReady | FlowRunChanged
