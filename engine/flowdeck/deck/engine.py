"""Deck's question and commands about the engine of a home."""

from __future__ import annotations

import sys
import time

from flowdeck.deck.open_home import OpenHome
from flowdeck.store import engines
from flowdeck.store.records import EngineStatus


class Engine:
    """The engine of one home."""

    def __init__(self, home: OpenHome) -> None:
        """Args: home: the open home."""
        self._home = home

    def status(self) -> EngineStatus:
        """Tell whether an engine serves this home, and which folders it watches."""
        return engines.status(self._home.database)

    def ensure(self, *, started_by: str, replace_older: bool = False) -> EngineStatus:
        """Bring an engine up beside this process if none serves the home; return once it does (about 0.3 s).

        Args:
            started_by: `tui` or `cli`: such an engine ends by itself when nobody needs it; `server` stays.
            replace_older: put one in the place of an engine of an older flowdeck (see `version_note`); runs go on.

        Raises:
            RefusedError: it did not come up; the sentence says where its log is.
        """
        return engines.ensure(self._home.database, sys.executable, started_by, time.sleep, replace_older=replace_older)

    def stop(self, *, force: bool = False) -> bool:
        """Ask the engine to stop; runs go on. False when none was running.

        Args:
            force: kill it when it does not stop by itself; one that a signal has stopped goes on first.

        Raises:
            RefusedError: it is stopped or hung and `force` is not given, or it did not end.
        """
        return engines.stop(self._home.database, time.sleep, force=force)
