"""The rows of a log on the screen, with few bytes: only rows that changed are marked to be sent."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from flowdeck_tui.log.log_lines import LogTone
from flowdeck_tui.log.log_marks import with_place_marks
from flowdeck_tui.log.log_page import LogPage
from flowdeck_tui.log.log_window import LogWindow


class LogCanvas(Widget, can_focus=True):
    """Draws the page that it is given; what is on the page is for others to say."""

    ALLOW_SELECT: ClassVar[bool] = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {*LogTone}
    DEFAULT_CSS: ClassVar[str] = """
    LogCanvas { width: 1fr; height: 1fr; }
    LogCanvas > .tone--muted { color: $text-muted; }
    LogCanvas > .tone--warn { color: $text-warning; }
    LogCanvas > .tone--bad { color: $text-error; }
    LogCanvas > .log-view--match { background: $warning-muted; color: $foreground; }
    LogCanvas > .log-view--match-current { background: $warning; color: $background; }
    LogCanvas > .log-view--pill { background: $primary; color: $background; }
    LogCanvas > .log-view--bar { background: $panel; }
    LogCanvas > .log-view--thumb { background: $primary; }
    LogCanvas > .log-view--flag { color: $warning; }
    LogCanvas > .log-view--cursor { background: $panel; }
    LogCanvas > .log-view--selected { background: $panel; }
    """

    def __init__(self, *, ellipsis: str, id: str | None = None) -> None:
        """Args: ellipsis: one cell that marks where a line is cut. id: of the widget."""
        super().__init__(id=id)
        self.page = LogPage(LogWindow(), ellipsis)
        self._is_palette_old = True
        self._blank = Style()
        self._rows: list[Strip] = []  # what stands on the screen, or will when it is painted next

    @property
    def empty_reason(self) -> str:
        """What stands there while no line is shown."""
        return ""

    def render_line(self, y: int) -> Strip:
        """Draw one row of the screen."""
        if not self._rows:
            self._rows = self._compose_rows()
        row = self._rows[y] if y < len(self._rows) else Strip.blank(0)
        return row.adjust_cell_length(self.size.width, self._blank)

    def on_resize(self) -> None:
        """Keep the place, or the end while following."""
        self.page.window.resize(self.size.height)
        # The last cell is the scroll bar's.
        self.page.lay_out(replace(self.page.layout, width=max(0, self.size.width - 1)))
        self._rows = []
        self.draw()

    def notify_style_update(self) -> None:
        """Forget colours when theme or focus changes."""
        self._is_palette_old = True
        self._rows = []
        super().notify_style_update()

    def draw(self) -> None:
        """Lay out the rows again and mark those that differ; of these the screen sends the cells that do."""
        if not self.is_attached:
            return
        before, self._rows = self._rows, self._compose_rows()
        if len(before) != len(self._rows):
            self.refresh()
        else:
            pairs = enumerate(zip(before, self._rows, strict=True))
            regions = [Region(0, y, self.size.width, 1) for y, (old, new) in pairs if old != new]
            if regions:
                self.refresh(*regions)

    def _compose_rows(self) -> list[Strip]:
        page, width = self.page, self.size.width
        if self._is_palette_old:
            page.palette = {tone: self.get_component_rich_style(tone) for tone in LogTone}
            page.redraw()
            self._blank = self.rich_style
            self._is_palette_old = False
        rows = [row.strip for row in page.rows(max(0, width - 1))]
        if not page.window.count and rows:
            rows[0] = Strip([Segment(f" {self.empty_reason}", page.palette[LogTone.MUTED])]).crop(0, width)
        if page.window.follows:
            return rows
        return with_place_marks(rows, page.window, width, page.palette, self._blank)
