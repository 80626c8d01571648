"""Retries and the waits before them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.retries import retry_policy


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
