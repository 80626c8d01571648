"""Warm spares: pairs of run host and flow process that wait for a run, so that it starts in milliseconds.

An engine keeps some of its own Python, and of each other that runs have used lately. A new one is started when the run
that took the last one has got going, one at a time. A spare that waits costs no processor; it leaves when its engine
does, however that ends: its stdin is a pipe from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import IO, Final

from flowdeck.host.spare_host import claim_line
from flowdeck.rules.clock import SYSTEM_CLOCK, Clock
from flowdeck.rules.runs.spares import SpareKey, variables_that_forbid
from flowdeck.rules.versions import __version__
from flowdeck.service.engine_log import say
from flowdeck.service.host_starts import host_environment, start_host
from flowdeck.store import engines
from flowdeck.store.database.database import Database
from flowdeck.store.runs.launch_context import LaunchContext

REFILL_DELAY_SECONDS: Final = 0.5
"""After a run was started, and after the engine was: what is new gets going first."""
REFILL_LATEST_SECONDS: Final = 2.0
"""So long at most is a missing spare put off while one run after the other is started."""
IN_USE_SECONDS: Final = 300.0
"""How long after its last run another Python than the engine's own keeps spares."""
OTHER_PYTHONS_MAX: Final = 2
WARM_PATIENCE_SECONDS: Final = 30.0
"""How long a spare may take to be ready."""
FAILURE_PAUSE_SECONDS: Final = 2.0
"""After a spare that never got ready; four times as long after each further one, up to `FAILURE_PAUSE_MAX_SECONDS`."""
FAILURE_PAUSE_MAX_SECONDS: Final = 300.0


@dataclass(eq=False, slots=True)
class Spare:
    """A run host that waits, with its flow process below it."""

    key: SpareKey
    process: subprocess.Popen[bytes]
    ready_by: float
    """Monotonic seconds."""
    is_ready: bool = False

    def hand_over(self, key: int, incarnation: int) -> bool:
        """Give it a claimed run; False when it is gone."""
        try:
            os.write(_pipe(self.process.stdin).fileno(), claim_line(key, incarnation))
        except OSError:
            return False
        finally:
            self.let_go()
        return True

    def let_go(self) -> None:
        """Close our ends: unless it was given a run it leaves."""
        for pipe in (self.process.stdin, self.process.stdout):
            _pipe(pipe).close()


@dataclass(slots=True)
class Shelf:
    """The spares of one key."""

    used_at: float
    spares: list[Spare] = field(default_factory=list[Spare])
    failures: int = 0
    """Of spares that never got ready, in a row."""
    retry_at: float = 0.0


