"""Recorded task calls a second, against bare commits of the same rows through the same SQLite library."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.report import Figure, best_of

CALLS = 1_000
TIMES = 5
WANTED_PER_SECOND = 5_000
WANTED = 0.14
"""Of the bare rate: what the number above was on the machine where it was set."""


def figures() -> Iterator[Figure]:
    """Measure no-op tasks called, mapped, submitted and awaited."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["FLOWDECK_HOME"] = home
        floor = best_of(lambda: bare_commits(Path(home)), TIMES)
        for name, measure in _measures().items():
            with contextlib.redirect_stderr(io.StringIO()):
                value = best_of(measure, TIMES)
            yield Figure(f"{name}: recorded no-op tasks", value, "/s", WANTED_PER_SECOND, at_least=True)
            # A call is two commits: its start before the body runs, its end before it returns.
            yield Figure(f"{name}: of the bare rate", value, "/s", WANTED, floor, "two bare commits a call", True)


def bare_commits(home: Path) -> float:
    """Insert and update one row a call, each in a transaction of its own; return calls a second."""
    from flowdeck.store.database import sqlite

    path = home / "floor.db"
    path.unlink(missing_ok=True)
    connection = sqlite.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE call(id INTEGER PRIMARY KEY, name TEXT, state TEXT, started INT, ended INT)")
    started = time.perf_counter()
    for number in range(CALLS):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO call VALUES (?, 'noop', 'RUNNING', ?, NULL)", (number, number))
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE call SET state = 'COMPLETED', ended = ? WHERE id = ?", (number, number))
        connection.execute("COMMIT")
    rate = CALLS / (time.perf_counter() - started)
    connection.close()
    return rate


def _measures() -> dict[str, Callable[[], float]]:
    from flowdeck import flow, task

    @task
    def noop(number: int) -> int:
        return number

    @task
    async def noop_async(number: int) -> int:
        return number

    @flow
    def sequential() -> float:
        started = time.perf_counter()
        for number in range(CALLS):
            noop(number)
        return CALLS / (time.perf_counter() - started)

    @flow
    def mapped() -> float:
        started = time.perf_counter()
        noop.map(range(CALLS)).wait()
        return CALLS / (time.perf_counter() - started)

    @flow
    def submitted() -> float:
        started = time.perf_counter()
        for future in [noop.submit(number) for number in range(CALLS)]:
            future.wait()
        return CALLS / (time.perf_counter() - started)

    @flow
    async def awaited() -> float:
        started = time.perf_counter()
        for number in range(CALLS):
            await noop_async(number)
        return CALLS / (time.perf_counter() - started)

    return {
        "sequential": sequential,
        "map": mapped,
        "submit": submitted,
        "async": lambda: asyncio.run(awaited()),
    }
