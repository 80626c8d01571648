"""A frozen dataclass for each kind of record that the store returns. Times are aware UTC datetimes, durations seconds.

A script that only runs a flow needs none of them and does not import this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flowdeck.rules.runs.run_filter import EVERYTHING, RunFilter
from flowdeck.rules.runs.run_order import Place, RunOrder
from flowdeck.rules.states import NOT_READY, TERMINAL, StateType
from flowdeck.rules.versions import __version__, is_older
from flowdeck.store.run_values import RunError, UnusedResults


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """How many task runs of a flow run's current attempt are where; `other` waits or was cancelled."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    running: int = 0

    @property
    def other(self) -> int:
        """Those that are neither completed, failed (or crashed) nor running."""
        return self.total - self.completed - self.failed - self.running


@dataclass(frozen=True, slots=True)
class FlowRun:
    """One run of a flow, over all its attempts."""

    key: int
    """Small integer that joins tables; people and scripts use `id`."""
    id: str
    """UUIDv7, lower case with hyphens."""
    name: str
    flow_name: str
    entrypoint: str | None
    """`FILE:FUNCTION`, FILE relative to `working_dir` where it lies below it; None for a flow without a file."""
    working_dir: str
    source_file: str | None
    """Real path of the file that defines the flow."""
    function: str | None
    state_type: StateType
    state_name: str
    state_message: str | None
    attempt: int
    """From 1; a retry is the next one."""
    incarnation: int
    """How many times a process was given this run; what an older one still writes is refused."""
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    """Start of the current attempt."""
    ended_at: datetime | None
    parent_key: int | None
    parent_run_id: str | None
    root_run_id: str
    origin_run_id: str | None
    deployment_id: str | None
    triggered_by: str
    """`script`, `cli`, `tui`, `api` or `flow`."""
    tags: tuple[str, ...]
    parameters: Mapping[str, Any]
    """As JSON values; what JSON cannot hold stands there as `<TypeName>`."""
    interpreter: str | None
    pid: int | None
    host_pid: int | None
    exit_code: int | None
    signal: int | None
    error: RunError | None
    task_counts: TaskCounts
    warning_count: int
    error_count: int
    peak_rss_bytes: int | None = None
    """The most memory that one of its processes held, once its process is gone; None when that is not known."""
    cpu_seconds: float | None = None
    """User and system time of its processes; None when that is not known."""
    reused: bool = False
    """Of a subflow: the current attempt of the run that calls it has taken its recorded result."""
    unused_results: UnusedResults | None = None
    """Recorded results that the current attempt, which has completed, did not ask for; None when there are none."""

    @property
    def is_final(self) -> bool:
        """Tell whether the run is over."""
        return self.state_type in TERMINAL

    def duration_seconds(self, now: datetime) -> float | None:
        """Return how long the current attempt took, up to `now` while it runs; None before it started."""
        if self.started_at is None:
            return None
        return max(0.0, ((self.ended_at or now) - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class StateRecord:
    """One entry in the history of a run's states."""

    id: int
    task_run_id: int | None
    """None for a state of the flow run itself."""
    state_type: StateType
    state_name: str
    message: str | None
    at: datetime
    attempt: int


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One call of a task in one attempt of a flow run."""

    id: int
    flow_run_key: int
    flow_run_id: str
    name: str
    """`task_name-index`, unless the author named it."""
    task_name: str
    tags: tuple[str, ...]
    index: int
    """Which call of this task it is in its attempt of the flow run, from 0."""
    flow_attempt: int
    group: int | None
    """Number of the `.map()` call that made it; None for a call on its own."""
    parent_id: int | None
    """The task run that called it, when tasks are nested."""
    state_type: StateType
    state_name: str
    state_message: str | None
    attempt: int
    from_cache: bool
    reused: bool
    worker: str | None
    """Name of the thread, process or remote worker that ran it."""
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    upstream_ids: tuple[int, ...]
    result_preview: str | None
    error: RunError | None
    result_bytes: int | None = None
    """Size of the recorded result; None when none is recorded."""
    reused_from: int | None = None
    """Id of the task run of an earlier attempt whose result this one has."""
    cache_reason: str | None = None
    """Why it was found in the cache, or why not; None for a task that is not cached."""

    @property
    def is_final(self) -> bool:
        """Tell whether the call is over; NotReady counts as over."""
        return self.state_type in TERMINAL or self.state_name == NOT_READY

    def duration_seconds(self, now: datetime) -> float | None:
        """Return how long it took, up to `now` while it runs; None before it started."""
        if self.started_at is None:
            return None
        return max(0.0, ((self.ended_at or now) - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class CallLine:
    """A line below a flow run in a tree: one task call, or all items of one `.map()` call together."""

    flow_run_key: int
    task_name: str
    name: str
    """The call's name, or `task_name ×N` for a group."""
    first_id: int
    """Id of the (first) task run."""
    group: int | None
    """Number of the `.map()` call; None when this is one call."""
    counts: TaskCounts
    state_type: StateType
    state_name: str
    """For a group: Failed when an item failed, Running while one is not over, else Completed (or Cancelled)."""
    state_message: str | None
    started_at: datetime | None
    ended_at: datetime | None
    attempt: int
    """Of one call; for a group the highest of its items."""


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Which lines of calls of a run to return, and in which order.

    Attributes:
        group: the items of this `.map()` call, each as a line of its own; None for all calls, each `.map()` as one.
        text: text that the name must hold (case ignored); empty for all.
        order: `failed`: those with a failure first; `call`: as they were made; `slowest`: by the time they took.
        offset: number of lines to leave out.
        limit: largest number of rows; 0 for all.
    """

    group: int | None = None
    text: str = ""
    order: str = "failed"
    offset: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class CallPage:
    """A stretch of the lines that a `CallQuery` means.

    Attributes:
        query: the query that was asked.
        total: number of lines, whatever the limit.
        lines: those from the query's offset on.
    """

    query: CallQuery
    total: int
    lines: tuple[CallLine, ...]


@dataclass(frozen=True, slots=True)
class FlowEntry:
    """A flow that discovery found in a watched folder, or a file in which it found an error."""

    folder: str
    file: str
    """Path relative to `folder`."""
    function: str | None
    """None when the file is broken and no flow of it was ever known."""
    name: str | None
    line: int | None
    description: str | None
    parameter_schema: Mapping[str, Any] | None
    """JSON schema, type object."""
    status: str
    """`ok` or `import_error`."""
    error: RunError | None
    last_run_id: str | None = None
    last_run_state: StateType | None = None
    last_run_ended_at: datetime | None = None

    @property
    def entrypoint(self) -> str:
        """`FILE:FUNCTION`, or FILE alone when the function is not known."""
        return f"{self.file}:{self.function}" if self.function else self.file


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which flow runs to list, and in which order.

    Attributes:
        filter: conditions that the runs fulfil.
        order: order of the list.
        roots_only: whether subflow runs are left out.
        parent_key: only direct subflow runs of this run's current attempt.
        after: begin behind this place (keyset paging), whether or not a run stands there; None for the start.
        backwards: go the other way: from the end, or from `after` towards the start; rows come in that direction.
        limit: largest number of rows; 0 for all.
    """

    filter: RunFilter = EVERYTHING
    order: RunOrder = RunOrder.NEWEST
    roots_only: bool = False
    parent_key: int | None = None
    after: Place | None = None
    backwards: bool = False
    limit: int = 100


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What is known of the engine of this home."""

    running: bool
    pid: int | None = None
    folders: tuple[str, ...] = ()
    started_at: datetime | None = None
    version: str | None = None
    spares_ready: int = 0
    started_by: str | None = None
    """`tui` or `cli`: it ends by itself when nobody needs it; `server` stays."""
    stalled: str | None = None
    """Why it does nothing although its process is there, and what to do; None when it works."""

    @property
    def works(self) -> bool:
        """Tell whether an engine runs that is neither stopped nor hung."""
        return self.running and self.stalled is None

    @property
    def is_older(self) -> bool:
        """Tell whether an engine runs that is of an older flowdeck than this process."""
        return self.version is not None and is_older(self.version, __version__)

    @property
    def is_newer(self) -> bool:
        """Tell whether an engine runs that is of a newer flowdeck than this process."""
        return self.version is not None and is_older(__version__, self.version)

    @property
    def version_note(self) -> str | None:
        """What to say of an engine of another version, and what to do about it; None when there is none."""
        of = f"the engine (pid {self.pid}) is of flowdeck {self.version}"
        if self.is_older:
            return f"{of}, older than {__version__}; `flowdeck server start --background` replaces it, runs go on."
        if self.is_newer:
            return f"{of}, newer than {__version__}, and stays; use that version, or `flowdeck server stop` ends it."
        return None


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since the last look.

    Attributes:
        resync: the reader was too far behind; read everything again. The other fields are then empty.
        flow_runs: keys of flow runs of which something changed: the run itself, a task call, a count.
        flows: the catalogue of flows changed.
        engine: the engine or its folders changed.
    """

    resync: bool = False
    flow_runs: frozenset[int] = field(default_factory=frozenset)
    flows: bool = False
    engine: bool = False
