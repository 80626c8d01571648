"""What may be done to a run: one rule for the screen, the command line and Deck."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from flowdeck.rules.runs.run_actions import Obstacle, cancel_obstacle, delete_obstacle, retry_obstacle
from flowdeck.rules.states import TERMINAL, StateType
from flowdeck.rules.text.durations import coarse_duration


@dataclass(frozen=True)
class Run:
    """What the rule looks at."""

    state_type: StateType
    parent_key: int | None = None


@pytest.mark.parametrize("state_type", StateType)
def test_root_runs(state_type: StateType) -> None:
    """A run that is over can be retried and deleted, one that is not can be cancelled."""
    run = Run(state_type)
    is_over = state_type in TERMINAL
    assert (retry_obstacle(run, completed=True) is None) is is_over
    assert (delete_obstacle(run) is None) is is_over
    assert (cancel_obstacle(run, again=True) is None) is not is_over
    assert (retry_obstacle(run) is Obstacle.COMPLETED) is (state_type is StateType.COMPLETED)
    assert (cancel_obstacle(run) is Obstacle.CANCELLING) is (state_type is StateType.CANCELLING)


@pytest.mark.parametrize("state_type", StateType)
def test_subflow_runs(state_type: StateType) -> None:
    """They share the process of their root run: nothing is done to them alone."""
    run = Run(state_type, parent_key=1)
    is_over = state_type in TERMINAL
    assert retry_obstacle(run) is (Obstacle.SUBFLOW if is_over else Obstacle.NOT_OVER)
    assert cancel_obstacle(run) is (Obstacle.OVER if is_over else Obstacle.SUBFLOW)
    assert delete_obstacle(run) is Obstacle.SUBFLOW


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m00s"), (3599, "59m59s"), (3600, "1h00m"), (86399, "23h59m"), (86400, "1d00h")],
)
def test_coarse_durations(seconds: int, text: str) -> None:
    """At each step between units."""
    assert coarse_duration(seconds) == text
