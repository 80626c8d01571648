"""Copying rows from the write-ahead log into state.db while nothing happens, so that a copy of that file has them."""

from __future__ import annotations

from contextlib import suppress

from flowdeck.rules.exceptions import StoreError
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import data_version


class IdleCheckpoint:
    """Checkpoints once after the commits of a while, when a whole look long none has come."""

    def __init__(self, database: Database) -> None:
        """Args: database: of the home that the engine serves."""
        self._database = database
        self._seen_version: int | None = None
        self._is_due = False

    def look(self) -> None:
        """See whether there were commits since the last look; if not, copy those of before."""
        with suppress(StoreError):
            version = data_version(self._database.reader())
            if version != self._seen_version:
                self._seen_version, self._is_due = version, True
            elif self._is_due:
                self._is_due = not self._database.checkpoint()
