"""Calls whose value is known: found in the cache, or recorded by an earlier attempt; and subflows."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.calls import CALLS, TIMES, bare_commits
from tests.benchmarks.report import Figure, best_of

RECORDED = 10_000


def figures() -> Iterator[Figure]:
    """Measure cache hits, subflows and replay."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["FLOWDECK_HOME"] = home
        floor = best_of(lambda: bare_commits(Path(home)), TIMES)
        for name, measure, wanted, ratio in (
            ("cache hits", _hits(), 5_000, 0.14),
            ("subflows", _subflows(), 1_000, 0.028),
            (f"replay of {RECORDED:,} recorded calls", _replay(), 15_000, 0.43),
        ):
            with contextlib.redirect_stderr(io.StringIO()):
                value = best_of(measure, TIMES)
            yield Figure(name, value, "/s", wanted, at_least=True)
            yield Figure(f"{name}: of the bare rate", value, "/s", ratio, floor, "two bare commits a call", True)


def _hits() -> Callable[[], float]:
    """Return what finds the results of calls that another run has left in the cache."""
    from flowdeck import flow, task
    from flowdeck.cache_policies import INPUTS

    @task(cache_policy=INPUTS)
    def cached(number: int) -> int:
        return number

    @flow
    def hits() -> float:
        started = time.perf_counter()
        for number in range(CALLS):
            cached(number)
        return CALLS / (time.perf_counter() - started)

    return hits


def _subflows() -> Callable[[], float]:
    from flowdeck import flow

    @flow
    def child(number: int) -> int:
        return number

    @flow
    def parent() -> float:
        started = time.perf_counter()
        for number in range(CALLS):
            child(number)
        return CALLS / (time.perf_counter() - started)

    return parent


def _replay() -> Callable[[], float]:
    """Return what fails once and then takes all that it recorded; its rate counts from the failure."""
    from flowdeck import flow, task

    @task
    def noop(number: int) -> int:
        return number

    failed_at: list[float] = []

    @flow(retries=1)
    def replayed() -> float:
        for number in range(RECORDED):
            noop(number)
        if not failed_at:
            failed_at.append(time.perf_counter())
            raise RuntimeError
        return RECORDED / (time.perf_counter() - failed_at.pop())

    return replayed
