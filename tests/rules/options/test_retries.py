"""Retries and the waits before them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.options.retries import (
    MAXIMUM_DELAY_COUNT,
    MAXIMUM_DELAY_SECONDS,
    clamped_poisson_interval,
    exponential_backoff,
    retry_policy,
    system_uniform,
    wait_text,
)


@pytest.mark.parametrize(
    ("retries", "delays", "waits"),
    [
        (0, 0, [None]),
        (None, None, [None]),
        (2, 0, [0.0, 0.0, None]),
        (2, None, [0.0, 0.0, None]),
        (2, 1.5, [1.5, 1.5, None]),
        (3, [1, 10], [1.0, 10.0, 10.0, None]),
        (1, (1, 10, 100), [1.0, None]),
        (2, [], [0.0, 0.0, None]),
        (1, range(3, 5), [3.0, None]),
        (0, 5, [None]),
    ],
)
def test_wait_after_each_attempt(retries: Any, delays: Any, waits: list[float | None]) -> None:
    """One wait for each retry, the last of a list repeats, and None when no attempt is left."""
    policy = retry_policy(retries, delays, owner="task 'x'")
    assert [policy.next_delay_seconds(attempt) for attempt in range(1, len(waits) + 1)] == waits


@pytest.mark.parametrize(
    ("retries", "delays", "said"),
    [
        (-1, 0, "retries of task 'x' must be a whole number of 0 or more, not -1"),
        (1.5, 0, "retries of task 'x' must be a whole number of 0 or more, not 1.5"),
        (True, 0, "retries of task 'x' must be a whole number of 0 or more, not True"),
        ("3", 0, "retries of task 'x' must be a whole number of 0 or more, not '3'"),
        (1, -0.5, "must lie between 0 and 1000000000, not -0.5"),
        (1, [1, math.nan], "must lie between 0 and 1000000000, not nan"),
        (1, math.inf, "must lie between 0 and 1000000000, not inf"),
        (1, 1e10, "must lie between 0 and 1000000000, not 10000000000.0"),
        (1, [0] * 51, "retry_delay_seconds of task 'x' has 51 entries; give at most 50, the last one repeats"),
        (1, "10", "must be a number of seconds or a list of them, not '10'"),
        (1, timedelta(seconds=1), "must be a number of seconds or a list of them, not a timedelta"),
        (1, [None], "must be a number of seconds or a list of them, not a NoneType"),
    ],
)
def test_what_cannot_be_meant_is_refused(retries: Any, delays: Any, said: str) -> None:
    """The sentence names the task, the option and what was given."""
    with pytest.raises(DefinitionError) as refused:
        retry_policy(retries, delays, owner="task 'x'")
    assert said in str(refused.value)


# -- rows of the reference ---------------------------------------------------------------------------------------------


def test_retry_delay_seconds_may_be_a_function_of_the_number_of_retries() -> None:
    """Called once, where the task is declared; what it gives is checked as a list is."""
    asked: list[int] = []

    def delays(retries: int) -> list[float]:
        asked.append(retries)
        return [float(number) for number in range(retries)]

    policy = retry_policy(3, delays, owner="task 'x'")
    assert [policy.next_delay_seconds(attempt) for attempt in (1, 2, 3, 4)] == [0.0, 1.0, 2.0, None]
    assert asked == [3]
    with pytest.raises(DefinitionError, match="has 51 entries"):
        retry_policy(51, delays, owner="task 'x'")
    with pytest.raises(DefinitionError, match=r"was called with 2 and failed: ZeroDivisionError"):
        retry_policy(2, lambda retries: [1 / 0] * retries, owner="task 'x'")


def test_exponential_backoff() -> None:
    """A factor of 10 and 5 retries give 10, 20, 40, 80 and 160 s; however many retries, it is a list that is taken."""
    assert retry_policy(5, exponential_backoff(10), owner="task 'x'").delays_seconds == (10, 20, 40, 80, 160)
    many = retry_policy(1_000, exponential_backoff(10), owner="task 'x'").delays_seconds
    assert len(many) == MAXIMUM_DELAY_COUNT
    assert many[-1] == MAXIMUM_DELAY_SECONDS


@pytest.mark.parametrize(
    ("factor", "lowest", "highest"), [(0.5, 0.63, 1.5), (1, 0.42, 2), (3, 0.09, 4), (1e9, 0, 1e9 + 1)]
)
def test_retry_jitter_factor_keeps_to_its_bounds_and_its_mean(factor: float, lowest: float, highest: float) -> None:
    """The clamped Poisson interval of the reference; chance is given as a grid over all that it may be."""
    grid = [(step + 0.5) / 20_000 for step in range(20_000)]
    drawn = [clamped_poisson_interval(60.0, factor, lambda value=value: value) for value in grid]
    assert drawn == sorted(drawn)
    assert min(drawn) >= 60 * lowest - 0.5
    assert max(drawn) <= 60 * highest
    assert sum(drawn) / len(drawn) == pytest.approx(60, rel=0.03)
    ends = [clamped_poisson_interval(60.0, factor, lambda value=value: value) for value in (0.0, 1 - 2**-53)]
    assert ends[0] == pytest.approx(60 * lowest, abs=0.5)
    assert ends[1] <= 60 * highest


def test_retry_jitter_factor_is_really_applied() -> None:
    """To each wait anew; none where there is nothing to wait for."""
    policy = retry_policy(5, 10, 0.5, owner="task 'x'")
    chance = iter([0.0, 0.5, 0.9])
    waits = [policy.next_delay_seconds(1, lambda: next(chance)) for _ in range(3)]
    assert waits == sorted(set(waits), key=lambda wait: wait or 0)
    assert len({policy.next_delay_seconds(1) for _ in range(5)}) == 5
    assert retry_policy(1, 0, 0.5, owner="task 'x'").next_delay_seconds(1) == 0
    assert retry_policy(1, 10, 0, owner="task 'x'").next_delay_seconds(1) == 10


@pytest.mark.parametrize("factor", [-1, math.nan, math.inf, "0.5", True])
def test_jitter_that_cannot_be_meant_is_refused(factor: Any) -> None:
    with pytest.raises(DefinitionError, match="retry_jitter_factor of task 'x' must be a number of 0 or more"):
        retry_policy(1, 1, factor, owner="task 'x'")


def test_condition_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(DefinitionError, match="retry_condition_fn of task 'x' must be a function, not True"):
        retry_policy(1, 1, None, True, owner="task 'x'")


def test_system_uniform_is_spread_over_its_range() -> None:
    """Never 1, and not always the same."""
    drawn = [system_uniform() for _ in range(1_000)]
    assert all(0 <= value < 1 for value in drawn)
    assert 0.4 < sum(drawn) / len(drawn) < 0.6


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "at once"), (0.25, "in 0.25 s"), (0.0774952, "in 0.0775 s"), (3_600, "in 3600 s")]
)
def test_wait_in_words(seconds: float, text: str) -> None:
    """Short, also when chance has chosen it."""
    assert wait_text(seconds) == text
