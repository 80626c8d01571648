"""What every noun of Deck works with: the open database of a home, and the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flowdeck.rules.clock import Clock, to_datetime
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import Connection


@dataclass(frozen=True, slots=True)
class OpenHome:
    """A home that is open in this process.

    Attributes:
        database: the database of the home.
        clock: the clock that tells the time.
    """

    database: Database
    clock: Clock

    def reader(self) -> Connection:
        """Return the calling thread's connection for reading."""
        return self.database.reader()

    def now_microseconds(self) -> int:
        """Return the time in microseconds since 1970 UTC."""
        return self.clock.now_microseconds()

    def now(self) -> datetime:
        """Return the time as an aware UTC datetime."""
        return to_datetime(self.clock.now_microseconds())
