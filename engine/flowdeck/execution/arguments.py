"""Futures and states among a call's arguments: finding them, and putting their values in their place.

Lists, tuples, sets and dictionaries are looked into, as deep as they go; other objects are handed on as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from flowdeck.execution.futures import TaskFuture
from flowdeck.rules.states import State

_PLAIN: Final = frozenset({int, float, str, bytes, bool, type(None)})


class Inputs(NamedTuple):
    """What a call's arguments hold for us."""

    futures: list[TaskFuture[Any]]
    """Each once, in order."""
    to_resolve: bool
    """There is a future or a state among them."""


def inputs_in(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Inputs:
    """Find the futures and states among the arguments."""
    futures: dict[int, TaskFuture[Any]] = {}
    has_states = False
    seen: set[int] = set()
    left: list[Iterator[Any]] = [iter(kwargs.values()), iter(args)]
    while left:
        for value in left[-1]:
            if type(value) in _PLAIN:
                continue
            if isinstance(value, TaskFuture):
                future = cast("TaskFuture[Any]", value)
                futures[id(future)] = future
            elif isinstance(value, State):
                has_states = True
            elif (members := _members(value)) is not None and id(value) not in seen:
                seen.add(id(value))
                left.append(iter(members))
                break
        else:
            left.pop()
    return Inputs(list(futures.values()), has_states or bool(futures))


def _members(value: Any) -> Iterable[Any] | None:
    if isinstance(value, list | tuple | set | frozenset):
        return cast("Iterable[Any]", value)
    return cast("dict[Any, Any]", value).values() if isinstance(value, dict) else None


def resolve(value: Any) -> Any:
    """Return the value with every future replaced by what it returned. All of them are over, and completed."""
    return _resolve(value, set())


def _resolve(value: Any, above: set[int]) -> Any:
    """`above` are the containers that the value is in: one that is in itself is left as it is."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, TaskFuture):
        future = cast("TaskFuture[Any]", value)
        future.asked = True
        return future.final_state().data
    if isinstance(value, State):
        return value.data if value.is_completed() else value
    members = _members(value)
    if members is None or id(value) in above:
        return value
    above.add(id(value))
    old = list(members)
    new = [_resolve(member, above) for member in old]
    above.discard(id(value))
    # The same object when nothing in it was replaced, so that identity and type are kept.
    return value if all(one is other for one, other in zip(old, new, strict=True)) else _rebuilt(value, new)


def _rebuilt(value: Any, members: list[Any]) -> Any:
    kind: type[Any] = type(value)
    if isinstance(value, dict):
        filled = copy.copy(cast("dict[Any, Any]", value))  # keeps the kind: an OrderedDict, a defaultdict
        for key, member in zip(list(filled), members, strict=True):
            filled[key] = member
        return filled
    if isinstance(value, list):
        return members
    return kind._make(members) if hasattr(kind, "_make") else kind(members)
