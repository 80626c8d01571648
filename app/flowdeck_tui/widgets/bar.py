"""One line of text with a left and a right end: header, titles, status and footer are made of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip

from flowdeck_tui.text.present import UNICODE, Glyphs, Tone
from flowdeck_tui.widgets.columns import cut
from flowdeck_tui.widgets.themed import Toned

Spans = tuple[tuple[str, Tone], ...]


def width_of(spans: Iterable[tuple[str, Tone]]) -> int:
    """Count the cells of some text."""
    return sum(cell_len(text) for text, _ in spans)


def differing_cells(before: Spans, after: Spans) -> tuple[int, int]:
    """Return the cells [first, stop) outside of which two lines of equal width look the same."""
    old = [(char, tone) for text, tone in before for char in text]
    new = [(char, tone) for text, tone in after for char in text]
    width = max(width_of(before), width_of(after))
    if not len(old) == len(new) == width:
        return 0, width  # of different width, or with characters that take two cells
    differing = [index for index in range(width) if old[index] != new[index]]
    return (differing[0], differing[-1] + 1) if differing else (0, 0)


class Bar(Toned):
    """A line that repaints only when its text changes. Text must be harmless for a terminal already."""

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(
        self,
        *,
        glyphs: Glyphs = UNICODE,
        fill: str = " ",
        id: str | None = None,
    ) -> None:
        """Make an empty line.

        Args:
            glyphs: signs that the terminal can show.
            fill: what stands between the two ends.
            id: of the widget.
        """
        super().__init__(id=id)
        self._ellipsis = glyphs.ellipsis
        self._fill = fill
        self._left: Spans = ()
        self._right: Spans = ()

    @property
    def text(self) -> str:
        """What the line says, without the space between its ends."""
        return "".join(text for text, _ in (*self._left, *self._right))

    def show(self, left: Spans, right: Spans = ()) -> None:
        """Change the text; when both ends do not fit, the left one is cut. Only cells that differ are repainted."""
        if (left, right) == (self._left, self._right):
            return
        before = self._pieces()
        self._left, self._right = left, right
        if not self.size.width:
            self.refresh()  # not on the screen: what it showed there before is no longer true as a whole
            return
        first, stop = differing_cells(before, self._pieces())
        if first < stop:
            self.refresh(Region(first, 0, stop - first, 1))

    def render_line(self, y: int) -> Strip:
        """Draw the line."""
        width = self.size.width
        if y:
            return Strip.blank(width, self.rich_style)
        return Strip([Segment(text, self.tone_style(tone)) for text, tone in self._pieces() if text], width)

    def span_at(self, x: int) -> str:
        """Return the piece of text that stands in a column; empty when none does."""
        for text, _ in self._pieces():
            x -= cell_len(text)
            if x < 0:
                return text
        return ""

    def _pieces(self) -> Spans:
        width = self.size.width
        right = self._cut(self._right, width)
        left = self._cut(self._left, width - width_of(right))
        gap = width - width_of(left) - width_of(right)
        return (*left, (self._fill * gap, Tone.MUTED), *right)

    def _cut(self, spans: Spans, width: int) -> Spans:
        kept: list[tuple[str, Tone]] = []
        for text, tone in spans:
            short = cut(text, width, self._ellipsis)
            kept.append((short, tone))
            width -= cell_len(short)
            if short != text or width <= 0:
                break
        return tuple(kept)
