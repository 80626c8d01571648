"""What a pane may ask of the app that holds it: the only way from a pane to threads, dialogs and other panes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowdeck_tui.live.messages import Command
from flowdeck_tui.live.pump import Pace, Pump
from flowdeck_tui.terminal.editor import Place
from flowdeck_tui.text.render_context import RenderContext
from flowdeck_tui.widgets.status_area import StatusArea

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry, FlowRun, MergedLog


class PaneServices(Protocol):
    """The app, as panes see it."""

    @property
    def render_context(self) -> RenderContext:
        """Clock, time zone and signs."""
        ...

    @property
    def pump(self) -> Pump:
        """Where rows come from."""
        ...

    @property
    def pace(self) -> Pace:
        """How often the screen may change."""
        ...

    def waiting_reason(self, run: FlowRun) -> str | None:
        """Say why a run does not move, and what would move it; None when it does."""
        ...

    @property
    def status(self) -> StatusArea:
        """The line for what happened, questions and texts to type."""
        ...

    @property
    def flow_names(self) -> tuple[str, ...]:
        """Names of the flows that there are."""
        ...

    def submit(self, command: Command) -> None:
        """Give a command to Deck."""
        ...

    def open_log(self, run: FlowRun, *, subflows: bool = True) -> MergedLog | None:
        """Open the log of a run, with those of its subflow runs or without; None while the home is not open."""
        ...

    async def open_form(self, entry: FlowEntry) -> None:
        """Show the form that runs a flow."""
        ...

    async def open_rerun(self, run: FlowRun) -> None:
        """Show the form that runs the flow of a run once more."""
        ...

    def read(self, text: str) -> None:
        """Show a text in the user's pager."""
        ...

    def edit(self, place: Place) -> None:
        """Open a line of source in the user's editor."""
        ...

    async def open_copy(self) -> None:
        """Ask what to copy of what has the focus."""
        ...

    def flow_of(self, run: FlowRun) -> FlowEntry | None:
        """Return the flow that made a run, if it is in the folder."""
        ...

    def show_runs_of(self, flow_name: str) -> None:
        """Show the runs of one flow."""
        ...

    def show_flows(self) -> None:
        """Show the flows again."""
        ...

    def show_log_of(self, run_id: str) -> None:
        """Show the log of a run, by its id, over the whole screen."""
        ...
