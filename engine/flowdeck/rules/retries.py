"""How often a failed call is tried again, and how long to wait before that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from flowdeck.rules.exceptions import DefinitionError

MAXIMUM_DELAY_COUNT: Final = 50
"""Length of the longest list of delays that is taken (the same as in Prefect)."""

MAXIMUM_DELAY_SECONDS: Final = 1_000_000_000.0
"""Some thirty years: beyond it neither a date nor a sleep can be counted on."""

_SHOWN_LENGTH: Final = 40


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What was declared with `retries` and `retry_delay_seconds`.

    Attributes:
        retries: how many more attempts there may be after the first.
        delays_seconds: the wait before each of them; the last one repeats, none at all means no wait.
    """

    retries: int = 0
    delays_seconds: tuple[float, ...] = ()

    def next_delay_seconds(self, attempt: int) -> float | None:
        """Return how long to wait after attempt number `attempt` (from 1) failed; None when it was the last."""
        if attempt > self.retries:
            return None
        if not self.delays_seconds:
            return 0.0
        return self.delays_seconds[min(attempt, len(self.delays_seconds)) - 1]


NO_RETRIES: Final = RetryPolicy()


def retry_policy(retries: Any, retry_delay_seconds: Any, *, owner: str) -> RetryPolicy:
    """Check what an author gave to a decorator and make the policy of it.

    Args:
        retries: a whole number of 0 or more; None for 0.
        retry_delay_seconds: a number, or a list of numbers (one a retry, the last one repeats); None for 0.
        owner: whom an error names, such as `task "fetch"`.

    Raises:
        DefinitionError: one of them is something else.
    """
    if retries is None:
        retries = 0
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise DefinitionError(f"retries of {owner} must be a whole number of 0 or more, not {_shown(retries)}")
    return RetryPolicy(retries, _delays(retry_delay_seconds, owner))


def _delays(given: Any, owner: str) -> tuple[float, ...]:
    if given is None:
        return ()
    if not isinstance(given, Sequence) or isinstance(given, str | bytes | bytearray):
        return (_delay(given, owner),)
    entries = cast("Sequence[Any]", given)
    if len(entries) > MAXIMUM_DELAY_COUNT:
        raise DefinitionError(
            f"retry_delay_seconds of {owner} has {len(entries)} entries; give at most {MAXIMUM_DELAY_COUNT},"
            " the last one repeats"
        )
    return tuple(_delay(entry, owner) for entry in entries)


def _delay(given: Any, owner: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise DefinitionError(
            f"retry_delay_seconds of {owner} must be a number of seconds or a list of them, not {_shown(given)}"
        )
    if not (math.isfinite(given) and 0 <= given <= MAXIMUM_DELAY_SECONDS):
        raise DefinitionError(
            f"retry_delay_seconds of {owner} must lie between 0 and {MAXIMUM_DELAY_SECONDS:.0f}, not {_shown(given)}"
        )
    return float(given)


def _shown(value: Any) -> str:
    """Write a refused value short enough for a sentence."""
    if not isinstance(value, int | float | str):
        return f"a {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 3]}..."
