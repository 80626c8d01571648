"""Discovery: keeps the catalogue true to the files of the watched folders, at the start and whenever one is saved."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Final

from watchfiles import Change, awatch

from flowdeck import __version__
from flowdeck.host.interpreters import interpreter_for
from flowdeck.service.describing import Describer, Description
from flowdeck.service.folder_scan import FlowFile, FolderScan
from flowdeck.service.journal import say
from flowdeck.store.catalogue import Catalogue, FileState
from flowdeck.store.database import Database
from flowdeck.store.run_facts import RunError

QUIET_MILLISECONDS: Final = 50
"""A save is over when nothing has happened for so long: editors write a file in several steps."""
LONGEST_WAIT_MILLISECONDS: Final = 400
RETRY_SECONDS: Final = 5.0
"""How often a folder is looked at that cannot be watched at the moment."""


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
        """Say that the list of watched folders may have changed."""
        self._changed.set()

    async def serve(self) -> None:
        """Follow the folders until cancelled.

        Raises:
            StoreError: the store cannot be used just now.
        """
        changed: asyncio.Task[bool] | None = None
        try:
            while True:
                self._changed.clear()
                await self._follow_listed()
                changed = asyncio.create_task(self._changed.wait())
                # A follower ends only with an error; it is for whoever serves to see.
                done, _ = await asyncio.wait(
                    {changed, *self._followers.values()}, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
                changed.cancel()
        finally:
            ending = [*self._followers.values(), *([changed] if changed else [])]
            self._followers.clear()
            await _end(ending)

    async def _follow_listed(self) -> None:
        listed = set(await asyncio.to_thread(self._catalogue.folders))
        await _end([self._followers.pop(gone) for gone in self._followers.keys() - listed])
        for folder in sorted(listed - self._followers.keys()):
            follower = _Follower(folder, self._catalogue, self._describer)
            self._followers[folder] = asyncio.create_task(follower.follow())


class _Follower:
    """Follows one folder."""

    def __init__(self, folder: str, catalogue: Catalogue, describer: Describer) -> None:
        self._folder = folder
        self._catalogue = catalogue
        self._describer = describer
        self._scan = FolderScan(folder)
        self._looks: dict[str, tuple[str, asyncio.Task[None]]] = {}
        """File -> what is being described there: its mark, and the task that does it."""
        self._told: set[str] = set()

    async def follow(self) -> None:
        """Look at the folder now, and whenever something in it changes."""
        try:
            while True:
                try:
                    async for _ in self._changes():
                        await self._look()
                except (OSError, RuntimeError) as error:  # watchfiles raises RuntimeError for what inotify refuses
                    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                    self._tell(f"{self._folder} cannot be watched: {reason}. It is looked at every {RETRY_SECONDS:g} s.")
                await asyncio.sleep(RETRY_SECONDS)
                with contextlib.suppress(OSError):
                    await self._look()
        finally:
            await _end([task for _, task in self._looks.values()])

    async def _changes(self) -> AsyncIterator[None]:
        """Yield once when the watch stands, so that nothing is missed between first look and watch; then per change."""
        watch = awatch(
            self._folder,
            watch_filter=self._matters,
            step=QUIET_MILLISECONDS,
            debounce=LONGEST_WAIT_MILLISECONDS,
            ignore_permission_denied=True,
        )
        try:
            waiting = asyncio.ensure_future(anext(watch, None))
            await asyncio.sleep(0)  # its first step sets up the watch
            if not waiting.done():
                yield
            while await waiting is not None:
                yield
                waiting = asyncio.ensure_future(anext(watch, None))
        finally:
            await watch.aclose()

    def _matters(self, _change: Change, path: str) -> bool:
        return self._scan.matters(path)

    async def _look(self) -> None:
        """Bring the catalogue up to what the folder now holds; describing goes on beside."""
        for file, (_, task) in list(self._looks.items()):
            if task.done():
                del self._looks[file]
                task.result()
        known = await asyncio.to_thread(self._catalogue.files, self._folder)
        snapshot = await asyncio.to_thread(self._scan.scan, known.keys())
        for file in (known.keys() | self._looks.keys()) - snapshot.flow_files.keys():
            await self._forget(file)
        chosen = await asyncio.to_thread(interpreter_for, self._folder)
        if chosen.remark is not None:
            self._tell(chosen.remark)
        for flow_file in snapshot.flow_files.values():
            await self._describe_if_stale(flow_file, known.get(flow_file.file), chosen.path, snapshot.changed)
