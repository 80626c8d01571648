"""What nobody can ask for any more goes: expired cached results, and result files that no row names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.service.engine_log import say
from flowdeck.store.database.database import Database
from flowdeck.store.results import cached_results
from flowdeck.store.results.result_files import NAMED

FIRST_AFTER_SECONDS: Final = 60.0
INTERVAL_SECONDS: Final = 3600.0
GRACE_SECONDS: Final = 3600.0
"""A file that was written or found again so recently may be that of a row which is just being made."""


class Eviction:
    """Clears the results of one home."""

    def __init__(self, database: Database) -> None:
        """Args: database: database of the home."""
        self._database = database

    async def serve(self) -> None:
        """Clear now and then, for ever."""
        await asyncio.sleep(FIRST_AFTER_SECONDS)
        while True:
            await asyncio.to_thread(self.clear)
            await asyncio.sleep(INTERVAL_SECONDS)

    def clear(self) -> int:
        """Clear what has expired and what is orphaned; return the number of files that went."""
        now = SYSTEM_CLOCK.now_microseconds()
        self._database.write(lambda connection: cached_results.forget_expired(connection, now))
        removed = 0
        for folder in self._folders():
            removed += self._clear_folder(folder, time.time() - GRACE_SECONDS)
        self._clear_names()
        if removed:
            say(f"Removed {removed} result files that no run needs any more.")
        return removed

    def _folders(self) -> Iterator[Path]:
        results = self._database.home.results
        if results.is_dir():
            yield from (folder for folder in results.iterdir() if folder.name != NAMED and folder.is_dir())

    def _clear_folder(self, folder: Path, before: float) -> int:
        old = {path.name: path for path in folder.iterdir() if _changed_before(path, before)}
        if not old:
            return 0
        orphans = set(old) - cached_results.files_in_use(self._database.reader(), folder.name)
        for name in orphans:
            with suppress(FileNotFoundError):
                old[name].unlink()
        return len(orphans)

    def _clear_names(self) -> None:
        """Remove names of results that are gone."""
        for path in (self._database.home.results / NAMED).rglob("*"):
            if path.is_symlink() and not path.exists():
                path.unlink(missing_ok=True)


def _changed_before(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime < before
    except OSError:
        return False
