"""A short text of up to a few lines, broken between words: why a run is where it is, what an action does."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from flowdeck_tui.text.present import UNICODE, Glyphs, Tone
from flowdeck_tui.widgets.columns import cut, pad, wrapped
from flowdeck_tui.widgets.themed import Toned

ROOM_BESIDE: Final = 120
"""Cells from which on a text of one line has another one beside it."""
GAP: Final = 3
LEAST_BESIDE: Final = 20


class Note(Toned):
    """Shows harmless text in as many lines as it needs, up to a limit, and nothing at all without text."""

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, most: int, *, is_fixed: bool = False, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        """Make an empty note.

        Args:
            most: lines that it takes at most; the last one is cut.
            is_fixed: take that many always.
            glyphs: signs that the terminal can show.
            id: of the widget.
        """
        super().__init__(id=id)
        self._most = self._room = most
        self._is_fixed = is_fixed
        self._ellipsis = glyphs.ellipsis
        self._said: tuple[str, Tone, str] = ("", Tone.PLAIN, "")
        self._lines: list[str] = []
        self.styles.height = most
        self.display = is_fixed

    @property
    def text(self) -> str:
        """What it says; empty when it is not shown."""
        return self._said[0]

    def show(self, text: str, tone: Tone = Tone.PLAIN, beside: str = "", *, most: int | None = None) -> None:
        """Change the text.

        Args:
            text: what to say; empty for nothing.
            tone: what the text means.
            beside: said on the same line, muted, where there is room for both.
            most: lines that this text may take; None for as many as the note has.
        """
        if (text, tone, beside) != self._said:
            self._said = (text, tone, beside)
            self._room = self._most if most is None else most
            # Not laid out yet, or hidden: it is as wide as the screen.
            self._lay_out(self.size.width or self.app.size.width)

    def on_resize(self) -> None:
        """Break the text for the new width."""
        self._lay_out(self.size.width)

    def _lay_out(self, width: int) -> None:
        self._lines = wrapped(self._said[0], width - 2, self._room, self._ellipsis)
        if not self._is_fixed:
            self.display = bool(self._lines)
            if self._lines:
                self.styles.height = len(self._lines)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.size.width
        _, tone, beside = self._said
        text = f" {self._lines[y]}" if y < len(self._lines) else ""
        room = width - cell_len(text) - GAP - 1
        if not beside or len(self._lines) != 1 or y or width < ROOM_BESIDE or room < LEAST_BESIDE:
            return Strip([Segment(pad(cut(text, width, self._ellipsis), width), self.tone_style(tone))], width)
        right = cut(beside, room, self._ellipsis)
        left = pad(text, width - cell_len(right) - 1)
        return Strip([Segment(left, self.tone_style(tone)), Segment(f"{right} ", self.tone_style(Tone.MUTED))], width)
