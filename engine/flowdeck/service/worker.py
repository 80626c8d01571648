"""The worker of the built-in pool: claims runs that are due and starts a run host for each."""

from __future__ import annotations

import asyncio
import subprocess
from collections import deque
from dataclasses import dataclass
from typing import Final

from flowdeck.rules.clock import MICROSECONDS_PER_SECOND, SYSTEM_CLOCK, Clock
from flowdeck.rules.runs.run_limits import default_limit
from flowdeck.service.engine_log import say
from flowdeck.service.host_starts import host_environment, start_host
from flowdeck.service.spares import SpareKeeper
from flowdeck.store import processes
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.runs import flow_runs, launch_context, process_claims

LONGEST_SLEEP_SECONDS: Final = 1.0
"""A wall clock may be set, and a laptop may sleep: what is due is looked up this often whatever was reckoned."""

HAND_OVER_PATIENCE_SECONDS: Final = 30.0
"""How long a spare may take to say in the run's row that it has it; as long as it may wait for the store."""

Claim = tuple[int, str, int]
"""Key, id and incarnation."""


@dataclass(frozen=True, slots=True)
class StartedHost:
    """A run host of this engine."""

    process: subprocess.Popen[bytes]
    run_id: str
    taken_by: float | None
    """Of a spare: when, in monotonic seconds, the run that was handed to it must be in its hands. None for others."""


class Worker:
    """Claims and starts runs; the store's lock is waited for in a thread, never on the event loop."""

    def __init__(
        self, database: Database, spares: SpareKeeper, limit: int | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Serve a home.

        Args:
            database: database of the home.
            spares: hosts that wait for a run.
            limit: number of runs that may be under way at once; None for the default.
            clock: the clock that tells the time.
        """
        self._database = database
        self._spares = spares
        self._limit = default_limit() if limit is None else limit
        self._clock = clock
        self._environment = host_environment(database.home)
        self._hosts: dict[tuple[int, int], StartedHost] = {}
        self._lost: deque[Claim] = deque()
        """Claims that were handed to a spare which ended badly."""
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Say that runs changed: one may be due, or a place may be free."""
        self._changed.set()

    async def serve(self) -> None:
        """Start what is due, for ever."""
        while True:
            self._changed.clear()
            while self._lost:
                await asyncio.to_thread(self._start_lost, self._lost.popleft())
            while (seconds := self._seconds_to_next()) is not None and seconds <= 0:
                # Claim and start are one step of a thread: an engine that is stopped in between finishes it.
                started = await asyncio.to_thread(self._start_next)
                self._spares.wake()
                self.reap()  # a spare may have been gone before it was known as the host of a run
                if not started:
                    break
            try:
                async with asyncio.timeout(self._seconds_to_next()):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def reap(self) -> None:
        """Take away run hosts of ours that have ended."""
        for (key, incarnation), host in list(self._hosts.items()):
            code = host.process.poll()
            if code is None:
                continue
            del self._hosts[key, incarnation]
            if code != 0:
                say(f"The host of run {host.run_id} (pid {host.process.pid}) ended with code {code}.")
                if host.taken_by is not None:
                    self._lost.append((key, host.run_id, incarnation))
                    self._changed.set()

    def is_starting(self, key: int, incarnation: int) -> bool:
        """Tell whether a run host for this claim is alive as a child of this engine; from any thread."""
        host = self._hosts.get((key, incarnation))
        if host is None or processes.token(host.process.pid) is None:
            return False
        return host.taken_by is None or self._clock.monotonic_seconds() < host.taken_by

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
        if process_claims.started_count(connection) >= self._limit:
            return None
        return flow_runs.claim(connection, self._clock.now_microseconds())

    def _seconds_to_next(self) -> float | None:
        """Return when the next run can start; None when only a change can make one possible."""
        connection = self._database.reader()
        due_at = flow_runs.next_due_at(connection)
        if due_at is None or process_claims.started_count(connection) >= self._limit:
            return None
        seconds = (due_at - self._clock.now_microseconds()) / MICROSECONDS_PER_SECOND
        return min(max(seconds, 0.0), LONGEST_SLEEP_SECONDS)

    def _start_host(self, claim: Claim) -> None:
        """Give a claimed run to a spare, or start a host for it."""
        key, run_id, incarnation = claim
        request = launch_context.of_run(self._database.reader(), key)
        spare = self._spares.take(key, incarnation, request)
        if spare is None:
            self._start_cold(claim)
        else:
            taken_by = self._clock.monotonic_seconds() + HAND_OVER_PATIENCE_SECONDS
            self._hosts[key, incarnation] = StartedHost(spare, run_id, taken_by)
            say(f"Run {run_id} started; its host has pid {spare.pid}.")
            self._spares.note_ready_count()

    def _start_cold(self, claim: Claim) -> None:
        key, run_id, incarnation = claim
        process = start_host(
            self._database.home, self._environment, "flowdeck.host.run_host", str(key), str(incarnation)
        )
        self._hosts[key, incarnation] = StartedHost(process, run_id, None)
        say(f"Run {run_id} started; its host has pid {process.pid}.")

    def _start_lost(self, claim: Claim) -> None:
        """Start a host for a run that was handed to a spare which has ended. If that had it, the new one leaves."""
        try:
            self._start_cold(claim)
        except OSError as error:
            say(f"The host of run {claim[1]} could not be started: {error.strerror}.")
