"""A folder that is watched by a discovery of this process, with real saves and real describing processes."""

from __future__ import annotations

import asyncio
import contextlib
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from flowdeck.deck import FlowEntry
from flowdeck.service.describing import Describer, Description
from flowdeck.service.discovery import Discovery
from flowdeck.store.catalogue import Catalogue
from flowdeck.store.database.database import Database
from flowdeck.store.database.feed import ChangeFeed
from flowdeck.store.home import locate

PATIENCE_SECONDS = 30.0
"""How long to wait for something that takes a second, on a machine that is busy with other things."""

ONE_FLOW = """
    from flowdeck import flow
    @flow
    def first(count: int = 1):
        "Do the first thing."
    """

Entries = list[FlowEntry]


class CountingDescriber(Describer):
    """Notes which files were looked at."""

    def __init__(self, time_limit_seconds: float = 30.0) -> None:
        super().__init__(time_limit_seconds)
        self.looks: list[str] = []

    async def describe(self, folder: str, file: str, interpreter: str) -> Description:
        self.looks.append(file)
        return await super().describe(folder, file, interpreter)


class Watched:
    """A home that watches one folder, and a discovery that serves it."""

    def __init__(self, place: Path, time_limit_seconds: float = 30.0) -> None:
        self.folder = place / "flows"
        self.folder.mkdir()
        self.database = Database(locate(place / "home"))
        self.catalogue = Catalogue(self.database)
        self.catalogue.watch_folder(str(self.folder))
        self.feed = ChangeFeed(self.database)
        self.describer = CountingDescriber(time_limit_seconds)
        self._serving: asyncio.Task[None] | None = None

    def save(self, file: str, source: str) -> None:
        """Write as editors do: beside, then in place."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".tmp")
        beside.write_text(textwrap.dedent(source), encoding="utf-8")
        beside.replace(path)

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[Discovery]:
        discovery = Discovery(self.database, self.describer)
        self._serving = asyncio.create_task(discovery.serve())
        try:
            yield discovery
        finally:
            self._serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._serving

    async def until(self, holds: Callable[[Entries], bool], folder: Path | None = None) -> Entries:
        """Wait on the change feed until the catalogue is as wanted."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            entries = self.catalogue.entries(str(folder or self.folder))
            if holds(entries):
                return entries
            assert time.monotonic() < deadline, self._listed()
            if self._serving is not None and self._serving.done():
                self._serving.result()
            await asyncio.to_thread(self.feed.wait, 1.0)

    async def until_there(self, path: Path) -> None:
        """Wait until a file that an import writes is there."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await asyncio.to_thread(path.exists):
            assert time.monotonic() < deadline, self._listed()
            await asyncio.to_thread(self.feed.wait, 0.02)

    def _listed(self) -> list[tuple[object, ...]]:
        return [(entry.entrypoint, entry.status, entry.error) for entry in self.catalogue.entries()]

    def close(self) -> None:
        self.feed.close()
        self.database.close()


def functions(entries: Entries) -> list[str | None]:
    return [entry.function for entry in entries]
