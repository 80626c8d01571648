"""What the tests of runs share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.store.home import Home
from tests.execution.dialects import Dialect
from tests.execution.once import Once


@pytest.fixture(autouse=True)
def _home(home: Home) -> None:
    """Every test here runs flows: none of them in the home of whoever runs the tests."""
    del home


@pytest.fixture(params=["sync", "async"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Both ways to write a flow."""
    return Dialect(request.param)


@pytest.fixture
def last_run(deck: Deck) -> Callable[[], FlowRun]:
    """Return the newest root run."""
    return lambda: deck.flow_runs.select()[0]


@pytest.fixture
def calls(deck: Deck) -> Callable[[], list[TaskRun]]:
    """Return the task runs of the newest root run's current attempt."""
    return lambda: deck.task_runs.of_flow_run(deck.flow_runs.select()[0].key)


@pytest.fixture
def once() -> Once:
    """Fails at its first use, of each name."""
    return Once()
