"""The screen in a pseudo-terminal of 160 by 48: how soon it is there, what it sends, what it uses, how it answers."""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.report import Figure, best_of
from tests.benchmarks.screens import (
    COLUMNS,
    ROWS,
    GrowingLog,
    SlowLink,
    fill_with_runs,
    running,
    screen_on,
    seeded,
    stock_log,
    stock_table,
    write_long_log,
)
from tests.support.terminal import Terminal

ROOT = Path(__file__).parents[2]
WARM_UP_SECONDS = 3.0
SECONDS = 8.0
TIMES = 5
KEYS = 60
MANY_RUNS, MANY_LINES = 100_000, 1_000_000
LINK_BYTES_PER_SECOND = 50_000.0
WRITTEN_AT = re.compile(r"with some words in it, at (\d+\.\d+)")
BARE_APP = """
from textual.app import App
from textual.widgets import DataTable
class Bare(App):
    def compose(self):
        yield DataTable()
    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns("flow", "file")
        table.add_row("code-census", "code_census.py")
Bare().run()
"""


def figures() -> Iterator[Figure]:
    """Measure each promise; what is compared with stock widgets is measured beside them."""
    for measure in (_start, _idle, _log, _ticking, _fast_log, _slow_link, _large_home):
        with tempfile.TemporaryDirectory() as folder:
            yield from measure(Path(folder))


def _start(folder: Path) -> Iterator[Figure]:
    command = [sys.executable, "-m", "flowdeck", str(ROOT / "sample_flows")]

    def until_flows_are_listed() -> float:
        with Terminal(command, environment={"FLOWDECK_HOME": str(folder)}) as terminal:
            terminal.wait_for("Flows", 30)
            terminal.press("3")
            seconds = terminal.wait_for("code-census", 30)
            terminal.press("q")
            terminal.wait_for_exit()
        return seconds * 1000

    def until_bare_app_shows() -> float:
        with Terminal([sys.executable, "-c", BARE_APP]) as terminal:
            return terminal.wait_for("code-census", 30) * 1000

    floor = best_of(until_bare_app_shows, TIMES)
    value = best_of(until_flows_are_listed, TIMES)
    yield Figure("start to flows listed", value, "ms", 1.8, floor, "bare Textual app with a table")


def _idle(folder: Path) -> Iterator[Figure]:
    with Terminal(
        [sys.executable, "-m", "flowdeck", str(ROOT / "sample_flows")], COLUMNS, ROWS, {"FLOWDECK_HOME": str(folder)}
    ) as terminal:
        terminal.wait_for("code-census", 30)
        terminal.pump(WARM_UP_SECONDS + 2)
        sent, used = _measured(terminal)
    yield Figure("idle screen sends", sent, "B/s", 0)
    yield Figure("idle screen uses", used, "%", 1.0)


def _measured(terminal: Terminal) -> tuple[float, float]:
    """Return bytes a second and percent of a core."""
    cpu, started = terminal.cpu_seconds(), time.perf_counter()
    sent = terminal.pump(SECONDS)
    took = time.perf_counter() - started
    return sent / took, (terminal.cpu_seconds() - cpu) / took * 100


def _log(folder: Path) -> Iterator[Figure]:
    with stock_log() as terminal:
        terminal.wait_for("line 20 ", 30)
        floor, _ = _measured(terminal)
    with seeded(folder) as home:
        _, path = running(home, "brave-otter")
        with GrowingLog(path, 10), screen_on(home) as terminal:
            terminal.wait_for("line 20 ", 30)
            terminal.pump(WARM_UP_SECONDS)
            sent, used = _measured(terminal)
    yield Figure("log followed, 10 lines/s, sends", sent, "B/s", 10_000)
    yield Figure("the same beside stock widgets", sent, "B/s", 0.04, floor, "Log of Textual")
    yield Figure("log followed, 10 lines/s, uses", used, "%", 10.0)


def _ticking(folder: Path) -> Iterator[Figure]:
    with stock_table() as terminal:
        terminal.wait_for("run-19", 30)
        terminal.pump(WARM_UP_SECONDS)
        floor, _ = _measured(terminal)
    with seeded(folder) as home:
        for number in range(20):
            running(home, f"run-{number}")
        with screen_on(home) as terminal:
            terminal.wait_for("run-19", 30)
            terminal.pump(WARM_UP_SECONDS)
            sent, _ = _measured(terminal)
    yield Figure("20 ticking rows send", sent, "B/s", 5_000)
    yield Figure("the same beside stock widgets", sent, "B/s", 0.2, floor, "DataTable of Textual")


