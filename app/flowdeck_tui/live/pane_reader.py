"""How the pump reads for a pane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowdeck.deck import Changes, Deck


@dataclass(frozen=True, slots=True)
class PaneReader:
    """How the pump reads for a pane, in its thread. What it reads stands in `News.panes` under the pane's number.

    Attributes:
        read: reads all that the pane shows.
        hears: tells whether changes concern the pane; then it is read anew.
        hears_while_shown: the same for changes that concern the pane only while it is the one that is shown.
    """

    read: Callable[[Deck], Any]
    hears: Callable[[Changes], bool]
    hears_while_shown: Callable[[Changes], bool] = lambda _: False
