"""States of runs, and the one table that says which change of state is allowed.

Type drives logic, name is what people read: users may invent names, so nothing here decides by name
except the few refinements listed in `NAMES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast

from flowdeck.rules.exceptions import CancelledResult, CancelledRun, CrashedRun, FailedRun, UnfinishedRun, UsageError


class StateType(StrEnum):
    """The nine types that logic may depend on."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    CRASHED = "CRASHED"


TERMINAL: Final = frozenset({StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED, StateType.CRASHED})
"""Types that a run does not leave by itself; only a retry does."""

NAMES: Final[Mapping[str, StateType]] = {
    "Scheduled": StateType.SCHEDULED,
    "Late": StateType.SCHEDULED,
    "AwaitingRetry": StateType.SCHEDULED,
    "AwaitingConcurrencySlot": StateType.SCHEDULED,
    "Resuming": StateType.SCHEDULED,
    "Pending": StateType.PENDING,
    "NotReady": StateType.PENDING,
    "Running": StateType.RUNNING,
    "Retrying": StateType.RUNNING,
    "Rerunning": StateType.RUNNING,
    "Paused": StateType.PAUSED,
    "Suspended": StateType.PAUSED,
    "Cancelling": StateType.CANCELLING,
    "Completed": StateType.COMPLETED,
    "Cached": StateType.COMPLETED,
    "RolledBack": StateType.COMPLETED,
    "Failed": StateType.FAILED,
    "TimedOut": StateType.FAILED,
    "Cancelled": StateType.CANCELLED,
    "Crashed": StateType.CRASHED,
}
"""The names that flowdeck gives and that users of Prefect know, each with the type it refines."""

NOT_READY: Final = "NotReady"
"""A call whose upstream failed: PENDING by type, yet finished. It is never waited for and never started."""
AWAITING_RETRY: Final = "AwaitingRetry"
"""A run or call whose attempt failed, and that waits for its next one in its own process."""

_S = StateType

FLOW_RUN_TRANSITIONS: Final[Mapping[StateType, frozenset[StateType]]] = {
    _S.SCHEDULED: frozenset({_S.PENDING, _S.RUNNING, _S.CANCELLING, _S.CANCELLED, _S.FAILED, _S.CRASHED}),
    _S.PENDING: frozenset({_S.SCHEDULED, _S.RUNNING, _S.CANCELLING, _S.CANCELLED, _S.FAILED, _S.CRASHED}),
    _S.RUNNING: frozenset(
        {
            _S.SCHEDULED,
            _S.RUNNING,
            _S.PAUSED,
            _S.CANCELLING,
            _S.COMPLETED,
            _S.FAILED,
            _S.CANCELLED,
            _S.CRASHED,
        }
    ),
    _S.PAUSED: frozenset({_S.SCHEDULED, _S.RUNNING, _S.CANCELLING, _S.CANCELLED, _S.FAILED, _S.CRASHED}),
    _S.CANCELLING: frozenset({_S.CANCELLED}),
    # Out of a terminal state there is one way, the retry: same run, next attempt.
    _S.COMPLETED: frozenset({_S.SCHEDULED}),
    _S.FAILED: frozenset({_S.SCHEDULED}),
    _S.CANCELLED: frozenset({_S.SCHEDULED}),
    _S.CRASHED: frozenset({_S.SCHEDULED}),
}

TASK_RUN_TRANSITIONS: Final[Mapping[StateType, frozenset[StateType]]] = {
    _S.SCHEDULED: frozenset({_S.RUNNING, _S.CANCELLED, _S.CRASHED}),
    # PENDING to COMPLETED: its value is known already, from an earlier attempt or the cache.
    _S.PENDING: frozenset({_S.PENDING, _S.RUNNING, _S.COMPLETED, _S.CANCELLED, _S.CRASHED, _S.FAILED}),
    _S.RUNNING: frozenset({_S.SCHEDULED, _S.RUNNING, _S.COMPLETED, _S.FAILED, _S.CANCELLED, _S.CRASHED}),
    # A task call is never re-opened: another attempt of the flow makes a call row of its own.
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.CRASHED: frozenset(),
}

RETRYABLE: Final = frozenset({_S.FAILED, _S.CRASHED, _S.CANCELLED, _S.COMPLETED})
"""Types from which a flow run may be retried (COMPLETED only when asked for explicitly)."""


def sources_of(transitions: Mapping[StateType, frozenset[StateType]], target: StateType) -> frozenset[StateType]:
    """Return the types from which `target` may be reached: what a guarded UPDATE allows in its WHERE."""
    return frozenset(source for source, targets in transitions.items() if target in targets)


_DEEPEST: Final = 20
"""How deep a state that was made of states is looked into."""


