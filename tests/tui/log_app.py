"""A log over the whole screen, fed by a test; keeps a picture of what a terminal would show."""

from __future__ import annotations

import re
from pathlib import Path

from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.geometry import Region

from flowdeck.store.logs.log_reader import LogReader
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck_tui.log.log_view import LogView

AT = 1_795_361_153_123_456
SIZES = [(80, 24), (160, 48)]


def cells_of(text: str) -> list[str]:
    """Spread a row over its cells; a wide character fills two, a combining mark none."""
    cells: list[str] = []
    for character in text:
        width = cell_len(character)
        if width == 0 and cells:
            cells[-1] += character
        else:
            cells.extend([character, ""][:width])
    return cells


class RecordingView(LogView):
    """Keeps a picture as a terminal has it: only what was marked for repainting is copied to it."""

    def __init__(self, source: LogReader) -> None:
        self.marked: list[Region] = []
        self.picture: list[list[str]] = []
        super().__init__(source)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> LogView:
        self.marked.extend(regions or [Region(0, 0, 10_000, 10_000)])
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def whole(self) -> list[str]:
        """What a full repaint draws."""
        return [self.render_line(y).text for y in range(self.size.height)]

    def paint(self) -> list[str]:
        """Copy the marked cells."""
        rows = [cells_of(row) for row in self.whole()]
        self.picture = (self.picture + [[" "] * self.size.width for _ in rows])[: len(rows)]
        for region in self.marked:
            for y in range(region.y, min(region.bottom, len(rows))):
                self.picture[y][region.x : region.right] = rows[y][region.x : region.right]
        self.marked.clear()
        return ["".join(row) for row in self.picture]


class LogApp(App[None]):
    """One log over the whole screen."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.writer = LogWriter(path)
        self.reader = LogReader(path)
        self.seconds = 0
        self.statuses = 0

    def compose(self) -> ComposeResult:
        self.reader.refresh()
        yield RecordingView(self.reader)

    @property
    def view(self) -> RecordingView:
        return self.query_one(RecordingView)

    def say(self, *texts: str, level: int = 20) -> None:
        for text in texts:
            self.seconds += 1
            self.writer.append(AT + self.seconds * 1_000_000, level, "logger", 3, "load-3", text)

    def on_log_view_status_changed(self) -> None:
        self.statuses += 1

    def feed(self) -> list[str]:
        """Do what the pump does; returns the texts on the screen."""
        self.reader.refresh()
        self.view.feed()
        return self.texts()

    def texts(self) -> list[str]:
        """The text column of the rows that have one."""
        rows = [row for row in self.view.paint() if row.strip()]
        return [re.split(r"load-3 +|  \| ", row, maxsplit=1)[-1].rstrip() for row in rows]


def numbered(count: int, start: int = 0) -> list[str]:
    """Make texts that tell their number."""
    return [f"line {number}" for number in range(start, start + count)]
