"""A text to read: lines with a tone each, scrolled by its own offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual import events
from textual.strip import Strip

from flowdeck_tui.actions.action import Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.text.present import UNICODE, Glyphs, Tone
from flowdeck_tui.widgets.columns import cut, pad
from flowdeck_tui.widgets.themed import Toned

Line = tuple[str, Tone]

CONTINUED: Final = "  "


def wrap(text: str, tone: Tone, width: int) -> list[Line]:
    """Break a line that is too wide for `width` cells; what goes on is indented."""
    if width <= len(CONTINUED) or cell_len(text) <= width:
        return [(text, tone)]
    head, *_ = chop_cells(text, width)
    rest = chop_cells(text[len(head) :], width - len(CONTINUED))
    return [(head, tone), *((CONTINUED + piece, tone) for piece in rest)]


class TextPanel(Toned, can_focus=True):
    """Shows harmless text; long lines go on below, indented by two."""

    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar = bindings(Context.TEXT)
    action_context: ClassVar[Context] = Context.TEXT

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        """Make an empty panel."""
        super().__init__(id=id)
        self._ellipsis = glyphs.ellipsis
        self._lines: tuple[Line, ...] = ()
        self._wrapped: list[Line] = []
        self._first = 0

    @property
    def text(self) -> str:
        """The whole text."""
        return "\n".join(text for text, _ in self._lines)

    def show(self, lines: Sequence[Line], *, keep_place: bool = False) -> None:
        """Change the text."""
        if tuple(lines) == self._lines:
            return
        self._lines = tuple(lines)
        self._first = self._first if keep_place else 0
        self._wrap()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.size.width
        index = self._first + y
        text, tone = self._wrapped[index] if index < len(self._wrapped) else ("", Tone.PLAIN)
        return Strip([Segment(pad(cut(f" {text}", width, self._ellipsis), width), self.tone_style(tone))], width)

    def _wrap(self) -> None:
        self._wrapped = [line for text, tone in self._lines for line in wrap(text, tone, self.size.width - 2)]
        self._scroll(0)
        self.refresh()

    def on_resize(self) -> None:
        """Break lines for the new width."""
        self._wrap()

    def _scroll(self, lines: int) -> None:
        first = max(0, min(self._first + lines, len(self._wrapped) - self.size.height))
        if first != self._first:
            self._first = first
            self.refresh()

    def action_move_down(self) -> None:
        """One line down."""
        self._scroll(1)

    def action_move_up(self) -> None:
        """One line up."""
        self._scroll(-1)

    def action_move_half_down(self) -> None:
        """Half a page down."""
        self._scroll(max(1, self.size.height // 2))

    def action_move_half_up(self) -> None:
        """Half a page up."""
        self._scroll(-max(1, self.size.height // 2))

    def action_move_page_down(self) -> None:
        """One page down."""
        self._scroll(max(1, self.size.height))

    def action_move_page_up(self) -> None:
        """One page up."""
        self._scroll(-max(1, self.size.height))

    def action_move_top(self) -> None:
        """To the first line."""
        self._scroll(-len(self._wrapped))

    def action_move_bottom(self) -> None:
        """To the last line."""
        self._scroll(len(self._wrapped))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll with the wheel."""
        event.stop()
        self._scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll with the wheel."""
        event.stop()
        self._scroll(-3)
