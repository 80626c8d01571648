"""Waiting until an engine that has only just begun to look at its folders has seen what is there.

Otherwise the first command after `server start` would know nothing of flows that are there for everyone to see.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final

from flowdeck.cli.printing import note
from flowdeck.deck import Deck
from flowdeck.service.folder_scan import FolderScan

YOUNG_SECONDS: Final = 10.0
"""An engine older than this has looked at everything."""
PATIENCE_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 3.0
"""When nothing new was found for so long, the rest takes its time: a file may import for half a minute."""


def settle(deck: Deck, folders: Collection[str] | None = None) -> None:
    """Wait until every flow file of the watched folders is in the catalogue, for a while at most.

    Args:
        deck: the home.
        folders: folders to wait for; None for all, and only while the engine is young.
    """
    status = deck.engine.status()
    if not status.running or status.started_at is None:
        return
    if folders is None and time.time() - status.started_at.timestamp() > YOUNG_SECONDS:
        return
    expected = {file for folder in folders or status.folders for file in _flow_files(folder)}
    with deck.changes() as feed:
        deadline = time.monotonic() + PATIENCE_SECONDS
        quiet_deadline = time.monotonic() + QUIET_SECONDS
        while missing := expected - {f"{entry.folder}/{entry.file}" for entry in deck.flows.entries()}:
            left = min(deadline, quiet_deadline) - time.monotonic()
            if left <= 0:
                note(f"the engine is still looking at {_named(missing)}.")
                return
            changes = feed.wait(left)
            if changes is not None and (changes.flows or changes.resync):
                quiet_deadline = time.monotonic() + QUIET_SECONDS


def _flow_files(folder: str) -> list[str]:
    try:
        return [f"{folder}/{file}" for file in FolderScan(folder).scan().flow_files]
    except OSError:
        return []  # a folder that is not there holds nothing to wait for


def _named(files: Collection[str]) -> str:
    first = min(files)
    return first if len(files) == 1 else f"{len(files)} files, {first} among them"
