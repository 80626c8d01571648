"""The screen without colours, as NO_COLOR asks: weight and reverse say what colours say elsewhere."""

from __future__ import annotations

from typing import Final

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from flowdeck_tui.text.theme import THEME

_REVERSED: Final = frozenset(Color.parse(THEME.variables[name]).rich_color for name in ("cursor-row", "cursor-row-away"))
"""Backgrounds that say where the cursor is."""
_REVERSE: Final = Style(reverse=True)


class Colourless(LineFilter):
    """Takes all colours out of what is drawn; Textual's own filter turns them into greys, and ends on cells without a style."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the same cells without colours."""
        return [Segment(text, _plain(style), control) for text, style, control in segments]


def _plain(style: Style | None) -> Style | None:
    if style is None:
        return None
    return style.without_color + _REVERSE if _is_reversed(style.bgcolor) else style.without_color


def _is_reversed(colour: RichColor | None) -> bool:
    return colour is not None and colour in _REVERSED
