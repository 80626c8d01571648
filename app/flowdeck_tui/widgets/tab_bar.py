"""The line of a run's detail that names its tabs."""

from __future__ import annotations

from enum import StrEnum

from textual import events
from textual.message import Message

from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.widgets.bar import Bar, Spans


class Tab(StrEnum):
    """What a detail shows; the value is what people read."""

    LOG = "log"
    TASKS = "tasks"
    PARAMETERS = "parameters"
    STATES = "states"
    ERROR = "error"


class TabBar(Bar):
    """What is looked at, and to the right the tabs, the shown one in brackets."""

    class Chosen(Message):
        """The name of a tab was clicked."""

        def __init__(self, tab: Tab) -> None:
            self.tab = tab
            super().__init__()

    def __init__(self, glyphs: Glyphs) -> None:
        """Make an empty line."""
        super().__init__(glyphs=glyphs, fill=glyphs.rule, id="detail-tabs")

    def show_tabs(self, title: Spans, shown: Tab) -> None:
        """Change the line.

        Args:
            title: what is looked at; it is cut where there is no room for all.
            shown: the tab in brackets.
        """
        names = tuple((f"[{tab}]", Tone.STRONG) if tab is shown else (f" {tab} ", Tone.MUTED) for tab in Tab)
        self.show(title, names)

    def on_click(self, event: events.Click) -> None:
        """Choose the tab that was clicked."""
        x = self.size.width - sum(len(tab) + 2 for tab in Tab)
        for tab in Tab:
            if x <= event.x < x + len(tab) + 2:
                event.stop()
                self.post_message(self.Chosen(tab))
            x += len(tab) + 2
