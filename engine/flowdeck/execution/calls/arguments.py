"""Futures and states among a call's arguments: finding them, and putting their values in their place.

What `containers` can rebuild is looked into, as deep as it goes; other objects are handed on as they are, and a future
in one of them is named in the log. A long list of plain values costs one scan of its types. See `annotations` for the
marks an author may set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from flowdeck.execution.calls.annotations import AllowFailure, Annotation, Opaque, Quote
from flowdeck.execution.calls.containers import PLAIN, members_of, rebuilt, strays_in
from flowdeck.execution.calls.futures import TaskFuture, TaskFutureList
from flowdeck.rules.exceptions import UsageError
from flowdeck.rules.states import State, result_of


class Inputs(NamedTuple):
    """What a call's arguments hold for us."""

    futures: list[TaskFuture[Any]]
    """Each once, in order."""
    to_resolve: bool
    """There is a future, a state or a mark among them."""
    tolerated: frozenset[int] = frozenset()
    """`id` of those futures that may have failed."""
    failed_state: State | None = None
    """A state among them that is over and not completed, and may not be so."""
    stray: str | None = None
    """Where in a plain object a future stands that is not waited for."""

    def with_awaited(self, wait_for: Any, owner: str) -> Inputs:
        """Return them with what `wait_for` names.

        Raises:
            UsageError: it is neither a future nor a collection of them; `owner` is who was given it.
        """
        awaited = inputs_in((awaited_in(wait_for, owner),), {})
        further = [future for future in awaited.futures if future not in self.futures]
        tolerated = self.tolerated | (awaited.tolerated - {id(future) for future in self.futures})
        failed_state = self.failed_state or awaited.failed_state
        return Inputs([*self.futures, *further], self.to_resolve, tolerated, failed_state, self.stray)

    def missing(self) -> tuple[str, State] | None:
        """Return the first thing among them that did not complete and may not be so, once all futures are over."""
        for future in self.futures:
            state = future.final_state()
            if id(future) in self.tolerated:
                future.asked = True  # also one that is only waited for: nothing else will ask for its value
            elif not state.is_completed():
                return future.name, state
        return None if self.failed_state is None else ("a state", self.failed_state)


class _Search:
    """One walk through the arguments of a call."""

    def __init__(self) -> None:
        self.futures: dict[int, TaskFuture[Any]] = {}
        self.tolerated: set[int] = set()
        self.required: set[int] = set()
        self.failed_state: State | None = None
        self.to_resolve = False
        self.stray: str | None = None
        self._seen: set[int] = set()

    def walk(self, values: Iterable[Any], *, tolerant: bool) -> None:
        left: list[Iterator[Any]] = [iter(values)]
        while left:
            for value in left[-1]:
                if type(value) in PLAIN:
                    continue
                members = self._look(value, tolerant)
                if members is not None and id(value) not in self._seen:
                    self._seen.add(id(value))
                    left.append(iter(members))
                    break
            else:
                left.pop()

    def _look(self, value: Any, tolerant: bool) -> Iterable[Any] | None:
        """Note what a value is; return what is in it, if that is to be looked at."""
        if isinstance(value, TaskFuture):
            self._note_future(cast("TaskFuture[Any]", value), tolerant)
        elif isinstance(value, State):
            self.to_resolve = True
            if not tolerant and value.is_final() and not value.is_completed() and self.failed_state is None:
                self.failed_state = value
        elif isinstance(value, Annotation):
            self._note_mark(cast("Annotation[Any]", value), tolerant)
        else:
            members = members_of(value)
            if members is None and self.stray is None:
                self.stray = strays_in(value, _is_future)
            return members
        return None

    def _note_future(self, future: TaskFuture[Any], tolerant: bool) -> None:
        self.to_resolve = True
        self.futures[id(future)] = future
        (self.tolerated if tolerant else self.required).add(id(future))

    def _note_mark(self, mark: Annotation[Any], tolerant: bool) -> None:
        self.to_resolve = True
        if isinstance(mark, Quote):
            return
        if isinstance(mark, Opaque):
            if isinstance(mark.value, TaskFuture | State):
                self._look(mark.value, tolerant)
            return
        self.walk((mark.value,), tolerant=tolerant or isinstance(mark, AllowFailure))


def inputs_in(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Inputs:
    """Find the futures, states and marks among the arguments."""
    search = _Search()
    search.walk(args, tolerant=False)
    if kwargs:
        search.walk(kwargs.values(), tolerant=False)
    if not search.to_resolve:
        return _NOTHING if search.stray is None else Inputs([], False, stray=search.stray)
    tolerated = frozenset(search.tolerated - search.required)
    return Inputs(list(search.futures.values()), True, tolerated, search.failed_state, search.stray)


_NOTHING: Final = Inputs([], False)


def awaited_in(wait_for: Any, owner: str) -> Any:
    """Return what `wait_for` names, which may be one future or state, or a collection of any kind.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(wait_for, TaskFuture | State | Annotation):
        return wait_for
    if not isinstance(wait_for, Iterable):
        raise UsageError(f"wait_for of {owner} takes futures, or a list of them, not {wait_for!r}.")
    return list(cast("Iterable[Any]", wait_for))


def _is_future(value: Any) -> bool:
    return isinstance(value, TaskFuture)


def resolve(value: Any) -> Any:
    """Return the value with every future replaced by what it returned, and every mark by what it marks.

    All futures in it are over; those that did not complete are inside of an `allow_failure`.
    """
    return _resolve(value, set())


def _resolve(value: Any, above: set[int]) -> Any:
    """`above` are the containers that the value is in: one that is in itself is left as it is."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, TaskFuture):
        future = cast("TaskFuture[Any]", value)
        future.asked = True
        return result_of(future.final_state(), future.name, raise_on_failure=False)
    if isinstance(value, State):
        return result_of(value, value.name, raise_on_failure=False) if value.is_final() else value
    if isinstance(value, Annotation):
        return _unwrapped(cast("Annotation[Any]", value), above)
    members = members_of(value)
    if members is None or id(value) in above:
        return value
    above.add(id(value))
    old = list(members)
    new = [_resolve(member, above) for member in old]
    above.discard(id(value))
    # The same object when nothing in it was replaced, so that identity and type are kept.
    if all(one is other for one, other in zip(old, new, strict=True)):
        return value
    return new if isinstance(value, TaskFutureList) else rebuilt(value, new)


def _unwrapped(mark: Annotation[Any], above: set[int]) -> Any:
    inner = mark.value
    is_resolved = not isinstance(mark, Quote | Opaque) or (
        isinstance(mark, Opaque) and isinstance(inner, TaskFuture | State)
    )
    return _resolve(inner, above) if is_resolved else inner
