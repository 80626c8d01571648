"""Every option of @flow and @task, and the specs that they make: the one list of what an author may declare."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict

from flowdeck.rules.exceptions import DefinitionError, InvalidNameError
from flowdeck.rules.options.cache_options import cache_options
from flowdeck.rules.options.hooks import FLOW_HOOKS, TASK_HOOKS, Hook, hook_table
from flowdeck.rules.options.result_options import result_options
from flowdeck.rules.options.retries import retry_policy
from flowdeck.rules.options.specs import FlowSpec, TaskSpec
from flowdeck.rules.options.tag_sets import tag_set
from flowdeck.rules.options.task_runners import TaskRunnerOption, task_runner_option


class CommonOptions(TypedDict, total=False):
    """What flows and tasks have in common."""

    name: str | None
    """The function's name unless given; of a flow with hyphens for underscores."""
    description: str | None
    """What it does; the first paragraph of the docstring unless given."""
    version: str | None
    retries: int | None
    """How often it is tried again after a failure."""
    retry_delay_seconds: float | Sequence[float] | Callable[[int], Sequence[float]] | None
    """Wait before each retry; of a list the last one repeats; a function is given the number of retries."""
    retry_jitter_factor: float | None
    """Spreads each wait: up to (1 + factor) times as long, or shorter, as long in the mean."""
    retry_condition_fn: Callable[..., Any] | None
    """`(task, task_run, state)`, for a flow `(flow, flow_run, state)`: a false value means no retry."""
    timeout_seconds: float | None
    log_prints: bool | None
    """`print` goes to the log; None as the flow around does."""
    persist_result: bool | None
    """False: the result is not recorded, so that a retry runs it again."""
    result_storage: Any
    """Taken for scripts that have it, with a warning: results lie in the home."""
    result_storage_key: str | None
    """Name of the result, with places such as `{parameters[x]}`."""
    result_serializer: Any
    """`pickle`, `json`, `compressed/pickle`, `compressed/json`, or an object of your own."""
    cache_result_in_memory: bool
    """Taken for scripts that have it; a result is in memory as long as somebody holds it, either way."""
    on_running: Hook | Sequence[Hook] | None
    on_completion: Hook | Sequence[Hook] | None
    on_failure: Hook | Sequence[Hook] | None


class FlowOptions(CommonOptions, total=False):
    """What `@flow(…)` takes."""

    flow_run_name: str | Callable[[], str] | None
    """Name of each run: a text with places for parameters, or a function without arguments."""
    task_runner: TaskRunnerOption | type[TaskRunnerOption] | None
    """What runs submitted tasks; threads unless given."""
    validate_parameters: bool
    """Make of arguments what their annotations ask, and refuse what does not fit."""
    crash_retries: int | None
    """How often a run is started again after its process died."""
    on_cancellation: Hook | Sequence[Hook] | None
    on_crashed: Hook | Sequence[Hook] | None


class TaskOptions(CommonOptions, total=False):
    """What `@task(…)` takes."""

    tags: Iterable[str] | None
    task_run_name: str | Callable[..., str] | None
    """Name of each run: a text with places for parameters, or a function (of none, or of `parameters`)."""
    cache_policy: Any
    cache_key_fn: Callable[..., str | None] | None
    """`(context, parameters)`: the key under which the result is cached; None for not at all."""
    cache_expiration: Any
    """A timedelta; None for never."""
    refresh_cache: bool | None
    own_process: bool
    """Run each attempt in a process of its own, which a timeout or a cancel can end whatever it does."""
    on_rollback: Hook | Sequence[Hook] | None
    on_commit: Hook | Sequence[Hook] | None


_INSTEAD: Final = {"cache_policy": "cache_key_fn", "cache_key_fn": "cache_policy"}
"""Options that stand for each other: who gives the one anew no longer means the other."""


