"""The engine of a home: one process, one event loop, and what it does there side by side."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from flowdeck.rules.exceptions import FlowdeckError, NotFoundError, StoreError
from flowdeck.rules.versions import __version__
from flowdeck.service import engine_log
from flowdeck.service.discovery import Discovery
from flowdeck.service.engine_log import say
from flowdeck.service.eviction import Eviction
from flowdeck.service.idle_checkpoint import IdleCheckpoint
from flowdeck.service.lifetime import HomeWatch, Lifetime
from flowdeck.service.spares import SpareKeeper
from flowdeck.service.supervisor import Supervisor
from flowdeck.service.worker import Worker
from flowdeck.store import engines
from flowdeck.store.catalogue import Catalogue
from flowdeck.store.database.database import Database
from flowdeck.store.database.feed import ChangeFeed
from flowdeck.store.database.sqlite import DatabaseError
from flowdeck.store.engines import STAYS, EngineLock
from flowdeck.store.home import Home
from flowdeck.store.processes import RUN_ID_VARIABLE
from flowdeck.store.records import Changes
from flowdeck.store.runs import process_claims

POLL_SECONDS: Final = 0.25
"""How often changes are looked for when no bell rings."""
SETTLE_SECONDS: Final = 0.02
"""Bells that ring within this time are answered together."""
STORE_PAUSE_SECONDS: Final = 1.0
HOME_LOOK_SECONDS: Final = 0.5
"""How often it is looked at whether the home is still there, and how long the engine's log has become."""
LOCK_PATIENCE_SECONDS: Final = 5.0
"""How long to wait for an engine that is just leaving: its row is gone, its lock not yet."""
_LOCK_STEP_SECONDS: Final = 0.05


class Engine:
    """Serves a home until it is told to stop, or, started by a front end, until nobody needs it."""

    def __init__(self, database: Database, started_by: str) -> None:
        """Make it; `serve` runs it.

        Args:
            database: database of the home, whose engine lock is held.
            started_by: `tui`, `cli` or `server`.
        """
        self._database = database
        self._started_by = started_by
        self._eviction = Eviction(database)
        self._spares = SpareKeeper(database, database.settings.spares)
        self._worker = Worker(database, self._spares)
        self._supervisor = Supervisor(database, self._worker.is_starting)
        self._discovery = Discovery(database)
        self._stopping = asyncio.Event()
        self._home_is_gone = False

    async def serve(self) -> bool:
        """Serve until the end; False when that is because the home was taken away."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, f"Asked to stop ({number.name}); runs go on without an engine.")
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        # Not before: who finds the row may ask for the end.
        await asyncio.to_thread(engines.register, self._database, __version__, self._started_by)
        say(f"Engine {__version__} (pid {os.getpid()}) serves {self._database.home.path}.")
        jobs = [self._worker.serve, self._supervisor.serve, self._discovery.serve, self._spares.serve]
        jobs += [self._eviction.serve, self._follow_changes, self._watch_home, self._beat]
        if self._started_by != STAYS:
            jobs.append(self._watch_lifetime)
        stopping: asyncio.Task[Any] = asyncio.create_task(self._stopping.wait())
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(_lasting(job)) for job in jobs]
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, *tasks):
            task.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)
        self._spares.close()
        for task in done:
            if not self._home_is_gone:
                task.result()  # a job that ends by itself has a fault: let it be seen
        return not self._home_is_gone

    def _stop(self, reason: str) -> None:
        if not self._stopping.is_set():
            say(reason)
            self._stopping.set()

    def _reap(self) -> None:
        self._worker.reap()
        self._spares.reap()
        self._supervisor.look_now()

    async def _follow_changes(self) -> None:
        """Tell the others what changed: when the bell rings, and a few times a second in case a ring was lost."""
        with ChangeFeed(self._database) as feed:
            self._tell(Changes(resync=True))
            while True:
                await _ring(feed)
                changes = feed.poll()
                if changes is not None:
                    self._tell(changes)
                    # A moment for what follows at once: under a flood of commits not every one is looked at by itself.
                    await asyncio.sleep(SETTLE_SECONDS)

    def _tell(self, changes: Changes) -> None:
        if changes.flow_runs or changes.resync:
            self._worker.wake()
            self._supervisor.wake()
        if changes.engine or changes.resync:
            self._discovery.wake()

    async def _beat(self) -> None:
        """Give signs of life by which others see that this loop goes round."""
        while True:
            engines.beat(self._database.home)
            await asyncio.sleep(engines.BEAT_SECONDS)

    async def _watch_lifetime(self) -> None:
        lifetime = Lifetime(self._database)
        while True:
            await asyncio.sleep(lifetime.look_seconds)
            if lifetime.is_over() and await asyncio.to_thread(
                self._database.write, lambda connection: process_claims.retire_engine(connection, os.getpid())
            ):
                self._stop(f"Nobody has needed an engine for {lifetime.idle_seconds:g} s.")
                return

    async def _watch_home(self) -> None:
        home, watch = self._database.home, HomeWatch(self._database.home)
        checkpoints = IdleCheckpoint(self._database)
        while True:
            engine_log.cut(home.engine_log)
            await asyncio.sleep(HOME_LOOK_SECONDS)
            if missing := watch.missing():
                self._home_is_gone = True
                self._stop(_why_gone(home, missing))
                return
            await asyncio.to_thread(checkpoints.look)


def _why_gone(home: Home, missing: list[str]) -> str:
    if not home.path.exists() or home.engine_lock.name in missing:
        return f"The home {home.path} was removed or replaced under this engine, which ends."
    were = "was" if len(missing) == 1 else "were"
    names = " and ".join(missing)
    return f"{names} of the home {home.path} {were} removed, replaced or emptied under this engine, which ends."


async def _ring(feed: ChangeFeed) -> None:
    """Wait until the feed's bell rings, or for as long as a lost ring may cost."""
    bell = feed.fileno()
    if bell is None:
        await asyncio.sleep(POLL_SECONDS)
        return
    loop = asyncio.get_running_loop()
    rung = asyncio.Event()
    # Listened to only in here, so that bells that ring while the loop is busy elsewhere cost it nothing.
    loop.add_reader(bell, rung.set)
    try:
        async with asyncio.timeout(POLL_SECONDS):
            await rung.wait()
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(bell)
        feed.drain()


