"""What was declared: the options behind @flow and @task. What happened with them is a run."""

from __future__ import annotations

from dataclasses import dataclass

from flowdeck.rules.retries import NO_RETRIES, RetryPolicy


@dataclass(frozen=True, slots=True)
class FlowSpec:
    """Options of a flow."""

    name: str
    description: str | None = None
    retry: RetryPolicy = NO_RETRIES
    log_prints: bool | None = None
    """None takes it over from the flow that calls this one; at the top that means no."""
    validate_parameters: bool = True


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """Options of a task."""

    name: str
    key: str
    """Names the task across processes, see `call_keys.task_key`."""
    description: str | None = None
    tags: frozenset[str] = frozenset()
    retry: RetryPolicy = NO_RETRIES
    log_prints: bool | None = None
    """None takes it over from the flow."""
