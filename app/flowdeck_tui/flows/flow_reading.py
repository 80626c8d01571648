"""How the rows of the Flows pane are read, in the pump's thread."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from flowdeck_tui.live.pane_reader import PaneReader

if TYPE_CHECKING:
    from flowdeck.deck import Deck, FlowEntry


def read_flows(deck: Deck) -> list[FlowEntry]:
    """List the flows of watched folders that are there: the catalogue keeps those of a disk that is gone for now."""
    there: dict[str, bool] = {}
    entries = deck.flows.entries()
    for entry in entries:
        if entry.folder not in there:
            there[entry.folder] = _is_there(entry.folder)
    return [entry for entry in entries if there[entry.folder]]


def _is_there(folder: str) -> bool:
    return os.path.isdir(folder)


READER: Final = PaneReader(
    read_flows,
    lambda changes: changes.flows,
    lambda changes: bool(changes.flow_runs),  # the last run of a flow
)