class SpareKeeper:
    """Keeps spares ready. Belongs to the event loop, except what says that it is for any thread."""

    def __init__(self, database: Database, count: int, clock: Clock = SYSTEM_CLOCK) -> None:
        """Have none yet; `serve` starts them.

        Args:
            database: database of the home.
            count: number of spares to keep ready for each Python in use.
            clock: the clock that tells the time.
        """
        self._database = database
        self._count = count
        self._clock = clock
        self._own = SpareKey(sys.executable, __version__)
        self._environment = host_environment(database.home)
        now = clock.monotonic_seconds()
        self._shelves = {self._own: Shelf(now)} if count else {}
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._refill_at = now + REFILL_DELAY_SECONDS
        self._missing_since = now
        self._noted_ready = 0
        self._is_closed = False
        self._lock = threading.Lock()
        """Guards the shelves and the times of refilling."""
        self._note_lock = threading.Lock()
        self._changed = asyncio.Event()

    # -- giving out ----------------------------------------------------------------------------------------------

    def take(self, key: int, incarnation: int, request: LaunchContext | None) -> subprocess.Popen[bytes] | None:
        """Hand a claimed run to a spare that suits it, and return its run host; None when there is none.

        For any thread. That the host took the run is told by the run's row, or else by its exit code, which is not 0.
        """
        interpreter = self._own.interpreter if request is None else request.interpreter or self._own.interpreter
        spare_key = SpareKey(interpreter, __version__)
        wanted = self._environment if request is None or request.environment is None else request.environment
        if not self._note_use(spare_key) or variables_that_forbid(self._environment, wanted):
            return None
        while (spare := self._pop_ready(spare_key)) is not None:
            if spare.hand_over(key, incarnation):
                return spare.process
            with self._lock:
                self._leaving.append(spare.process)
        return None

    def note_ready_count(self) -> None:
        """Bring to the engine's row how many are ready; from any thread, it may wait for the store."""
        with self._note_lock:
            with self._lock:
                ready = sum(spare.is_ready for shelf in self._shelves.values() for spare in shelf.spares)
            if ready != self._noted_ready:
                engines.note_spares(self._database, ready)
                self._noted_ready = ready

    def wake(self) -> None:
        """Say, from the event loop, that a spare may have been taken."""
        self._changed.set()

    def _note_use(self, key: SpareKey) -> bool:
        """Note that a run of this key starts now; False when no spares are kept."""
        with self._lock:
            if self._is_closed or not self._count:
                return False
            now = self._clock.monotonic_seconds()
            self._shelves.setdefault(key, Shelf(now)).used_at = now
            if self._refill_at <= now:
                self._missing_since = now
            self._refill_at = min(now, self._missing_since + REFILL_LATEST_SECONDS) + REFILL_DELAY_SECONDS
            return True

    def _pop_ready(self, key: SpareKey) -> Spare | None:
        with self._lock:
            shelf = self._shelves.get(key)
            spare = None if shelf is None else next((spare for spare in shelf.spares if spare.is_ready), None)
            if shelf is not None and spare is not None:
                shelf.spares.remove(spare)
            return spare

    # -- keeping -------------------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Keep spares ready, for ever."""
        while True:
            self._changed.clear()
            self._end_unneeded()
            await asyncio.to_thread(self.note_ready_count)
            key = self._key_to_refill()
            if key is not None:
                await self._start(key)
            try:
                async with asyncio.timeout(self._seconds_to_next()):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def reap(self) -> None:
        """Take away spares that have ended, and see to new ones."""
        with self._lock:
            self._leaving = [process for process in self._leaving if process.poll() is None]
            waiting = [spare for shelf in self._shelves.values() for spare in shelf.spares]
            gone = [spare for spare in waiting if spare.process.poll() is not None]
            for spare in gone:
                self._shelves[spare.key].spares.remove(spare)
                if spare.is_ready:
                    self._refill_at = max(self._refill_at, self._clock.monotonic_seconds() + REFILL_DELAY_SECONDS)
                else:
                    self._note_failure(spare.key, f"exit code {spare.process.returncode}")
        for spare in gone:
            self._stop_listening(spare)
            spare.let_go()
            self._changed.set()

    def close(self) -> None:
        """Let every spare leave; from now on none is handed to a run or started."""
        with self._lock:
            self._is_closed = True
            spares = [spare for shelf in self._shelves.values() for spare in shelf.spares]
            self._shelves.clear()
        for spare in spares:
            self._stop_listening(spare)
            spare.let_go()

    def _note_failure(self, key: SpareKey, reason: str) -> None:
        """Leave a Python alone for a while of which a spare did not get ready."""
        shelf = self._shelves[key]
        if shelf.failures == 0:
            say(f"A spare of {key.interpreter} did not get ready ({reason}); runs start without.")
        pause_seconds = min(FAILURE_PAUSE_MAX_SECONDS, FAILURE_PAUSE_SECONDS * 4.0**shelf.failures)
        shelf.failures += 1
        shelf.retry_at = self._clock.monotonic_seconds() + pause_seconds

    def _end_unneeded(self) -> None:
        """Let go of Pythons that are not in use any more; end a spare that takes too long to get ready."""
        now = self._clock.monotonic_seconds()
        ended: list[Spare] = []
        with self._lock:
            others = sorted(self._shelves.keys() - {self._own}, key=lambda key: -self._shelves[key].used_at)
            for number, key in enumerate(others):
                if number >= OTHER_PYTHONS_MAX or now - self._shelves[key].used_at >= IN_USE_SECONDS:
                    ended.extend(self._shelves.pop(key).spares)
            for shelf in self._shelves.values():
                for spare in shelf.spares:
                    if not spare.is_ready and now >= spare.ready_by:
                        spare.process.kill()  # `reap` sees it go
        for spare in ended:
            self._stop_listening(spare)
            spare.let_go()
            self._leaving.append(spare.process)

    def _key_to_refill(self) -> SpareKey | None:
        """Return of what the next spare is to be started now; one at a time gets ready."""
        now = self._clock.monotonic_seconds()
        with self._lock:
            if now < self._refill_at or self._is_warming():
                return None
            return next((key for key in self._lacking() if now >= self._shelves[key].retry_at), None)

    def _seconds_to_next(self) -> float | None:
        """Return when there is something to do by itself; None when only an event can bring work."""
        with self._lock:
            waiting = [spare for shelf in self._shelves.values() for spare in shelf.spares]
            moments = [spare.ready_by for spare in waiting if not spare.is_ready]
            moments += [shelf.used_at + IN_USE_SECONDS for key, shelf in self._shelves.items() if key != self._own]
            if not self._is_warming():
                moments += [max(self._refill_at, self._shelves[key].retry_at) for key in self._lacking()]
        return max(0.0, min(moments) - self._clock.monotonic_seconds()) if moments else None

    def _is_warming(self) -> bool:
        return any(not spare.is_ready for shelf in self._shelves.values() for spare in shelf.spares)

    def _lacking(self) -> list[SpareKey]:
        return [key for key, shelf in self._shelves.items() if len(shelf.spares) < self._count]

    async def _start(self, key: SpareKey) -> None:
        home, module = self._database.home, "flowdeck.host.spare_host"
        try:
            process = await asyncio.to_thread(
                start_host, home, self._environment, module, key.interpreter, is_spare=True
            )
        except OSError as error:
            with self._lock:
                self._note_failure(key, error.strerror or str(error))
            return
        spare = Spare(key, process, self._clock.monotonic_seconds() + WARM_PATIENCE_SECONDS)
        with self._lock:
            if self._is_closed or key not in self._shelves:
                spare.let_go()
                self._leaving.append(process)
                return
            self._shelves[key].spares.append(spare)
        asyncio.get_running_loop().add_reader(_pipe(process.stdout).fileno(), self._listen, spare)

    def _listen(self, spare: Spare) -> None:
        """Take the one word that a spare says; at its end `reap` sees what became of it."""
        said = os.read(_pipe(spare.process.stdout).fileno(), 16)
        self._stop_listening(spare)
        if not said:
            self.reap()  # it may have been gone before it was on its shelf
            return
        with self._lock:
            spare.is_ready = True
            self._shelves[spare.key].failures = 0
        self._changed.set()

    def _stop_listening(self, spare: Spare) -> None:
        with contextlib.suppress(ValueError):  # closed
            asyncio.get_running_loop().remove_reader(_pipe(spare.process.stdout).fileno())


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
