"""The last line: the keys that act on what has the focus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual import events
from textual.message import Message

from flowdeck_tui.actions import actions
from flowdeck_tui.actions.action import Action, Context
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.widgets.bar import Bar, Spans, width_of

NARROW_COLUMNS: Final = 100
KEYS_WHEN_NARROW: Final = 8
KEYS_WHEN_WIDE: Final = 20


def fitting(chain: Sequence[Context], width: int) -> list[Action]:
    """Choose as many actions as fit, those nearest to the focus first."""
    most = KEYS_WHEN_NARROW if width < NARROW_COLUMNS else KEYS_WHEN_WIDE
    while most:
        chosen = actions.footer(chain, most)
        if width_of(_spans(chosen)) <= width:
            return chosen
        most -= 1
    return []


def footer_spans(chain: Sequence[Context], width: int) -> Spans:
    """Write the keys that fit."""
    return _spans(fitting(chain, width))


def _spans(shown: Sequence[Action]) -> Spans:
    spans: list[tuple[str, Tone]] = []
    for action in shown:
        gap = "" if action is shown[-1] else " "
        spans.extend(((f" {action.shown_key}", Tone.STRONG), (f" {action.label}{gap}", Tone.MUTED)))
    return tuple(spans)


class Footer(Bar):
    """The last line of the screen."""

    class Pressed(Message):
        """A key was clicked."""

        def __init__(self, action: Action) -> None:
            self.action = action
            super().__init__()

    def __init__(self, glyphs: Glyphs) -> None:
        """Make an empty footer."""
        super().__init__(glyphs=glyphs, id="footer")
        self._chain: tuple[Context, ...] = (Context.EVERYWHERE,)

    def show_chain(self, chain: Sequence[Context]) -> None:
        """Show the keys for a focus, innermost context first."""
        self._chain = tuple(chain)
        self.show(footer_spans(self._chain, self.size.width))

    def on_click(self, event: events.Click) -> None:
        """Do what the key under the mouse does."""
        x = event.x
        for action in fitting(self._chain, self.size.width):
            x -= width_of(_spans([action])) + 1
            if x < 0:
                self.post_message(self.Pressed(action))
                return

    def on_resize(self) -> None:
        """Show as many keys as fit."""
        self.show_chain(self._chain)