@dataclass(frozen=True, slots=True)
class State:
    """What a run is in: a type, a name that refines it, and a sentence for people.

    Attributes:
        type: what logic depends on; a text such as "FAILED" is made one.
        name: what people read; refines the type. The type's own name unless given.
        message: one sentence, or None when the name says it all.
        at: when it was entered (aware, UTC); None for a state that is not recorded yet.
        data: the value that a Completed state carries, else None.
        exception: the exception that a Failed, Crashed or Cancelled state carries, else None.
    """

    type: StateType
    name: str = ""
    message: str | None = None
    at: datetime | None = None
    data: Any = field(default=None, repr=False, compare=False)
    exception: BaseException | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.type) is not StateType:
            object.__setattr__(self, "type", _type_of(self.type))
        if not self.name:
            object.__setattr__(self, "name", self.type.value.capitalize())

    def result(self, raise_on_failure: bool = True) -> Any:
        """Return the value of a completed run.

        Args:
            raise_on_failure: raise what the run failed of; otherwise return the exception.

        Raises:
            FailedRun: it failed, and its own exception is not at hand.
            CrashedRun: it crashed.
            CancelledResult: it was cancelled.
            UnfinishedRun: it has no result: NotReady, or still running.
        """
        if isinstance(self.exception, CancelledRun) and not isinstance(self.exception, Exception):
            cancelled = CancelledResult(*self.exception.args)
            if raise_on_failure:
                raise cancelled from self.exception.__cause__
            return cancelled
        return result_of(self, "the run", raise_on_failure)

    @property
    def timestamp(self) -> datetime | None:
        """When it was entered, by the name that users of Prefect know."""
        return self.at

    def is_final(self) -> bool:
        """Tell whether the run is over; a NotReady call counts as over."""
        return self.type in TERMINAL or self.name == NOT_READY

    def is_scheduled(self) -> bool:
        """Tell whether the type is SCHEDULED."""
        return self.type is StateType.SCHEDULED

    def is_pending(self) -> bool:
        """Tell whether the type is PENDING."""
        return self.type is StateType.PENDING

    def is_running(self) -> bool:
        """Tell whether the type is RUNNING."""
        return self.type is StateType.RUNNING

    def is_completed(self) -> bool:
        """Tell whether the type is COMPLETED."""
        return self.type is StateType.COMPLETED

    def is_failed(self) -> bool:
        """Tell whether the type is FAILED."""
        return self.type is StateType.FAILED

    def is_crashed(self) -> bool:
        """Tell whether the type is CRASHED."""
        return self.type is StateType.CRASHED

    def is_cancelled(self) -> bool:
        """Tell whether the type is CANCELLED."""
        return self.type is StateType.CANCELLED

    def is_cancelling(self) -> bool:
        """Tell whether the type is CANCELLING."""
        return self.type is StateType.CANCELLING

    def is_paused(self) -> bool:
        """Tell whether the type is PAUSED."""
        return self.type is StateType.PAUSED


def result_of(state: State, name: str, raise_on_failure: bool = True) -> Any:
    """Return the value of a state, or raise (or return) what it failed of; `name` is of the run, for the sentence."""
    if state.is_completed():
        return state.data
    error = exception_of(state)
    if error is None:
        error = _missing(state, name)
    if raise_on_failure:
        raise error
    return error


def exception_of(state: State) -> BaseException | None:
    """Return what a run failed of, also where its state was made of other states; None when it is not at hand."""
    found = state.exception
    if found is None and not state.is_completed():
        found = _exception_in(state.data, _DEEPEST)
    return found


def _exception_in(data: Any, depth: int) -> BaseException | None:
    if isinstance(data, BaseException):
        return data
    if isinstance(data, State) and not data.is_completed():
        return data.exception if data.exception is not None or depth <= 0 else _exception_in(data.data, depth - 1)
    if isinstance(data, list | tuple | set | frozenset) and depth > 0:
        found = (_exception_in(member, depth - 1) for member in cast("Iterable[Any]", data))
        return next((error for error in found if error is not None), None)
    return None


def _type_of(given: Any) -> StateType:
    try:
        return StateType(given.upper() if isinstance(given, str) else given)
    except ValueError:
        raise UsageError(
            f"A state's type is one of {', '.join(StateType)}, not {given!r}. A name of your own goes into `name`."
        ) from None


def _missing(state: State, name: str) -> BaseException:
    said = state.message or (state.data if isinstance(state.data, str) else None)
    detail = f": {said}" if said else "."
    if state.is_failed():
        return FailedRun(f"{name} failed{detail}")
    if state.is_crashed():
        return CrashedRun(f"{name} crashed{detail}")
    if state.is_cancelled():
        return CancelledResult(f"{name} was cancelled{detail}")
    return UnfinishedRun(f"{name} has no result, it is {state.name}{detail}")


def named(name: str, message: str | None = None, *, data: Any = None, exception: BaseException | None = None) -> State:
    """Make a state of one of flowdeck's own names; its type follows from `NAMES`."""
    return State(NAMES[name], name, message, data=data, exception=exception)
