"""Who a flow run is, and how it runs: values that its own process, the processes of its calls and its hooks share."""

from __future__ import annotations

from typing import NamedTuple


class RunIdentity(NamedTuple):
    """Who a flow run is. A new value of all runs is added here and where `starts.run_creation` fills it in."""

    id: str
    """UUID of the flow run."""
    first_task_id: int
    """Number 0 of the run's calls; a call's id is this plus its number."""
    incarnation: int
    """Which process has the run, from 1; facts of an older one are refused."""
    name: str
    """Two words, or as the author named it."""
    flow_name: str
    flow_version: str | None
    """The version as the flow's author states it; None when there is none."""
    root_run_id: str
    """UUID of the run that all this began with; its own for one that no other run called."""
    parent_run_id: str | None
    """UUID of the run that called this one; None for one that no other run called."""
    attempt: int
    """The attempt that goes on, from 1."""
    tags: frozenset[str]
    scheduled_at: int | None
    """When it was to begin, in microseconds since 1970 UTC."""

    @property
    def is_subflow(self) -> bool:
        """Tell whether another run called this one."""
        return self.root_run_id != self.id


class RunSettings(NamedTuple):
    """How a flow run runs."""

    log_prints: bool
    """`print` goes to the log."""
    echo: bool
    """Log records are shown on stderr too."""
    max_workers: int
    """The number of submitted calls that run at once."""
    cancel_grace_seconds: float = 0.0
    """The time for which calls that have begun may go on when the run is cancelled."""
