"""Discovery: keeps the catalogue true to the files of the watched folders, at the start and whenever one is saved."""

from __future__ import annotations

import asyncio
from typing import Final

from watchfiles import Change, awatch

from flowdeck.service.describing import Describer
from flowdeck.service.folder_scan import FlowFile, FolderScan, is_watched
from flowdeck.service.interpreters import interpreter_of
from flowdeck.service.journal import say
from flowdeck.store.catalogue import Catalogue, FileState
from flowdeck.store.database import Database
from flowdeck.store.run_facts import RunError

QUIET_MILLISECONDS: Final = 50
"""A save is over when nothing has happened for so long: editors write a file in several steps."""
LONGEST_WAIT_MILLISECONDS: Final = 400
RETRY_SECONDS: Final = 5.0
"""How often a folder is looked for that is not there at the moment."""
SECOND_LOOK_SECONDS: Final = 0.5
"""After the watch has begun: what was saved between the first look and that moment."""


class Discovery:
    """Follows every watched folder of a home."""

    def __init__(self, database: Database, describer: Describer | None = None) -> None:
        """Follow a home.

        Args:
            database: of the home.
            describer: asks what a file holds.
        """
        self._catalogue = Catalogue(database)
        self._describer = describer or Describer()
        self._changed = asyncio.Event()
        self._followers: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Say that the list of watched folders has changed."""
        self._changed.set()

    async def serve(self) -> None:
        """Follow the folders, for ever."""
        try:
            while True:
                self._changed.clear()
                folders = set(self._catalogue.folders())
                for gone in self._followers.keys() - folders:
                    self._followers.pop(gone).cancel()
                for folder in sorted(folders - self._followers.keys()):
                    self._followers[folder] = asyncio.create_task(self._follow(folder))
                await self._changed.wait()
        finally:
            for follower in self._followers.values():
                follower.cancel()
            self._followers.clear()

    async def _follow(self, folder: str) -> None:
        """Look at one folder now, and whenever something in it changes."""
        scan = FolderScan(folder)

        def matters(_change: Change, path: str) -> bool:
            return is_watched(folder, path)

        told = False
        while True:
            try:
                interpreter = await interpreter_of(folder)
                await self._look(scan, interpreter)
                second_look = asyncio.create_task(self._look_later(scan, interpreter))
                try:
                    async for _ in awatch(
                        folder, watch_filter=matters, step=QUIET_MILLISECONDS, debounce=LONGEST_WAIT_MILLISECONDS
                    ):
                        await self._look(scan, interpreter)
                finally:
                    second_look.cancel()
            except OSError as error:
                if not told:
                    say(f"{folder} cannot be watched: {error.strerror or error}. It is tried again from time to time.")
                told = True
            await asyncio.sleep(RETRY_SECONDS)

    async def _look_later(self, scan: FolderScan, interpreter: str) -> None:
        await asyncio.sleep(SECOND_LOOK_SECONDS)
        await self._look(scan, interpreter)

    async def _look(self, scan: FolderScan, interpreter: str) -> None:
        """Bring the catalogue up to what the folder now holds."""
        found = await asyncio.to_thread(scan.scan)
        known = self._catalogue.files(scan.folder)
        for file in known.keys() - found.keys():
            await asyncio.to_thread(self._catalogue.remove_file, scan.folder, file)
        stale = [file for file in found.values() if _is_stale(known.get(file.file), file, interpreter)]
        await asyncio.gather(*(self._describe(scan.folder, file, interpreter) for file in stale))

    async def _describe(self, folder: str, file: FlowFile, interpreter: str) -> None:
        description = await self._describer.describe(folder, file.file, interpreter)
        status = "ok" if description.flows is not None else "import_error"
        if description.flows is None and description.problem is not None:
            say(f"{folder}/{file.file} cannot be imported: {_one_line(description.problem)}")
        await asyncio.to_thread(
            self._catalogue.put_file,
            folder,
            file.file,
            file.sha256,
            interpreter,
            status,
            description.problem,
            description.flows,
        )


def _is_stale(known: FileState | None, found: FlowFile, interpreter: str) -> bool:
    """Tell whether a file must be described (again): it is new, has changed, or is to run with another Python."""
    return known is None or known.sha256 != found.sha256 or known.interpreter != interpreter


def _one_line(problem: RunError) -> str:
    return f"{problem.type}: {problem.message}".split("\n", 1)[0]
