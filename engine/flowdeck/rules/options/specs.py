"""What was declared: the options behind @flow and @task. What happened with them is a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flowdeck.rules.options.cache_options import NO_CACHING, CacheOptions
from flowdeck.rules.options.hooks import NO_HOOKS, Hooks
from flowdeck.rules.options.result_options import DEFAULT_RESULTS, ResultOptions
from flowdeck.rules.options.retries import NO_RETRIES, RetryPolicy
from flowdeck.rules.options.task_runners import THREADS, TaskRunnerOption


@dataclass(frozen=True, slots=True)
class FlowSpec:
    """Options of a flow."""

    name: str
    description: str | None = None
    version: str | None = None
    run_name: str | Callable[[], str] | None = None
    retry: RetryPolicy = NO_RETRIES
    crash_retries: int = 0
    """How often a run is started again after its process died."""
    timeout_seconds: float | None = None
    log_prints: bool | None = None
    """None takes it over from the flow that calls this one; at the top that means no."""
    validate_parameters: bool = True
    results: ResultOptions = DEFAULT_RESULTS
    task_runner: TaskRunnerOption = THREADS
    """What runs submitted calls."""
    hooks: Hooks = field(default_factory=lambda: NO_HOOKS)


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """Options of a task."""

    name: str
    key: str
    """Names the task across processes, see `call_keys.task_key`."""
    description: str | None = None
    version: str | None = None
    tags: frozenset[str] = frozenset()
    run_name: str | Callable[..., str] | None = None
    retry: RetryPolicy = NO_RETRIES
    timeout_seconds: float | None = None
    own_process: bool = False
    """Each attempt runs in a process of its own."""
    cache: CacheOptions = NO_CACHING
    log_prints: bool | None = None
    """None takes it over from the flow."""
    results: ResultOptions = DEFAULT_RESULTS
    hooks: Hooks = field(default_factory=lambda: NO_HOOKS)
