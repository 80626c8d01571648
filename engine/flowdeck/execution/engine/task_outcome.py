"""What a task call ends as: what its function raised, the state that it returned, or else Completed."""

from __future__ import annotations

from flowdeck.execution.recording.failures import storable
from flowdeck.execution.recording.outcome import Outcome, state_of_failure
from flowdeck.rules.exceptions import FailedRun
from flowdeck.rules.states import TERMINAL, State, exception_of, named


def final_state(outcome: Outcome) -> State:
    """Decide the final state of an attempt."""
    if outcome.error is not None:
        return state_of_failure(outcome)
    returned = outcome.value
    if isinstance(returned, State) and returned.type in TERMINAL:
        return _as_returned(returned)
    return named("Completed", data=returned)


def _as_returned(state: State) -> State:
    """Return a state that an author made, with an exception where it is a failure: for whoever asks for its result."""
    message = None if state.message is None else storable(state.message)
    error = exception_of(state)
    if error is None and state.is_failed():
        error = FailedRun(message or state.name)
    return State(state.type, storable(state.name), message, data=state.data, exception=error)
