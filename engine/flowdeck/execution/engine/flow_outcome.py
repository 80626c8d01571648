"""What a flow run ends as: its exception, what it returned, or a failure that nobody asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, cast

from flowdeck.execution.calls.arguments import resolve
from flowdeck.execution.calls.futures import TaskFuture
from flowdeck.execution.recording.failures import storable
from flowdeck.execution.recording.outcome import Outcome, state_of_failure
from flowdeck.rules.exceptions import FailedRun
from flowdeck.rules.states import TERMINAL, State, exception_of, named

_DEEPEST: Final = 20
"""How deep lists of states are looked into; what is nested deeper, or in itself, is a value like any other."""


def final_state(outcome: Outcome, submitted: Sequence[TaskFuture[Any]]) -> State:
    """Decide the final state of a flow run whose body is over and whose submitted calls are too.

    The body's exception decides; else the state(s) or future(s) that it returned; else the run is Completed, unless a
    submitted call failed and nobody asked for its result, exception or state.
    """
    if outcome.error is not None:
        return state_of_failure(outcome)
    returned = _returned_states(outcome.value)
    if returned is not None:
        return _of_states(returned, outcome.value)
    forgotten = [future for future in submitted if not future.asked and _has_failed(future.final_state())]
    if forgotten:
        first = forgotten[0]
        message = f"{len(forgotten)} of {len(submitted)} submitted task calls failed: {_words(first)}"
        error = FailedRun(message)
        error.__cause__ = first.final_state().exception
        return named("Failed", message, exception=error)
    return named("Completed", data=outcome.value)


def _returned_states(value: Any, depth: int = 0) -> list[tuple[str, State]] | None:
    """Return the states that a flow's value consists of, or None when it is a value like any other."""
    if depth > _DEEPEST:
        return None
    members: list[Any] = list(cast("Sequence[Any]", value)) if isinstance(value, list | tuple | set) else [value]
    states: list[tuple[str, State]] = []
    for member in members:
        if isinstance(member, State):
            states.append((member.name, member))
        elif isinstance(member, TaskFuture):
            future = cast("TaskFuture[Any]", member)
            states.append((future.name, future.state))
        elif isinstance(member, list | tuple) and (nested := _returned_states(member, depth + 1)):
            states.extend(nested)
        else:
            return None
    return states or None


def _of_states(states: list[tuple[str, State]], value: Any) -> State:
    if isinstance(value, State) and value.type in TERMINAL:
        message = None if value.message is None else storable(value.message)
        return replace(value, message=message, exception=exception_of(value))
    if isinstance(value, State) and value.is_cancelling():
        return named("Cancelled", None if value.message is None else storable(value.message))
    if isinstance(value, State) and not value.is_final():
        return named("Completed", data=value)  # a state of something that goes on: looked at, not come to
    for test in (_has_failed, State.is_cancelled, _is_unfinished):
        hits = [(name, state) for name, state in states if test(state)]
        if hits:
            name, state = hits[0]
            ends = "Cancelled" if state.is_cancelled() else "Failed"
            detail = f": {state.message}" if state.message else ""
            message = f"{len(hits)} of {len(states)} returned states are not completed; {name} is {state.name}{detail}"
            error = FailedRun(message) if state.exception is None else state.exception
            return named(ends, storable(message), exception=error)
    return named("Completed", data=resolve(value))


def _has_failed(state: State) -> bool:
    return state.is_failed() or state.is_crashed()


def _is_unfinished(state: State) -> bool:
    return not state.is_completed()


def _words(future: TaskFuture[Any]) -> str:
    return f"{future.name}: {future.final_state().message or future.final_state().name}"
