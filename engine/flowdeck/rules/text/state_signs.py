"""Signs of states: a shape tells a state without colour, the same on the screen and in what commands print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flowdeck.rules.states import AWAITING_RETRY, NOT_READY, StateType

_S = StateType

SIGNS: Final[Mapping[StateType, str]] = {
    _S.SCHEDULED: "◷", _S.PENDING: "◌", _S.RUNNING: "●", _S.PAUSED: "‖", _S.CANCELLING: "□", _S.COMPLETED: "✓",
    _S.FAILED: "✗", _S.CANCELLED: "■", _S.CRASHED: "▲",
}  # fmt: skip
ASCII_SIGNS: Final[Mapping[StateType, str]] = {
    _S.SCHEDULED: "@", _S.PENDING: ".", _S.RUNNING: ">", _S.PAUSED: "=", _S.CANCELLING: "o", _S.COMPLETED: "+",
    _S.FAILED: "x", _S.CANCELLED: "#", _S.CRASHED: "!",
}  # fmt: skip
"""For terminals without Unicode."""
REFINED_SIGNS: Final[Mapping[str, str]] = {AWAITING_RETRY: "↻", NOT_READY: "–"}
"""Signs of the state names that have one of their own."""
REFINED_ASCII_SIGNS: Final[Mapping[str, str]] = {AWAITING_RETRY: "~", NOT_READY: "-"}


def state_sign(state_type: StateType, state_name: str, *, unicode: bool) -> str:
    """Return the sign of a state.

    Args:
        state_type: type of the state.
        state_name: name of the state; a few names have a sign of their own.
        unicode: whether the terminal shows Unicode.
    """
    refined = REFINED_SIGNS if unicode else REFINED_ASCII_SIGNS
    return refined.get(state_name) or (SIGNS if unicode else ASCII_SIGNS)[state_type]
