"""Recorded task calls a second through worker processes, against the standard library's pool, which records nothing."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from flowdeck import flow, task
from flowdeck.task_runners import ProcessPoolTaskRunner
from tests.benchmarks.report import Figure, best_of

CALLS = 1_000
PROCESSES = 2
OWN_CALLS = 10
TIMES = 3
WANTED_RATIO = 0.1
"""Of the bare pool's rate: a call here is also numbered, keyed and committed twice."""
WANTED_OWN_PER_SECOND = 2.0


def figures() -> Iterator[Figure]:
    """Measure no-op tasks mapped over worker processes, and such with a process for each."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["FLOWDECK_HOME"] = home
        floor = best_of(_bare_pool, TIMES)
        with contextlib.redirect_stderr(io.StringIO()):
            value = best_of(_mapped, TIMES)
            own = best_of(_own, TIMES)
        name = f"map: recorded no-op tasks in {PROCESSES} processes"
        yield Figure(name, value, "/s", WANTED_RATIO, floor, "ProcessPoolExecutor", at_least=True)
        yield Figure("own_process: one after another", own, "/s", WANTED_OWN_PER_SECOND, at_least=True)


def _noop(number: int) -> int:
    return number


@task
def noop(number: int) -> int:
    return number


@task(own_process=True)
def noop_alone(number: int) -> int:
    return number


@flow(task_runner=ProcessPoolTaskRunner(max_workers=PROCESSES))
def _mapped() -> float:
    noop.map(range(PROCESSES)).wait()  # the workers are there
    started = time.perf_counter()
    noop.map(range(CALLS)).wait()
    return CALLS / (time.perf_counter() - started)


@flow
def _own() -> float:
    started = time.perf_counter()
    for number in range(OWN_CALLS):
        noop_alone(number)
    return OWN_CALLS / (time.perf_counter() - started)


def _bare_pool() -> float:
    with ProcessPoolExecutor(PROCESSES) as pool:
        list(pool.map(_noop, range(PROCESSES)))
        started = time.perf_counter()
        for future in [pool.submit(_noop, number) for number in range(CALLS)]:
            future.result()
        return CALLS / (time.perf_counter() - started)
