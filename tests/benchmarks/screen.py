"""The screen in a pseudo-terminal: time to the listed flows, and what an idle one sends and uses."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.report import Figure, best_of
from tests.support.terminal import Terminal

ROOT = Path(__file__).parents[2]
IDLE_SECONDS = 5.0
TIMES = 5
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
    """Measure at 80 by 24, as over a slow line."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"FLOWDECK_HOME": home}
        command = [sys.executable, "-m", "flowdeck", str(ROOT / "sample_flows")]

        def until_flows_are_listed() -> float:
            with Terminal(command, environment=environment) as terminal:
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
        with Terminal(command, environment=environment) as terminal:
            terminal.wait_for("Flows", 30)
            terminal.press("3")
            terminal.wait_for("code-census", 30)
            terminal.pump(3.0)
            cpu = terminal.cpu_seconds()
            sent = terminal.pump(IDLE_SECONDS)
            yield Figure("idle screen sends", sent / IDLE_SECONDS, "B/s", 0)
            yield Figure("idle screen uses", (terminal.cpu_seconds() - cpu) / IDLE_SECONDS * 100, "%", 1.0)
