"""What the benchmarks of the screen share: the screen on a seeded home, stock Textual widgets, logs that grow."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from flowdeck.rules.runs.ids import new_run_id
from flowdeck.store.logs.log_writer import LogEntry, LogWriter
from tests.support.terminal import Terminal
from tests.tui.seeded_home import SeededHome

COLUMNS, ROWS = 160, 48
# The app itself, on a home that nothing else touches: what is measured is the screen, not an engine and its runs.
_SCREEN = """
import sys
from flowdeck.deck import Deck
from flowdeck_tui.launch import _quiet_textual
with _quiet_textual():
    from flowdeck_tui.app import FlowdeckApp
    from flowdeck_tui.live.messages import EngineUp
app = FlowdeckApp(sys.argv[1], Deck, bring_engine_up=lambda deck, folder, post: post(EngineUp(None)))
app.run()
"""
_STOCK_LOG = """
import sys, threading, time
from textual.app import App
from textual.widgets import Footer, Header, Log
class Stock(App):
    def compose(self):
        yield Header()
        yield Log()
        yield Footer()
    def on_mount(self):
        threading.Thread(target=self.write_lines, daemon=True).start()
    def write_lines(self):
        number = 0
        while True:
            number += 1
            self.call_from_thread(self.query_one(Log).write_line, f"12:06:10.120 I load    line {number} of the log")
            time.sleep(0.1)
Stock().run()
"""
_STOCK_TABLE = """
from textual.app import App
from textual.widgets import DataTable
class Stock(App):
    def compose(self):
        yield DataTable()
    def on_mount(self):
        table = self.query_one(DataTable)
        self.columns = table.add_columns("state", "run", "flow", "start", "time")
        self.rows = [table.add_row("Running", f"run-{n}", "etl", "12:06:10", "0s") for n in range(20)]
        self.seconds = 0
        self.set_interval(1.0, self.tick)
    def tick(self):
        self.seconds += 1
        for row in self.rows:
            self.query_one(DataTable).update_cell(row, self.columns[-1], f"{self.seconds}s")
Stock().run()
"""


@contextlib.contextmanager
def seeded(folder: Path) -> Iterator[SeededHome]:
    """Make a home with a folder for flows."""
    (folder / "flows").mkdir(parents=True)
    home = SeededHome(folder / "home", folder / "flows")
    try:
        yield home
    finally:
        home.close()


def screen_on(home: SeededHome, **environment: str) -> Terminal:
    """Open the screen on a home."""
    command = [sys.executable, "-c", _SCREEN, str(home.folder)]
    return Terminal(command, COLUMNS, ROWS, {"FLOWDECK_HOME": str(home.path), **environment})


def stock_log() -> Terminal:
    """Open stock widgets with a log that grows by 10 lines a second."""
    return Terminal([sys.executable, "-c", _STOCK_LOG], COLUMNS, ROWS)


def stock_table() -> Terminal:
    """Open a stock table with 20 rows that change each second."""
    return Terminal([sys.executable, "-c", _STOCK_TABLE], COLUMNS, ROWS)


def running(home: SeededHome, name: str) -> tuple[str, Path]:
    """Make a run that has just started; return its id and log file."""
    run = home.run(name, state="Running", now=datetime.now(UTC), ago_seconds=0.0)
    return run.id, home.home.log_file(run.id)


class GrowingLog:
    """Writes so many lines a second into a log; each ends with the moment at which it was written."""

    def __init__(self, path: Path, lines_per_second: int) -> None:
        self._writer = LogWriter(path)
        self._rate = lines_per_second
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> GrowingLog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._writer.close()

    def _run(self) -> None:
        step = max(1, self._rate // 100)
        started, written = time.monotonic(), 0
        while not self._stopping.is_set():
            for _ in range(step):
                written += 1
                text = f"line {written} of a log as logs are, with some words in it, at {time.monotonic():.3f}"
                self._writer.append(time.time_ns() // 1000, 20, "logger", None, "load", text)
            self._stopping.wait(max(0.0, started + written / self._rate - time.monotonic()))


def fill_with_runs(home: SeededHome, number: int) -> None:
    """Copy the newest run so many times, as older runs with names and ids of their own."""

    def copy(connection: object) -> None:
        execute = connection.execute  # type: ignore[attr-defined]
        names = [row[0] for row in execute("SELECT name FROM pragma_table_info('flow_run')") if row[0] != "key"]
        model = dict(zip(names, execute(f"SELECT {', '.join(names)} FROM flow_run LIMIT 1").fetchone(), strict=True))
        rows = []
        for count in range(number):
            run_id = new_run_id()
            own = {"id": run_id, "root_run_id": run_id, "name": f"run-{count}"}
            rows.append([{**model, **own}[name] for name in names])
        marks = ", ".join("?" * len(names))
        connection.executemany(  # type: ignore[attr-defined]
            f"INSERT INTO flow_run({', '.join(names)}) VALUES ({marks})", rows
        )

    home.database.write(copy)


def write_long_log(path: Path, lines: int) -> None:
    """Write a log of so many lines."""
    at = time.time_ns() // 1000
    writer = LogWriter(path)
    writer.append_batch(
        LogEntry(at, 20, "logger", None, "load", f"line {number} of a long log") for number in range(lines)
    )
    writer.close()


class SlowLink:
    """Reads a terminal no faster than a link carries, and keeps as much in flight as links do."""

    IN_FLIGHT_BYTES = 65_536

    def __init__(self, terminal: Terminal, bytes_per_second: float) -> None:
        self._descriptor = terminal._descriptor
        self._rate = bytes_per_second
        self._waiting = bytearray()
        self._arrived = bytearray()
        self._tokens, self._last = 0.0, time.monotonic()
        os.set_blocking(self._descriptor, False)

    def seconds_until(self, wanted: bytes, patience_seconds: float = 30.0) -> float:
        """Wait until some bytes have come through; return the seconds."""
        started = time.monotonic()
        self._arrived.clear()
        while wanted not in self._arrived:
            if time.monotonic() - started > patience_seconds:
                raise AssertionError(f"{wanted!r} did not come through")
            self.turn()
        return time.monotonic() - started

    def carry(self, seconds: float) -> None:
        """Let the link work for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()

    def turn(self) -> None:
        """Move what can be moved now."""
        with contextlib.suppress(BlockingIOError, OSError):
            room = self.IN_FLIGHT_BYTES - len(self._waiting)
            if room > 0:
                data = os.read(self._descriptor, min(room, 4096))
                if b"\x1b[?2026$p" in data:
                    os.write(self._descriptor, b"\x1b[?2026;2$y")
                self._waiting += data
        now = time.monotonic()
        self._tokens = min(self._rate / 20, self._tokens + (now - self._last) * self._rate)
        self._last = now
        number = int(min(self._tokens, len(self._waiting)))
        self._tokens -= number
        self._arrived += self._waiting[:number]
        del self._waiting[:number]
        time.sleep(0.002)
