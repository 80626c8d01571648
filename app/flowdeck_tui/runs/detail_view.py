"""What of a run is looked at: tab, items of a map, a page of its own, order and filter of calls. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.live.detail_reading import DetailQuery
from flowdeck_tui.runs.call_rows import STRETCH
from flowdeck_tui.text import present
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.widgets.bar import Spans
from flowdeck_tui.widgets.tab_bar import Tab

if TYPE_CHECKING:
    from flowdeck.deck import CallLine, FlowRun

ORDER_WORDS: Final = {"failed": "failures first", "call": "in order", "slowest": "slowest first"}


@dataclass(frozen=True, slots=True)
class CallPage:
    """A call that is read as a whole."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class ValuePage:
    """A parameter whose value is read as a whole."""

    name: str


@dataclass(slots=True)
class DetailView:
    """What is looked at, of whichever run.

    Attributes:
        tab: the tab.
        group: the map whose items are listed; None for all calls.
        page: what is read as a whole; None for the list.
        order: of the calls.
        text: what their names must hold; empty for anything.
        offset: position of the first call in memory.
        came_from_tasks: the log is that of a call, and back leads to the calls.
    """

    tab: Tab = Tab.LOG
    group: CallLine | None = None
    page: CallPage | ValuePage | None = None
    order: str = "failed"
    text: str = ""
    offset: int = 0
    came_from_tasks: bool = False

    def begin(self) -> None:
        """Look at another run: all its calls."""
        self.list_calls(None)
        self.page = None

    def list_calls(self, group: CallLine | None) -> None:
        """List the items of a map, or all calls, from the first on."""
        self.group, self.text, self.offset = group, "", 0

    def next_order(self) -> str:
        """Choose the next order; return its words."""
        orders = list(ORDER_WORDS)
        self.order = orders[(orders.index(self.order) + 1) % len(orders)]
        self.offset = 0
        return ORDER_WORDS[self.order]

    def look_around(self, index: int) -> bool:
        """Have the calls around a position in memory; False when they are meant to be already."""
        offset = max(0, index - STRETCH // 2)
        is_other = offset != self.offset
        self.offset = offset
        return is_other

    def query(self, run: FlowRun) -> DetailQuery | None:
        """Return what is to be read for it; None when the run's row says all."""
        if self.tab is Tab.STATES:
            return DetailQuery(run.key, wants_states=True)
        if self.tab is not Tab.TASKS:
            return None
        return DetailQuery(
            run.key,
            wants_calls=True,
            group=None if self.group is None else self.group.group,
            text=self.text,
            order=self.order,
            offset=self.offset,
            limit=STRETCH,
            call_id=self.page.id if isinstance(self.page, CallPage) else None,
        )

    def title(self, run: FlowRun, glyphs: Glyphs) -> Spans:
        """Write which run it is, and how deep in it one is."""
        inner = [] if self.page is None else [self.page.name]
        if self.tab is Tab.TASKS:
            inner = [*([] if self.group is None else [self.group.name]), *inner]
            inner += [f"/{self.text}"] if self.text else []
        path = "".join(f" {glyphs.closed} {inert_line(name)}" for name in inner)
        order = f"  {ORDER_WORDS[self.order]}" if self.tab is Tab.TASKS and self.order != "failed" else ""
        state = present.state_text(run.state_type, run.state_name, glyphs)
        return (
            (f" {inert_line(run.name)}", Tone.STRONG),
            (path, Tone.PLAIN),
            (f"  {state}", present.state_tone(run.state_type, run.state_name)),
            (f"{order} ", Tone.MUTED),
        )
