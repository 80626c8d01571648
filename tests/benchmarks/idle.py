"""What flowdeck costs while nothing happens: processor of engine, spare and screen together, memory of processes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.report import Figure, best_of
from tests.support.live_home import LiveHome

IDLE_SECONDS = 10.0
SETTLE_SECONDS = 3.0
FILES = 2_000
FLOW_FILES = 20
TIMES = 3
FLOWS = """
    @flow
    def main():
        sys.stdout.write("begun\\n")
        while True:
            time.sleep(3600)
    """


def figures() -> Iterator[Figure]:
    """Measure an engine with one spare, and a screen on a folder of many files."""
    with tempfile.TemporaryDirectory() as folder:
        live = LiveHome(Path(folder))
        try:
            yield from _figures(live)
        finally:
            live.close()


def _figures(live: LiveHome) -> Iterator[Figure]:
    live.flow(FLOWS)
    floor = best_of(lambda: _listed_milliseconds(live, 1), TIMES)
    for number in range(FILES):
        place = live.folder / f"package_{number % FLOW_FILES}"
        place.mkdir(exist_ok=True)
        (place / f"module_{number}.py").write_text(f"x = {number}\n", encoding="utf-8")
    for number in range(FLOW_FILES - 1):
        (live.folder / f"package_{number}" / "job.py").write_text(
            f"from flowdeck import flow\n@flow\ndef job_{number}(): pass\n", encoding="utf-8"
        )
    _listed_milliseconds(live, FLOW_FILES)
    value = best_of(lambda: _listed_milliseconds(live, FLOW_FILES), TIMES)
    yield Figure("start to 20 flows of 2,000 files listed", value, "ms", 1.3, floor, "the same with one file")
    with live.screen(rows=40) as terminal:
        terminal.wait_for(rf"\b{FLOW_FILES} flows", 30)
        live.until(lambda: live.deck.engine.status().spares_ready == 1)
        terminal.pump(SETTLE_SECONDS)
        used = _cpu_seconds(live)
        terminal.pump(IDLE_SECONDS)
        share = (_cpu_seconds(live) - used) / IDLE_SECONDS
        yield Figure("idle engine, spare and screen use", share * 100, "%", 1.0)
        run = live.create(FLOWS)
        live.until_said(run, "begun")
        time.sleep(SETTLE_SECONDS)
        run, engine = live.now(run), live.deck.engine.status()
        yield Figure("memory of the engine", _memory_mb(engine.pid, "Rss"), "MB", 50)
        yield Figure("memory of a run host", _memory_mb(run.host_pid, "Rss"), "MB", 15)
        yield Figure("the same, its share of what is shared", _memory_mb(run.host_pid, "Pss"), "MB", 15)
        live.deck.flow_runs.cancel(run.id, force=True)


def _listed_milliseconds(live: LiveHome, flows: int) -> float:
    """Open a screen where no engine runs; return when its flows are listed."""
    with live.screen(rows=40) as terminal:
        milliseconds = terminal.wait_for(rf"\b{flows} flows?\b", 60) * 1000
        terminal.press("q")
        terminal.wait_for_exit()
    live.deck.engine.stop()
    return milliseconds


def _cpu_seconds(live: LiveHome) -> float:
    """Return what every process of the home has used so far."""
    total = 0
    for pid in live.processes():
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int | None, name: str) -> float:
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith(f"{name}:")) * 1024 / 1e6
