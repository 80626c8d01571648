"""The panes of the app, made from the table of panes: which one is shown, and what all of them are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from flowdeck_tui.actions import actions
from flowdeck_tui.actions.action import Context
from flowdeck_tui.live.messages import News
from flowdeck_tui.live.pane import Pane, PaneKind
from flowdeck_tui.live.pane_reader import PaneReader
from flowdeck_tui.live.pane_services import PaneServices

if TYPE_CHECKING:
    from textual.widget import Widget

P = TypeVar("P")


class PaneSet:
    """One pane of each kind, by number."""

    def __init__(self, kinds: Sequence[PaneKind], services: PaneServices, folder: str) -> None:
        """Make the panes; none is shown yet.

        Args:
            kinds: table of panes, in the order of the header.
            services: the app, as panes see it.
            folder: real path of the app's folder of flows.

        Raises:
            KeyClashError: an action of a pane has an id or a key that is taken.
        """
        self._kinds = tuple(kinds)
        for kind in kinds:
            actions.register(kind.actions)
        self._panes = {kind.number: kind.make(services, folder) for kind in kinds}
        self.shown = ""
        """Number of the pane that is shown; empty while none is."""

    @property
    def titles(self) -> tuple[tuple[str, str], ...]:
        """Number and title of each pane."""
        return tuple((kind.number, kind.title) for kind in self._kinds)

    @property
    def readers(self) -> Mapping[str, PaneReader]:
        """How the rows of panes are read, by number of the pane."""
        return {kind.number: kind.reader for kind in self._kinds if kind.reader is not None}

    def bind_keys(self, bind: Callable[..., None]) -> None:
        """Bind the actions that panes bring and that act whatever is shown; `bind` is that of the app."""
        for kind in self._kinds:
            for action in kind.actions:
                if Context.EVERYWHERE in action.contexts:
                    bind(",".join(action.keys), action.method, description=action.label, show=False)

    @property
    def widgets(self) -> list[Widget]:
        """The widgets of all panes, in order."""
        return [pane.widget for pane in self._panes.values()]

    def of(self, kind: type[P]) -> P:
        """Return the pane of a class."""
        return next(pane for pane in self._panes.values() if isinstance(pane, kind))

    def show(self, number: str) -> Pane | None:
        """Show the pane of a number and hide the others; with an empty number, hide all."""
        self.shown = number
        for other, pane in self._panes.items():
            pane.widget.display = other == number
        return self._panes.get(number)

    def take(self, news: News) -> None:
        """Hand on what the pump has read."""
        for pane in self._panes.values():
            pane.take(news)

    def why_not(self, action_id: str) -> str | None:
        """Say why an action cannot be done in the pane that is shown; None when it can, or none is shown."""
        return self._panes[self.shown].why_not(action_id) if self.shown else None
