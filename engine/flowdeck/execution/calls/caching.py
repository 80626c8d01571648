"""Caching: the key of a call, what is found under it, and why or why not. Only for tasks that ask for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flowdeck.execution.recording import results
from flowdeck.rules.clock import to_datetime
from flowdeck.rules.keys.cache_policies import CallFacts, UnkeyedError
from flowdeck.rules.options.specs import TaskSpec
from flowdeck.store.calls.task_runs import CacheNote
from flowdeck.store.results.result_files import ResultLostError, StoredResult

if TYPE_CHECKING:
    from flowdeck.execution.calls.context import FlowRunContext

LOCK_INTERVAL_SECONDS: Final = 0.02
"""How often a call looks whether another one with its cache key is over."""
_SHOWN_KEY: Final = 16


class CachedTask(NamedTuple):
    """A task as a key function sees it."""

    name: str
    task_key: str
    fn: Callable[..., Any]
    tags: frozenset[str]


class CachedTaskRun(NamedTuple):
    """A task run as a key function sees it."""

    id: int
    name: str
    flow_run_id: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A value that was found."""

    value: Any
    stored: StoredResult
    note: CacheNote


def key_of(
    spec: TaskSpec,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    run: FlowRunContext,
    task_run: CachedTaskRun,
) -> CacheNote:
    """Return the key of a call, in the note that is kept with its result.

    Args:
        spec: the options of the task.
        function: the function of the task.
        args: the positional arguments of the call, resolved.
        kwargs: the keyword arguments of the call, resolved.
        run: the flow run that the call belongs to.
        task_run: the task run of the call, as a key function sees it.
    """
    if run.recorder.results.caching == "off":
        return CacheNote("", "Not cached: caching is off (setting caching).")
    facts = CallFacts(
        CachedTask(spec.name, spec.key, function, spec.tags), task_run, arguments_by_name(function, args, kwargs),
        run.parameters, run.identity.id,
    )  # fmt: skip
    try:
        parts = spec.cache.policy.parts(facts)
        key = spec.cache.policy.key_of(parts)
    except UnkeyedError as error:
        return CacheNote("", f"Not cached: {error}.")
    if key is None:
        return CacheNote("", "Not cached: there is no key for this call.")
    return CacheNote(key, " + ".join(name for name, _ in parts), to_store=True)


def find(
    spec: TaskSpec, function: Callable[..., Any], run: FlowRunContext, keyed: CacheNote, now: int
) -> Hit | CacheNote:
    """Return what is recorded under a key, or the note that says why there is nothing.

    Args:
        spec: the options of the task.
        function: the function of the task.
        run: the flow run that the call belongs to.
        keyed: the note that `key_of` gave.
        now: the time, in microseconds since 1970 UTC.
    """
    records, options = run.recorder.results, spec.cache
    shown = f"key {keyed.key if len(keyed.key) <= _SHOWN_KEY else keyed.key[:_SHOWN_KEY] + '…'} ({keyed.reason})"
    expires_at = None if options.expiration_seconds is None else now + int(options.expiration_seconds * 1e6)

    def missed(why: str) -> CacheNote:
        return CacheNote(keyed.key, f"Miss: {why} {shown}.", to_store=True, expires_at=expires_at)

    if options.refresh or (options.refresh is None and records.caching == "refresh"):
        return missed("it was asked to be refreshed;")
    found = records.cached(keyed.key)
    if found is None:
        return missed("nothing is recorded under")
    if found.expires_at is not None and found.expires_at <= now:
        return missed(f"expired at {_moment(found.expires_at)};")
    names = getattr(function, "__globals__", {})
    try:
        value = results.load(found.inline, found.file_hash, records, spec.results.serializer, names)
    except ResultLostError as error:
        return missed(f"{error};")
    where = "outside of runs" if found.flow_run_id is None else f"by run {found.flow_run_id[:8]}"
    reason = f"Hit: {shown}, recorded {where} at {_moment(found.recorded_at)}."
    size = len(found.inline) if found.inline is not None else records.size_of(found.file_hash)
    return Hit(value, StoredResult(found.inline, found.file_hash, size), CacheNote(keyed.key, reason))


def _moment(microseconds: int) -> str:
    return f"{to_datetime(microseconds):%Y-%m-%d %H:%M:%S} UTC"


def arguments_by_name(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments by parameter name, defaults filled in; as they were given when they do not fit."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except (TypeError, ValueError):  # the call itself will say so
        return {**{str(position): value for position, value in enumerate(args)}, **kwargs}
    bound.apply_defaults()
    return dict(bound.arguments)