async def _lasting(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a job, again whenever the store could not be used for a while."""
    while True:
        try:
            await job()
        except (StoreError, DatabaseError) as error:
            say(f"The store cannot be used just now: {error}")
            await asyncio.sleep(STORE_PAUSE_SECONDS)
        else:
            return


def run_engine(started_by: str, folder: Path | None = None, *, patient: bool = False) -> int:
    """Be the engine of the home that the environment names; return the exit code once it has ended.

    Args:
        started_by: `tui` or `cli`: ends by itself when nobody needs it; `server`: stays.
        folder: folder to watch from now on.
        patient: whether to wait for the end of another engine that serves the home.

    Raises:
        FlowdeckError: the home or the folder cannot be used.
    """
    os.environ.pop(RUN_ID_VARIABLE, None)  # started by a flow, it does not belong to that flow's run
    database = Database()
    try:
        return _serve_home(database, started_by, folder, patient)
    finally:
        database.close()


def _serve_home(database: Database, started_by: str, folder: Path | None, patient: bool) -> int:
    lock = EngineLock(database.home)
    if not _acquire(lock, database):
        say(f"Another engine (pid {engines.status(database).pid}) serves {database.home.path} already.")
        if not patient:
            return 1 if started_by == STAYS else 0
        say("This one waits for its end.")
        if not lock.acquire(wait=True):
            say(f"The home {database.home.path} was removed meanwhile.")
            return 1
    try:
        if folder is not None:
            _watch(database, folder)
        if not _serve(database, started_by):
            return 1
        say("Ended.")
    finally:
        lock.release()
    return 0


def _serve(database: Database, started_by: str) -> bool:
    """Be the engine until its end; False when the home was taken away."""
    has_home = True
    try:
        has_home = asyncio.run(Engine(database, started_by).serve())
    finally:
        if has_home:
            engines.unregister(database)
    return has_home


def _acquire(lock: EngineLock, database: Database) -> bool:
    """Take the lock; wait a little for one that is just leaving."""
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while not lock.acquire():
        if engines.status(database).running or time.monotonic() > deadline:
            return False
        time.sleep(_LOCK_STEP_SECONDS)
    return True


def _watch(database: Database, folder: Path) -> None:
    path = folder.expanduser()
    if not path.is_dir():
        raise NotFoundError(f"There is no folder {path}.")
    Catalogue(database).watch_folder(os.path.realpath(path))


def main(started_by: str, folder: Path | None, *, patient: bool = False) -> int:
    """Run the engine as a process of its own; what prevents it is one sentence on stderr."""
    try:
        return run_engine(started_by, folder, patient=patient)
    except FlowdeckError as error:
        sys.stderr.write(f"{error}\n")
        return 3 if isinstance(error, NotFoundError) else 1
