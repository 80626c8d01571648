"""Futures and states among a call's arguments: finding them, and putting their values in their place.

Lists, tuples, sets and dictionaries are looked into, as deep as they go; other objects are handed on as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from flowdeck.execution.futures import TaskFuture
from flowdeck.rules.states import State

_PLAIN: Final = frozenset({int, float, str, bytes, bool, type(None)})


def futures_in(args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[TaskFuture[Any]]:
    """Return the futures among the arguments, each once, in order."""
    found: dict[int, TaskFuture[Any]] = {}
    for value in args:
        if type(value) not in _PLAIN:
            _collect(value, found)
    for value in kwargs.values():
        if type(value) not in _PLAIN:
            _collect(value, found)
    return list(found.values())


def _collect(value: Any, found: dict[int, TaskFuture[Any]]) -> None:
    if isinstance(value, TaskFuture):
        future = cast("TaskFuture[Any]", value)
        found[id(future)] = future
    elif isinstance(value, list | tuple | set | frozenset):
        for item in cast("Sequence[Any]", value):
            if type(item) not in _PLAIN:
                _collect(item, found)
    elif isinstance(value, dict):
        for item in cast("dict[Any, Any]", value).values():
            if type(item) not in _PLAIN:
                _collect(item, found)


def resolve(value: Any) -> Any:
    """Return the value with every future replaced by what it returned. All of them are over, and completed."""
    kind: type[Any] = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, TaskFuture):
        future = cast("TaskFuture[Any]", value)
        future.asked = True
        return future.final_state().data
    if isinstance(value, State):
        return value.data if value.is_completed() else value
    if kind is dict:
        items = cast("dict[Any, Any]", value)
        resolved = {name: resolve(item) for name, item in items.items()}
        return resolved if any(resolved[name] is not item for name, item in items.items()) else items
    if kind in (list, set, frozenset) or isinstance(value, tuple | list):
        return _resolve_sequence(value, kind)
    return value


def _resolve_sequence(value: Any, kind: type[Any]) -> Any:
    """Return the same object when nothing in it was replaced, so that identity and type are kept."""
    members = list(value)
    resolved = [resolve(item) for item in members]
    if all(new is old for new, old in zip(resolved, members, strict=True)):
        return value
    if hasattr(kind, "_make"):  # a named tuple
        return kind._make(resolved)
    return list(resolved) if isinstance(value, list) else kind(resolved)
