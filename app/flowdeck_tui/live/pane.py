"""What a pane is: how it is registered, and what the app asks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from flowdeck_tui.actions.action import Action
from flowdeck_tui.live.messages import News
from flowdeck_tui.live.pane_reader import PaneReader
from flowdeck_tui.live.pane_services import PaneServices

if TYPE_CHECKING:
    from textual.widget import Widget


class Pane(Protocol):
    """What the app asks of a pane, whatever it shows."""

    def take(self, news: News) -> None:
        """Take over what the pump has read; what is for other panes is left alone."""
        ...

    def refresh_rows(self) -> None:
        """Draw anew; only what differs is sent."""
        ...

    def focus_default(self) -> None:
        """Give the keyboard to what the pane is showing."""
        ...

    def why_not(self, action_id: str) -> str | None:
        """Say why an action, by its id, cannot be done to what is under the cursor; None when it can."""
        ...

    @property
    def widget(self) -> Widget:
        """The widget that is shown and hidden."""
        ...


@dataclass(frozen=True, slots=True)
class PaneKind:
    """One line of the table of panes.

    Attributes:
        number: key that shows the pane, and its name in the app.
        title: name of the pane in the header.
        make: makes the pane from what it may ask of the app and the real path of the app's folder.
        reader: how its rows are read; None for a pane whose rows the pump brings by itself.
        actions: the pane's own actions, which `actions.ACTIONS` does not have.
    """

    number: str
    title: str
    make: Callable[[PaneServices, str], Pane]
    reader: PaneReader | None = None
    actions: tuple[Action, ...] = ()
