"""The screen without colours, as NO_COLOR asks: signs and weight say what colours say elsewhere."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter


class Colourless(LineFilter):
    """Takes all colours out; Textual's own filter makes them grey, and fails on cells without style."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the same cells without colours."""
        return [Segment(text, _plain(style), control) for text, style, control in segments]


def _plain(style: Style | None) -> Style | None:
    if style is None:
        return None
    return Style(
        bold=style.bold, italic=style.italic, underline=style.underline, reverse=style.reverse, meta=style.meta
    )
