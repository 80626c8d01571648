"""Facts: the events of a run that a recorder keeps, in the store or as messages of a stream.

A fact is plain data, so it can cross a pipe; `(attempt, incarnation, seq)` of the row that it changes orders and fences
it, see `recorder`. Times are microseconds since 1970 UTC. Not frozen: making one is on the hot path of a task call.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flowdeck.rules.states import State
from flowdeck.store.calls.task_run_reuse import Origin
from flowdeck.store.calls.task_runs import NO_VALUE, CacheNote, NewTaskRun, RecordedValue
from flowdeck.store.calls.transactions import CommittedCall, CommittedKey
from flowdeck.store.run_values import RunError, UnusedResults


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
    error: RunError | None
    value: RecordedValue = NO_VALUE
    cache: CacheNote | None = None
    transaction_values: bytes | None = None
    """What its body has set in its transaction, pickled."""


@dataclass(slots=True)
class TaskRunTaken:
    """A call is complete without having run: an earlier attempt recorded its value, or the cache has it."""

    call: NewTaskRun
    state: State
    at: int
    value: RecordedValue
    origin: Origin
    made: bool


@dataclass(slots=True)
class TaskRunNotReady:
    """A call will never start: what it needs has failed."""

    call: NewTaskRun
    state: State
    at: int
    made: bool


@dataclass(slots=True)
class TransactionCommitted:
    """Calls of this run that stood in a transaction can no more be rolled back."""

    calls: list[CommittedCall]
    at: int
    keys: list[CommittedKey] = field(default_factory=list)
    """Of the transaction and of those inside of it."""


@dataclass(slots=True)
class TaskRunsRolledBack:
    """Calls were undone by their transaction; they count as never made."""

    task_run_ids: list[int]
    state: State
    at: int


@dataclass(slots=True)
class SubflowTaken:
    """A subflow is complete without having run: an earlier attempt of the run that calls it recorded its value."""

    key: int
    parent_attempt: int
    parent_task_run_id: int | None


@dataclass(slots=True)
class FlowRunNamed:
    """The flow run has the name that its author made for it."""

    name: str


@dataclass(slots=True)
class Declared:
    """What a flow's author declared that others must know when the process of its run is gone."""

    crash_retries: int
    hooks: str | None
    """JSON array of the ends for which there are hooks; None for none."""


@dataclass(slots=True)
class FlowRunChanged:
    """The flow run entered another state."""

    state: State
    at: int
    attempt: int
    error: RunError | None = None
    close_below: bool = False
    """Calls and subflow runs of it that are not over are over now too."""
    value: RecordedValue = NO_VALUE
    unused: UnusedResults | None = None
    declared: Declared | None = None
    """Of a run that this process takes over."""


Fact = (
    TaskRunsMade
    | TaskRunStarted
    | TaskRunWaits
    | TaskRunEnded
    | TaskRunTaken
    | TaskRunNotReady
    | TransactionCommitted
    | TaskRunsRolledBack
    | SubflowTaken
    | FlowRunNamed
    | FlowRunChanged
)
