"""How often a failed call is tried again, and how long to wait before that."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from flowdeck.rules.exceptions import DefinitionError

MAXIMUM_DELAY_COUNT: Final = 50
"""Length of the longest list of delays that is taken (the same as in Prefect)."""

MAXIMUM_DELAY_SECONDS: Final = 1_000_000_000.0
"""Some thirty years: beyond it neither a date nor a sleep can be counted on."""

_SHOWN_LENGTH: Final = 40


Uniform = Callable[[], float]
"""Gives numbers evenly spread over [0, 1)."""


def system_uniform() -> float:
    """Return a number of [0, 1): 53 random bits of the system. The module `random` would cost 2 ms at import."""
    return (int.from_bytes(os.urandom(7), "big") >> 3) / (1 << 53)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What was declared with `retries` and what goes with it.

    Attributes:
        retries: how many more attempts there may be after the first.
        delays_seconds: the wait before each of them; the last one repeats, none at all means no wait.
        jitter_factor: spreads each wait, see `clamped_poisson_interval`; 0 for not at all.
        condition: the author's `(task, task_run, state)`, who may say no; None for always.
    """

    retries: int = 0
    delays_seconds: tuple[float, ...] = ()
    jitter_factor: float = 0.0
    condition: Callable[..., Any] | None = None

    def next_delay_seconds(self, attempt: int, uniform: Uniform = system_uniform) -> float | None:
        """Return how long to wait after an attempt failed; None when it was the last.

        Args:
            attempt: its number, from 1.
            uniform: source of random numbers between two bounds.
        """
        if attempt > self.retries:
            return None
        if not self.delays_seconds:
            return 0.0
        delay_seconds = self.delays_seconds[min(attempt, len(self.delays_seconds)) - 1]
        if not (self.jitter_factor and delay_seconds):
            return delay_seconds
        return clamped_poisson_interval(delay_seconds, self.jitter_factor, uniform)


NO_RETRIES: Final = RetryPolicy()


def clamped_poisson_interval(mean: float, factor: float, uniform: Uniform = system_uniform) -> float:
    """Return an interval as between the events of a Poisson process, neither very short nor very long.

    The bounds are those that Prefect documents for `retry_jitter_factor` (its `utilities/math.py`): at most
    `mean * (1 + factor)`, and at least so much that the mean stays near `mean`. A factor of 0.5 gives 0.63 to 1.5 times
    the mean, 1 gives 0.42 to 2 times, 3 gives 0.09 to 4 times.

    Args:
        mean: above 0.
        factor: above 0.
        uniform: source of random numbers between two bounds.
    """
    highest = mean * (1 + factor)
    lowest = -mean * math.log1p(-(2.0 ** -(1 + factor))) / math.log(2)
    # The part of an exponential distribution between the bounds, turned around.
    begin, end = -math.expm1(-lowest / mean), -math.expm1(-highest / mean)
    drawn = -mean * math.log1p(-(begin + (end - begin) * uniform()))
    return min(max(drawn, lowest), highest)


def wait_text(delay_seconds: float) -> str:
    """Return when the next attempt begins, for a sentence: `in 2.5 s`, `at once`."""
    if not delay_seconds:
        return "at once"
    return f"in {delay_seconds:.3g} s" if delay_seconds < 100 else f"in {delay_seconds:.0f} s"


def exponential_backoff(backoff_factor: float) -> Callable[[int], list[float]]:
    """Return delays for `retry_delay_seconds` that double each time: with a factor of 10 they are 10, 20, 40, 80.

    Args:
        backoff_factor: the first delay in seconds.
    """

    def delays(retries: int) -> list[float]:
        count = min(retries, MAXIMUM_DELAY_COUNT)
        return [min(backoff_factor * 2.0**retry, MAXIMUM_DELAY_SECONDS) for retry in range(count)]

    return delays


def retry_policy(
    retries: Any,
    retry_delay_seconds: Any,
    retry_jitter_factor: Any = None,
    retry_condition_fn: Any = None,
    *,
    owner: str,
) -> RetryPolicy:
    """Check what an author gave to a decorator and make the policy of it.

    Args:
        retries: a whole number of 0 or more; None for 0.
        retry_delay_seconds: a number, a list of numbers (one a retry, the last one repeats), or a function that makes
            one of these of the number of retries; None for 0.
        retry_jitter_factor: a number of 0 or more; None for 0.
        retry_condition_fn: anything that can be called; None for none.
        owner: whom an error names, such as `task "fetch"`.

    Raises:
        DefinitionError: one of them is something else.
    """
    if retries is None:
        retries = 0
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise DefinitionError(f"retries of {owner} must be a whole number of 0 or more, not {_shown(retries)}")
    if retry_condition_fn is not None and not callable(retry_condition_fn):
        raise DefinitionError(f"retry_condition_fn of {owner} must be a function, not {_shown(retry_condition_fn)}")
    delays = _delays(_made(retry_delay_seconds, retries, owner), owner)
    return RetryPolicy(retries, delays, _jitter_factor(retry_jitter_factor, owner), retry_condition_fn)


def _made(given: Any, retries: int, owner: str) -> Any:
    """Return the delays that an author's function makes; anything else as it is."""
    if not callable(given):
        return given
    try:
        return given(retries)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise DefinitionError(
            f"retry_delay_seconds of {owner} was called with {retries} and failed: {reason}"
        ) from error


def _jitter_factor(given: Any, owner: str) -> float:
    if given is None:
        return 0.0
    if isinstance(given, bool) or not isinstance(given, int | float) or not (math.isfinite(given) and given >= 0):
        raise DefinitionError(f"retry_jitter_factor of {owner} must be a number of 0 or more, not {_shown(given)}")
    return float(given)


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
