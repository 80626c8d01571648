"""Large values handed from task to task: against one pass over them, and the memory that calls cost."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks.report import Figure, best_of

NUMBERS = 1_000_000
FRAME_BYTES = 200_000_000
HANDED_ON = 100
TIMES = 5
ITEMS = 100_000
MAP = """
import sys
from flowdeck import flow, task
@task
def noop(number):
    return None
@flow
def main():
    noop.map(range(int(sys.argv[1]))).wait()
main()
"""
PEAK = """
import os, resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Starts what is measured from a small process: a child counts what its parent held when it was started."""


def figures() -> Iterator[Figure]:
    """Measure calls that are given a large value, against what reading it once, or copying it, takes."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["FLOWDECK_HOME"] = home
        numbers = list(range(NUMBERS))
        scan = best_of(lambda: _milliseconds(lambda: set(map(type, numbers))), TIMES)
        handed_on, taken = _hand_on(lambda: list(range(NUMBERS)))
        yield Figure(f"a list of {NUMBERS:,} numbers, a call", handed_on, "ms", 1.5, scan, "one scan of its types")
        yield Figure("a call takes", taken / 1e6, "MB", 1.0)
        yield from _frame_figures()
        yield Figure(f"{ITEMS:,} mapped items: peak memory an item", _bytes_per_item(), "B", 4_000)


def _frame_figures() -> Iterator[Figure]:
    import pandas as pd

    def make() -> Any:
        return pd.DataFrame({f"c{number}": range(FRAME_BYTES // 80) for number in range(10)})

    handed_on, taken = _hand_on(make)
    frame = make()
    copy = best_of(lambda: _milliseconds(frame.copy), TIMES)
    yield Figure(f"a frame of {FRAME_BYTES / 1e6:.0f} MB, a call", handed_on, "ms", 0.05, copy, "one copy of it")
    yield Figure("a call takes", taken / 1e6, "MB", 1.0)


def _hand_on(make: Callable[[], Any]) -> tuple[float, float]:
    """Make a value in a task and give it to others; return milliseconds a call, and the most bytes that one takes."""
    from flowdeck import flow, task

    @task
    def made() -> Any:
        return make()

    @task
    def used(value: Any) -> int:
        return len(value)

    @flow
    def main() -> tuple[float, float]:
        value = made()
        used(value)
        started = time.perf_counter()
        for _ in range(HANDED_ON):
            used(value)
        milliseconds = (time.perf_counter() - started) * 1000 / HANDED_ON
        tracemalloc.start()
        used(value)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return milliseconds, peak

    with contextlib.redirect_stderr(io.StringIO()):
        return main()


def _milliseconds(function: Callable[[], Any]) -> float:
    started = time.perf_counter()
    function()
    return (time.perf_counter() - started) * 1000


def _bytes_per_item() -> float:
    """Return by how much the peak of a process grows with the items of one map: of many, less that of a few."""

    def peak(items: int) -> int:
        command = [sys.executable, "-c", PEAK, sys.executable, "-c", MAP, str(items)]
        ended = subprocess.run(command, check=True, capture_output=True)
        return int(ended.stdout) * (1 if sys.platform == "darwin" else 1024)

    few = ITEMS // 10
    return (peak(ITEMS) - peak(few)) / (ITEMS - few)