def merged(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a decorator with others in their place, as `with_options` has them."""
    left = {name: value for name, value in before.items() if given.get(_INSTEAD.get(name, "")) is None}
    return {**left, **given}


MAXIMUM_TIMEOUT_SECONDS: Final = 1_000_000_000.0
_BANNED: Final = "/%&><"


def flow_spec(function_name: str, docstring: str | None, options: Mapping[str, Any]) -> FlowSpec:
    """Return the spec of a flow.

    Args:
        function_name: of its function.
        docstring: of its function.
        options: of `FlowOptions`.

    Raises:
        DefinitionError: an option is unknown or cannot be used.
    """
    name = options.get("name") or function_name.replace("_", "-")
    owner = f"flow '{name}'"
    _check_known(options, FlowOptions.__optional_keys__, owner)
    if any(character in name for character in _BANNED):
        raise InvalidNameError(f"A flow may not be named '{name}': the characters / % & > < are not allowed.")
    validate = options.get("validate_parameters")
    return FlowSpec(
        **_common(options, docstring, owner),
        name=name,
        run_name=_run_name(options.get("flow_run_name"), "flow_run_name", owner),
        validate_parameters=True if validate is None else bool(validate),
        task_runner=task_runner_option(options.get("task_runner"), owner),
        crash_retries=_crash_retries(options.get("crash_retries"), owner),
        hooks=hook_table(options, FLOW_HOOKS, owner=owner),
    )


def task_spec(function_name: str, key: str, docstring: str | None, options: Mapping[str, Any]) -> TaskSpec:
    """Return the spec of a task.

    Args:
        function_name: of its function.
        key: see `call_keys.task_key`.
        docstring: of its function.
        options: of `TaskOptions`.

    Raises:
        DefinitionError: an option is unknown or cannot be used.
    """
    name = options.get("name") or function_name
    owner = f"task '{name}'"
    _check_known(options, TaskOptions.__optional_keys__, owner)
    return TaskSpec(
        **_common(options, docstring, owner),
        name=name,
        key=key,
        tags=tag_set(options.get("tags"), owner),
        run_name=_run_name(options.get("task_run_name"), "task_run_name", owner),
        own_process=bool(options.get("own_process")),
        cache=cache_options(options, owner=owner),
        hooks=hook_table(options, TASK_HOOKS, owner=owner),
    )


def _common(options: Mapping[str, Any], docstring: str | None, owner: str) -> dict[str, Any]:
    if options.get("result_storage") is not None:
        told = f"{owner} has a result_storage, which changes nothing: flowdeck keeps results in its home."
        warnings.warn(told, UserWarning, stacklevel=4)
    return {
        "description": options.get("description") or _first_paragraph(docstring),
        "version": options.get("version"),
        "retry": retry_policy(
            options.get("retries"), options.get("retry_delay_seconds"), options.get("retry_jitter_factor"),
            options.get("retry_condition_fn"), owner=owner,
        ),
        "timeout_seconds": _timeout_seconds(options.get("timeout_seconds"), owner),
        "log_prints": options.get("log_prints"),
        "results": result_options(
            options.get("persist_result"), options.get("result_serializer"), options.get("result_storage_key"),
            owner=owner,
        ),
    }  # fmt: skip


def _check_known(options: Mapping[str, Any], known: frozenset[str], owner: str) -> None:
    unknown = sorted(set(options) - known)
    if not unknown:
        return
    import difflib  # noqa: PLC0415 - only for the sentence of an error

    near = difflib.get_close_matches(unknown[0], known, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(known))}."
    raise DefinitionError(f"{owner} has no option '{unknown[0]}'; {hint}")


def _timeout_seconds(given: Any, owner: str) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given) or given < 0:
        raise DefinitionError(
            f"timeout_seconds of {owner} must be a number of seconds, 0 or None for no limit, not {given!r}."
        )
    return min(float(given), MAXIMUM_TIMEOUT_SECONDS) or None


def _run_name(given: Any, option: str, owner: str) -> Any:
    if given is None or callable(given) or (isinstance(given, str) and given):
        return given
    raise DefinitionError(f"{option} of {owner} must be a text or a function that returns one, not {given!r}.")


def _crash_retries(given: Any, owner: str) -> int:
    if given is None:
        return 0
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise DefinitionError(f"crash_retries of {owner} must be a whole number of 0 or more, not {given!r}.")
    return given


def _first_paragraph(docstring: str | None) -> str | None:
    """Return the first paragraph of a docstring on one line."""
    if not docstring or not docstring.strip():
        return None
    return " ".join(docstring.strip().split("\n\n", 1)[0].split())