def _fast_log(folder: Path) -> Iterator[Figure]:
    with seeded(folder) as home:
        _, path = running(home, "brave-otter")
        with GrowingLog(path, 1_000), screen_on(home) as terminal:
            terminal.wait_for(r"line \d{4} ", 30)
            terminal.pump(WARM_UP_SECONDS)
            sent, used = _measured(terminal)
            yield Figure("log followed, 1,000 lines/s, sends", sent, "B/s", 60_000)
            yield Figure("log followed, 1,000 lines/s, uses", used, "%", 25.0)
            yield Figure("log followed, 1,000 lines/s, behind at most", _most_behind(terminal) * 1000, "ms", 500)
            waits = sorted(_key_milliseconds(terminal) for _ in range(KEYS))
            yield Figure("key to frame meanwhile, p50", waits[KEYS // 2], "ms", 30)
            yield Figure("key to frame meanwhile, p95", waits[int(KEYS * 0.95)], "ms", 50)


def _most_behind(terminal: Terminal) -> float:
    """Return how old the newest line on the screen ever was, in seconds."""
    behind = 0.0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        terminal.pump(0.02)
        moments = [float(moment) for moment in WRITTEN_AT.findall(terminal.text())]
        behind = max(behind, time.monotonic() - max(moments))
    return behind


def _key_milliseconds(terminal: Terminal) -> float:
    """Mark the run under the cursor, or take its mark away; return how long until that is on the screen."""
    row = _cursor_row(terminal)
    terminal.pump(0.11)
    started = time.perf_counter()
    terminal.press("space")
    while _cursor_row(terminal) == row:
        terminal.pump(0.002)
        if time.perf_counter() - started > 5:
            raise AssertionError(f"the key changed nothing. Screen:\n{terminal.text()}")
    return (time.perf_counter() - started) * 1000


def _cursor_row(terminal: Terminal) -> str:
    # The clock of the row ticks; what stands before it does not.
    return next(line for line in terminal.text().splitlines() if line.startswith(">"))[:20]


def _slow_link(folder: Path) -> Iterator[Figure]:
    for rate in (10, 1_000):
        with seeded(folder / str(rate)) as home:
            _, path = running(home, "brave-otter")
            with GrowingLog(path, rate), screen_on(home, SSH_TTY="/dev/pts/0") as terminal:
                link = SlowLink(terminal, LINK_BYTES_PER_SECOND)
                link.seconds_until(b"brave-otter")
                link.carry(WARM_UP_SECONDS + 3)
                terminal.press("q")
                seconds = link.seconds_until(b"\x1b[?1049l")
        yield Figure(f"quit on a 50 kB/s link, {rate:,} lines/s", seconds * 1000, "ms", 400)


def _large_home(folder: Path) -> Iterator[Figure]:
    with seeded(folder / "empty") as home:

        def until_empty_is_shown() -> float:
            with screen_on(home) as terminal:
                return terminal.wait_for("No flows in this folder yet", 30) * 1000

        floor = best_of(until_empty_is_shown, TIMES)
    with seeded(folder / "large") as home:
        home.run("lazy-fox")
        fill_with_runs(home, MANY_RUNS)
        _, path = running(home, "brave-otter")
        write_long_log(path, MANY_LINES)

        def until_runs_are_shown() -> float:
            with screen_on(home) as terminal:
                return terminal.wait_for("brave-otter", 60) * 1000

        def until_log_is_at_its_end() -> float:
            with screen_on(home) as terminal:
                shown = terminal.wait_for("brave-otter", 60)
                return (terminal.wait_for(f"line {MANY_LINES - 1} ", 60) - shown) * 1000

        value = best_of(until_runs_are_shown, TIMES)
        yield Figure("100,000 runs: rows later than an empty home", value - floor, "ms", 300)
        yield Figure("1,000,000 lines: its end, after the rows", best_of(until_log_is_at_its_end, 3), "ms", 500)
