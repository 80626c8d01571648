"""From a committed trigger to the flow's own first line in its log: by an engine, with a spare and without."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flowdeck.deck import Deck, FlowEntry
from tests.benchmarks.report import Figure, best_of, quantile

TRIES = 40
PATIENCE_SECONDS = 30.0
FLOW_FILE = """
from flowdeck import flow, get_run_logger

@flow
def hello():
    get_run_logger().info("first line")

@flow
async def hello_async():
    get_run_logger().info("first line")
"""


def figures() -> Iterator[Figure]:
    """Measure warm starts against their targets, and cold ones beside the start of a Python that imports the SDK."""
    floor = best_of(_sdk_start_milliseconds, 9)
    floor_name = "python -c 'from flowdeck import flow'"
    for function, name in (("hello", "first line"), ("hello_async", "first line of an async flow")):
        warm = _first_lines(function, spares=1)
        yield Figure(f"{name}, warm, p50", quantile(warm, 0.5), "ms", 100)
        yield Figure(f"{name}, warm, p95", quantile(warm, 0.95), "ms", 150)
    cold = _first_lines("hello", spares=0)
    yield Figure("first line, cold, p50", quantile(cold, 0.5), "ms", 4.0, floor, floor_name)
    yield Figure("first line, cold, p95", quantile(cold, 0.95), "ms", 8.0, floor, floor_name)


def _sdk_start_milliseconds() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", "from flowdeck import flow"], check=True)
    return (time.perf_counter() - started) * 1000


def _first_lines(function: str, spares: int) -> list[float]:
    """Trigger one run after the other, each once what the last one took is ready again; return milliseconds."""
    with tempfile.TemporaryDirectory() as folder, _engine(Path(folder), spares) as home:
        (Path(folder) / "flows.py").write_text(FLOW_FILE, encoding="utf-8")
        flow = FlowEntry(
            folder=folder, file="flows.py", function=function, name=function, line=1, description=None,
            parameter_schema={"type": "object", "properties": {}, "required": []}, status="ok", error=None,
        )  # fmt: skip
        deck = Deck(home)
        try:
            return [_first_line(deck, flow, spares) for _ in range(TRIES + 1)][1:]
        finally:
            deck.close()


def _first_line(deck: Deck, flow: FlowEntry, spares: int) -> float:
    _until(deck, lambda: deck.engine.status().running and deck.engine.status().spares_ready == spares)
    run = deck.flow_runs.create(flow, {})
    committed_ns = time.time_ns()
    _until(deck, lambda: deck.flow_runs.find(run.id).is_final and deck.flow_runs.find(run.id).exit_code is not None)
    log = deck.logs.of_run(run)
    try:
        at = next(record.at for record in log.records() if record.message == "first line")
    finally:
        log.close()
    return at.timestamp() * 1000 - committed_ns / 1e6


def _until(deck: Deck, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with deck.changes() as feed:
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError("The engine does not do what is waited for.")
            feed.wait(1.0)


@contextmanager
def _engine(folder: Path, spares: int) -> Iterator[Path]:
    """Run an engine on a home of its own."""
    home = folder / "home"
    environment = {**os.environ, "FLOWDECK_HOME": str(home), "FLOWDECK_SPARES": str(spares)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "flowdeck.service", "--started-by", "server"],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield home
    finally:
        process.terminate()
        process.wait()
