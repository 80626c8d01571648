"""The one place that reaches into Textual: partial updates that send only cells that changed, and any bytes as keys.

Textual's own update of a part of a line begins at the left edge of the widget: a clock in the seventh column costs
the six columns before it, 370 bytes instead of 60. Textual is pinned to one version; a test holds both kinds of
update against each other.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from functools import partial

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor
from textual.drivers import linux_driver
from textual.screen import Screen


class CellUpdate(ChopsUpdate):
    """A partial update that is cut on both sides."""

    def render_segments(self, console: Console) -> str:
        """Return what to write to the terminal."""
        pieces: list[str] = []
        for y, first, stop in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                left, right = max(x, first), min(end, stop)
                if strip is None or left >= right:
                    continue
                pieces.append(Control.move_to(left, y).segment.text)
                pieces.append(strip.crop(left - x, right - x).render(console))
        return "".join(pieces)


class CellCompositor(Compositor):
    """Makes cell updates."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """Return an update of what is dirty; None when nothing is."""
        update = super().render_partial_update()
        return None if update is None else CellUpdate(update.chops, update.spans, update.chop_ends)


class CellScreen(Screen[None]):
    """The screen of the panes."""

    def __init__(self) -> None:
        super().__init__(id="_default")
        self._compositor = CellCompositor()


def take_any_bytes() -> None:
    """Let bytes that are no UTF-8 (a paste of another encoding) become U+FFFD; stock Textual ends with a traceback."""
    strict = codecs.getincrementaldecoder

    def tolerant(encoding: str) -> Callable[[], codecs.IncrementalDecoder]:
        return partial(strict(encoding), errors="replace")

    linux_driver.getincrementaldecoder = tolerant  # pyright: ignore[reportPrivateImportUsage]
