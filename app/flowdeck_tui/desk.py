"""What a pane may ask of the app that holds it: the only way from a pane to threads, dialogs and other panes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from flowdeck_tui.commands import Command
from flowdeck_tui.present import Tone
from flowdeck_tui.pump import Pace, Pump
from flowdeck_tui.run_tree import Look

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry, FlowRun, LogReader


class Desk(Protocol):
    """The app, as panes see it."""

    @property
    def look(self) -> Look:
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

    def say(self, text: str, *, tone: Tone = Tone.PLAIN, echo: str = "") -> None:
        """Show one sentence on the status line, and the command that does the same."""
        ...

    def ask(self, question: str, on_yes: Callable[[], None]) -> None:
        """Ask a yes-or-no question on the status line."""
        ...

    def prompt(
        self, label: str, text: str, on_change: Callable[[str], None], on_end: Callable[[str | None], None]
    ) -> None:
        """Ask for a text on the status line."""
        ...

    def submit(self, command: Command) -> None:
        """Give a command to Deck."""
        ...

    def open_log(self, run: FlowRun) -> LogReader | None:
        """Open the log of a run; None while the home is not open."""
        ...

    def open_form(self, entry: FlowEntry) -> None:
        """Show the form that runs a flow."""
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
