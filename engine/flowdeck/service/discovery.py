"""Discovery: keeps the catalogue true to the files of the watched folders, at the start and whenever one is saved."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from watchfiles import Change, awatch

from flowdeck.rules.exceptions import StoreError
from flowdeck.rules.versions import __version__
from flowdeck.service.describing import Describer
from flowdeck.service.engine_log import say
from flowdeck.service.folder_scan import FlowFile, FolderScan
from flowdeck.service.interpreters import interpreter_of
from flowdeck.store.catalogue import Catalogue, FileState
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import DatabaseError
from flowdeck.store.run_values import RunError

QUIET_MILLISECONDS: Final = 50
"""A save is over when nothing has happened for so long: editors write a file in several steps."""
LONGEST_WAIT_MILLISECONDS: Final = 400
RETRY_SECONDS: Final = 5.0
"""How often a folder is looked at that cannot be watched at the moment."""
STORE_PAUSE_SECONDS: Final = 1.0
OK: Final = "ok"
BROKEN: Final = "import_error"


@dataclass(frozen=True, slots=True)
class _Look:
    """A file that is being described: in which version, with which Python, and the task that does it."""

    mark: str
    interpreter: str
    task: asyncio.Task[None]


class Discovery:
    """Follows every watched folder of a home."""

    def __init__(self, database: Database, describer: Describer | None = None) -> None:
        """Follow a home.

        Args:
            database: database of the home.
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
                done, _ = await asyncio.wait({changed, *self._followers.values()}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                changed.cancel()
        finally:
            ending = [*self._followers.values(), *([changed] if changed else [])]
            self._followers.clear()
            await _end(ending)

    async def _follow_listed(self) -> None:
        listed = set(self._catalogue.folders())
        for gone in self._followers.keys() - listed:
            await _end([self._followers.pop(gone)])
            # A description may have come in between the request to forget the folder and this.
            await _finish(self._catalogue.remove_unwatched, gone)
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
        self._looks: dict[str, _Look] = {}
        """What is being described, by file."""
        self._interpreter: tuple[list[int], str] | None = None
        """The folder's Python, and the state of its environment when it was chosen."""
        self._said: dict[str, str] = {}
        """Subject -> what was said of it last: a file that stays broken is told of once."""

    async def follow(self) -> None:
        """Look at the folder now, and whenever something in it changes."""
        try:
            while True:
                try:
                    async with contextlib.aclosing(self._changes()) as changes:
                        async for _ in changes:
                            await self._look()
                except Exception as error:  # noqa: BLE001 - of many kinds: what inotify refuses, a name that is no text
                    self._say_of_folder(error)
                with contextlib.suppress(OSError):
                    await self._look()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            await _end([look.task for look in self._looks.values()])

    async def _changes(self) -> AsyncGenerator[None, None]:
        """Yield when the watch stands, so that nothing is missed between it and the first look; then per change."""
        watch = awatch(
            self._folder,
            watch_filter=self._matters,
            step=QUIET_MILLISECONDS,
            debounce=LONGEST_WAIT_MILLISECONDS,
            ignore_permission_denied=True,
        )
        waiting = asyncio.ensure_future(anext(watch, None))
        try:
            await asyncio.sleep(0)  # its first step sets up the watch
            if not waiting.done():
                yield
            while await waiting is not None:
                yield
                waiting = asyncio.ensure_future(anext(watch, None))
        finally:
            await _end([waiting])
            await watch.aclose()

    def _matters(self, _change: Change, path: str) -> bool:
        return self._scan.matters(path)

    async def _look(self) -> None:
        """Bring the catalogue up to what the folder now holds. Describing goes on beside: one slow file stops no other.

        Raises:
            OSError: the folder is not there. Its flows stay listed: it may be a disk that comes back.
        """
        known = self._catalogue.files(self._folder)
        snapshot = await asyncio.to_thread(self._scan.scan, known.keys())
        self._said.pop(self._folder, None)
        interpreter = await self._chosen_interpreter()
        for file in (known.keys() | self._looks.keys()) - snapshot.flow_files.keys():
            await self._give_up(file)
            await _finish(self._catalogue.remove_file, self._folder, file)
        for flow_file in snapshot.flow_files.values():
            await self._describe_if_stale(flow_file, known.get(flow_file.file), interpreter, snapshot.changed)

    async def _chosen_interpreter(self) -> str:
        """Ask for the folder's Python, again only when its environment has changed: asking starts that Python."""
        state = _environment_state(self._folder)
        if self._interpreter is None or self._interpreter[0] != state:
            self._interpreter = (state, await interpreter_of(self._folder))
        return self._interpreter[1]

    async def _describe_if_stale(
        self, flow_file: FlowFile, known: FileState | None, interpreter: str, something_changed: bool
    ) -> None:
        file, mark = flow_file.file, _mark(flow_file)
        look = self._looks.get(file)
        if look is not None and not look.task.done() and (look.mark, look.interpreter) == (mark, interpreter):
            return
        await self._give_up(file)
        fresh = known is not None and (known.sha256, known.interpreter) == (mark, interpreter)
        # What is broken may be broken by another file, which may be fixed now.
        if known is None or not fresh or (known.status != OK and something_changed):
            task = asyncio.create_task(self._describe(file, mark, interpreter))
            self._looks[file] = _Look(mark, interpreter, task)

    async def _describe(self, file: str, mark: str, interpreter: str) -> None:
        description = await self._describer.describe(self._folder, file, interpreter)
        status = OK if description.flows is not None else BROKEN
        if description.flows is None and description.problem is not None:
            self._say(file, f"{self._folder}/{file} cannot be imported: {_one_line(description.problem)}")
        else:
            self._said.pop(file, None)
        while True:
            try:
                await _finish(
                    *(self._catalogue.put_file, self._folder, file, mark, interpreter, status),
                    *(description.problem, description.flows),
                )
            except (StoreError, DatabaseError) as error:
                self._say("store", f"What {self._folder} holds cannot be recorded just now: {error}")
                await asyncio.sleep(STORE_PAUSE_SECONDS)
            else:
                return

    async def _give_up(self, file: str) -> None:
        look = self._looks.pop(file, None)
        if look is not None:
            await _end([look.task])

    def _say_of_folder(self, error: BaseException) -> None:
        while isinstance(error, BaseExceptionGroup):  # watchfiles runs its watch in a task group of its own
            error = error.exceptions[0]
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self._say(
            self._folder, f"{self._folder} cannot be watched: {reason}. It is looked at every {RETRY_SECONDS:g} s."
        )

    def _say(self, subject: str, text: str) -> None:
        if self._said.get(subject) != text:
            self._said[subject] = text
            say(text)


def _mark(flow_file: FlowFile) -> str:
    """Return what a description is cached by: the content, and the flowdeck that described it."""
    return hashlib.sha256(f"{__version__} {flow_file.sha256}".encode()).hexdigest()


def _environment_state(folder: str) -> list[int]:
    """Return when the program and the packages of a folder's environment last changed; empty without one."""
    environment = Path(folder, ".venv")
    places = [environment / "bin" / "python", *sorted(environment.glob("lib/python3*/site-packages"))]
    times: list[int] = []
    for place in places:
        with contextlib.suppress(OSError):
            times.append(place.lstat().st_mtime_ns)
    return times


def _one_line(problem: RunError) -> str:
    return f"{problem.type}: {problem.message}".split("\n", 1)[0]


async def _finish(write: Callable[..., None], *arguments: Any) -> None:
    """Write in a thread; a cancelled write is waited for, so that it cannot land after what is written next."""
    writing = asyncio.create_task(asyncio.to_thread(write, *arguments))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await writing
        raise


async def _end(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel tasks and wait until they are over."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
