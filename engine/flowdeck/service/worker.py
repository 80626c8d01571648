"""The worker of the built-in pool: claims runs that are due and starts a run host for each."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Final

from flowdeck.host.process_tree import RUN_ID_VARIABLE
from flowdeck.rules.clock import MICROSECONDS_PER_SECOND, SYSTEM_CLOCK, Clock
from flowdeck.service.journal import say
from flowdeck.store import flow_runs, processes, supervision
from flowdeck.store.database import Database
from flowdeck.store.sqlite import Connection

PLACES_PER_CORE: Final = 2
LONGEST_SLEEP_SECONDS: Final = 60.0
"""A wall clock may be set, and a laptop may sleep: what is due is looked up this often whatever was reckoned."""

Claim = tuple[int, str, int]
"""Key, id and incarnation."""


def default_limit() -> int:
    """Return how many runs may be going at once."""
    return PLACES_PER_CORE * (os.cpu_count() or 1)


class Worker:
    """Claims and starts runs; the store's lock is waited for in a thread, never on the event loop."""

    def __init__(self, database: Database, limit: int | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        """Serve a home.

        Args:
            database: of the home.
            limit: how many runs may be going at once; None for the default.
            clock: tells the time.
        """
        self._database = database
        self._limit = default_limit() if limit is None else limit
        self._clock = clock
        self._hosts: dict[tuple[int, int], subprocess.Popen[bytes]] = {}
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Say that runs changed: one may be due, or a place may be free."""
        self._changed.set()

    async def serve(self) -> None:
        """Start what is due, for ever."""
        while True:
            self._changed.clear()
            while (seconds := self._seconds_to_next()) is not None and seconds <= 0:
                # Claim and start are one step of a thread: an engine that is stopped in between finishes it.
                if not await asyncio.to_thread(self._start_next):
                    break
            try:
                async with asyncio.timeout(self._seconds_to_next()):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def reap(self) -> None:
        """Take away run hosts of ours that have ended."""
        for claim, process in list(self._hosts.items()):
            code = process.poll()
            if code is None:
                continue
            del self._hosts[claim]
            if code != 0:
                say(f"The host of run {claim[0]} (pid {process.pid}) ended with code {code}.")

    def is_starting(self, key: int, incarnation: int) -> bool:
        """Tell whether a run host for this claim is alive as a child of this engine; from any thread."""
        process = self._hosts.get((key, incarnation))
        return process is not None and processes.token(process.pid) is not None

    def _start_next(self) -> bool:
        """Claim the run that has been due longest and start its host; False when there is none, or no place."""
        claim = self._database.write(self._claim)
        if claim is None:
            return False
        try:
            self._start_host(claim)
        except OSError as error:
            say(f"The host of run {claim[1]} could not be started: {error.strerror}.")
            return False
        return True

    def _claim(self, connection: Connection) -> Claim | None:
        if supervision.started_count(connection) >= self._limit:
            return None
        return flow_runs.claim(connection, self._clock.now_microseconds())

    def _seconds_to_next(self) -> float | None:
        """Return when the next run can start; None when only a change can make one possible."""
        connection = self._database.reader()
        due_at = flow_runs.next_due_at(connection)
        if due_at is None or supervision.started_count(connection) >= self._limit:
            return None
        seconds = (due_at - self._clock.now_microseconds()) / MICROSECONDS_PER_SECOND
        return min(max(seconds, 0.0), LONGEST_SLEEP_SECONDS)

    def _start_host(self, claim: Claim) -> None:
        """Start a run host that outlives this engine and its terminal."""
        key, run_id, incarnation = claim
        environment = {**os.environ, "FLOWDECK_HOME": str(self._database.home.path)}
        environment.pop(RUN_ID_VARIABLE, None)
        with open(self._database.home.engine_log, "ab", opener=_private) as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flowdeck.host.run_host", str(key), str(incarnation)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        self._hosts[key, incarnation] = process
        say(f"Run {run_id} started; its host has pid {process.pid}.")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
