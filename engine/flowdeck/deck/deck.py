"""Deck itself: one attribute for each noun, each noun in a file of its own."""

from __future__ import annotations

from pathlib import Path

from flowdeck.deck.engine import Engine
from flowdeck.deck.flow_runs import FlowRuns
from flowdeck.deck.flows import Flows
from flowdeck.deck.folders import Folders
from flowdeck.deck.logs import Logs
from flowdeck.deck.open_home import OpenHome
from flowdeck.deck.task_runs import TaskRuns
from flowdeck.rules.clock import SYSTEM_CLOCK, Clock
from flowdeck.store.database.database import Database
from flowdeck.store.database.feed import ChangeFeed
from flowdeck.store.home import locate


class Deck:
    """One home, for front ends and authors: a face over its nouns."""

    def __init__(self, home: Path | str | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Open the home, creating it where needed.

        Args:
            home: the folder of the home; None for $FLOWDECK_HOME, else ~/.flowdeck.
            clock: the clock that tells the time.

        Raises:
            StoreError: the home cannot be used.
            UsageError: a setting cannot be used.
        """
        self._database = Database(locate(home))
        self.home = self._database.home.path
        """The folder of the home."""
        opened = OpenHome(self._database, clock)
        self.engine = Engine(opened)
        self.flows = Flows(opened)
        self.flow_runs = FlowRuns(opened, self.flows)
        self.folders = Folders(opened)
        self.logs = Logs(opened)
        self.task_runs = TaskRuns(opened)

    def changes(self) -> ChangeFeed:
        """Return a feed of what changes from now on; the caller closes it, and uses it from one thread."""
        return ChangeFeed(self._database)

    def close(self) -> None:
        """Close the home's database in this process."""
        self._database.close()
