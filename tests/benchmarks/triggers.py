"""What a person waits for: a key, a command or a save, until what it is to bring is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.report import Figure, best_of, quantile
from tests.support.live_home import LiveHome
from tests.support.terminal import Terminal

TRIES = 24
STEP_SECONDS = 0.002
PATIENCE_SECONDS = 30.0
# The flow says when it is there by the clock that all processes share.
FLOWS = """
    @flow
    def hello():
        get_run_logger().info("first line %d", time.time_ns())
    """
SAVED = """
from flowdeck import flow

@flow
def saved_{number}(count: int = 1):
    pass
"""


def figures() -> Iterator[Figure]:
    """Measure with a spare that is ready, as it is for whoever does one thing after the other."""
    with _home() as live:
        keys = _from_enter_to_the_screen(live)
        yield Figure("form's enter → first line on the screen, p50", quantile(keys, 0.5), "ms", 150)
        yield Figure("form's enter → first line on the screen, p95", quantile(keys, 0.95), "ms", 300)
    with _home() as live:
        live.start_engine()
        _create(live)
        start = best_of(lambda: _listing_milliseconds(live), 15)
        commands = [_create(live) - start for _ in range(TRIES)]
        yield Figure("command → first line, beyond its start, p50", quantile(commands, 0.5), "ms", 150)
        yield Figure("command → first line, beyond its start, p95", quantile(commands, 0.95), "ms", 150)
        saves = [_save(live, number) for number in range(TRIES)]
        yield Figure("saved file → listed, p50", quantile(saves, 0.5), "ms", 1000)
        yield Figure("saved file → listed, p95", quantile(saves, 0.95), "ms", 1000)


@contextmanager
def _home() -> Iterator[LiveHome]:
    with tempfile.TemporaryDirectory() as folder:
        live = LiveHome(Path(folder))
        live.flow(FLOWS)
        live.deck.folders.watch(live.folder)
        try:
            yield live
        finally:
            live.close()


def _until_ready(live: LiveHome) -> None:
    """Wait for what the last try took: its run is over, and there is a spare again."""
    live.until(lambda: live.deck.engine.status().spares_ready == 1)
    live.until(lambda: all(run.is_final and run.exit_code is not None for run in live.all_runs()[:1]))


def _from_enter_to_the_screen(live: LiveHome) -> list[float]:
    with live.screen() as terminal:
        terminal.wait_for("hello +flows.py", PATIENCE_SECONDS)
        return [_press_enter(live, terminal) for _ in range(TRIES + 1)][1:]


def _press_enter(live: LiveHome, terminal: Terminal) -> float:
    _until_ready(live)
    terminal.press("3")
    terminal.wait_for(r"\[3 Flows")
    terminal.press("t")
    terminal.wait_for("run hello")
    terminal.pump(0.3)  # a person looks at the form; nothing of the last run is drawn any more
    pressed_ns = time.time_ns()
    terminal.press("enter")
    while not any(int(said) > pressed_ns for said in re.findall(r"first line (\d+)", terminal.text())):
        if time.time_ns() - pressed_ns > PATIENCE_SECONDS * 1e9:
            raise TimeoutError(f"The first line did not appear. Screen:\n{terminal.text()}")
        terminal.pump(STEP_SECONDS)
    return (time.time_ns() - pressed_ns) / 1e6


def _create(live: LiveHome) -> float:
    """Create a run by a command; return the milliseconds from its start to the flow's first line."""
    _until_ready(live)
    started_ns = time.time_ns()
    answer = subprocess.run(
        [sys.executable, "-m", "flowdeck", "flow-run", "create", "hello", "--json"],
        env=live.environment, check=True, capture_output=True,
    )  # fmt: skip
    run = live.until_over(live.deck.flow_runs.find(json.loads(answer.stdout)["id"]))
    said = next(text for text in live.messages(run, "logger") if text.startswith("first line "))
    return (int(said.split()[2]) - started_ns) / 1e6


def _listing_milliseconds(live: LiveHome) -> float:
    """Return what a command takes by itself: its start, and opening the home."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "flowdeck", "flow-run", "ls", "--limit", "1", "--json"]
    subprocess.run(command, env=live.environment, check=True, capture_output=True)
    return (time.perf_counter() - started) * 1000


def _save(live: LiveHome, number: int) -> float:
    name = f"saved-{number}"
    started = time.perf_counter()
    (live.folder / "saved.py").write_text(SAVED.format(number=number), encoding="utf-8")
    live.until(lambda: any(entry.name == name for entry in live.deck.flows.entries()))
    return (time.perf_counter() - started) * 1000
