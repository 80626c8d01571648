"""The run host: the small parent of a flow process, with no user code in it.

    python -P -m flowdeck.host.run_host KEY INCARNATION

It starts the flow process of a claimed run, holds its stdout and stderr and writes them to the run's log, carries out a
cancel, and records how the process ended. Engine and terminal may go meanwhile; it does not notice.

One thread and one loop; it sleeps in `poll` until a pipe, a signal or a deadline wants it. While the flow process lives
it looks at the run's row four times a second, so that a cancel works with no engine at hand.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from flowdeck.host import process_tree
from flowdeck.host.output import OutputStream
from flowdeck.host.run_end import RunEnd, describe_exit
from flowdeck.host.spawning import GO, Spawned, environment_of, interpreter_of, spawn
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.rules.exceptions import FlowdeckError, RefusedError
from flowdeck.rules.states import State, StateType, named
from flowdeck.store import flow_runs, processes, supervision
from flowdeck.store.database import Database
from flowdeck.store.log_writer import LogWriter
from flowdeck.store.supervision import Assignment, Holder

LOOK_SECONDS: Final = 0.25
LEFTOVER_GRACE_SECONDS: Final = 2.0
"""When a cancelled flow process is gone, how long what it left behind has to follow."""
LEFTOVER_LOOK_SECONDS: Final = 0.05
_WARNING: Final = 30
_ASKED_TO_END: Final = "Its run host was asked to end (SIGTERM)."


class Cancellation:
    """A cancel that is under way."""

    def __init__(self, grace_seconds: float, forced: bool) -> None:
        self.grace_seconds = 0.0 if forced else grace_seconds
        self.kill_at = time.monotonic() + self.grace_seconds
        self.leftovers_asked = False

    def force(self) -> None:
        """Wait no longer."""
        self.grace_seconds = 0.0
        self.kill_at = min(self.kill_at, time.monotonic())


class RunHost:
    """One run in the hands of this process."""

    def __init__(self, database: Database, assignment: Assignment, log: LogWriter, signals: Signals) -> None:
        self._database = database
        self._assignment = assignment
        self._log = log
        self._signals = signals
        self._streams: dict[int, OutputStream] = {}
        self._end = RunEnd(database, assignment, log)
        self._pid = 0
        self._exit: tuple[int, Any] | None = None
        """Exit code (negative: a signal) and resource use of the flow process, once it is gone."""
        self._ended = False
        self._cancellation: Cancellation | None = None
        self._seen_version = -1
        self._look_at = 0.0

    def start(self) -> None:
        """Start the flow process and let it begin, unless the run was cancelled meanwhile.

        Raises:
            RefusedError: it cannot be started.
        """
        interpreter = interpreter_of(self._assignment)
        spawned = spawn(self._assignment, interpreter, environment_of(self._assignment, self._database.home))
        self._pid = spawned.pid
        for descriptor, source in ((spawned.stdout, "stdout"), (spawned.stderr, "stderr")):
            self._streams[descriptor] = OutputStream(descriptor, source, self._log)
        columns = {"pid": spawned.pid, "pid_token": processes.token(spawned.pid), "interpreter": interpreter}
        key, incarnation = self._assignment.key, self._assignment.incarnation
        may_start = self._database.write(
            lambda connection: supervision.note_process(connection, key, incarnation, os.getpid(), columns)
        )
        self._release(spawned, may_start)

    def _release(self, spawned: Spawned, may_start: bool) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            if may_start:
                os.write(spawned.control, GO)
        os.close(spawned.control)

    def serve(self) -> None:
        """Go on until the run is over and nobody writes to its log any more."""
        while not self._ended or self._streams:
            self._wait()
            self._reap()
            for stream in self._streams.values():
                stream.flush_due()
            if self._ended:
                if self._signals.take_end():
                    return
                continue
            self._look()
            if self._cancellation is not None:
                self._go_on_cancelling(self._cancellation)
            elif self._exit is not None:
                self._finish()

    # -- waiting -------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        poll = select.poll()
        for descriptor in (self._signals.descriptor, *self._streams):
            poll.register(descriptor, select.POLLIN)
        seconds = self._seconds_to_wait()
        for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000):
            if descriptor == self._signals.descriptor:
                self._signals.drain()
            elif not self._streams[descriptor].read():
                self._streams.pop(descriptor).close()

    def _seconds_to_wait(self) -> float | None:
        """Return how long nothing needs to be done; None when only a pipe or a signal can bring work."""
        if self._exit is not None and self._cancellation is None and not self._ended:
            return 0.0
        moments = [stream.due_at for stream in self._streams.values() if stream.due_at is not None]
        if not self._ended:
            moments.append(self._look_at)
        if self._cancellation is not None and not self._ended:
            moments.append(self._cancellation.kill_at)
            if self._exit is not None:
                moments.append(time.monotonic() + LEFTOVER_LOOK_SECONDS)
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _reap(self) -> None:
        """Take away children that are gone: the flow process, and orphans of its tree."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._pid:
                    self._exit = (os.waitstatus_to_exitcode(status), usage)

    # -- cancel --------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """See whether somebody wants the run to end: by its row, or by a signal to this process."""
        asked = self._signals.take_end()
        if not asked and time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        connection = self._database.reader()
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if not asked and version == self._seen_version:
            return
        self._seen_version = version
        assignment = self._assignment
        standing = supervision.standing(connection, assignment.key, assignment.incarnation, os.getpid())
        if standing is None:
            self._begin_cancel(forced=True)  # deleted, or in other hands: nothing of ours may go on
        elif standing.state_type is StateType.CANCELLING:
            self._begin_cancel(forced=standing.cancel_forced)
        elif asked and not standing.is_over:
            self._note_cancelling()
            self._begin_cancel(forced=False)

    def _note_cancelling(self) -> None:
        """Record a cancel that came as a signal to this process: from the system's shutdown, or from a person."""
        state, at = named("Cancelling", _ASKED_TO_END), SYSTEM_CLOCK.now_microseconds()
        key, incarnation = self._assignment.key, self._assignment.incarnation
        self._database.write(
            lambda connection: flow_runs.set_state(connection, key, state, at, incarnation=incarnation)
        )

    def _begin_cancel(self, *, forced: bool) -> None:
        if self._cancellation is None:
            self._cancellation = Cancellation(self._database.settings.cancel_grace_seconds, forced)
            if not forced:
                self._signal_group(signal.SIGTERM)
        elif forced:
            self._cancellation.force()

    def _go_on_cancelling(self, cancellation: Cancellation) -> None:
        if time.monotonic() >= cancellation.kill_at:
            self._kill_everything(cancellation)
            return
        if self._exit is None:
            return
        left = self._members()
        if not left:
            self._finish()
        elif not cancellation.leftovers_asked:
            cancellation.leftovers_asked = True
            cancellation.kill_at = min(cancellation.kill_at, time.monotonic() + LEFTOVER_GRACE_SECONDS)
            for member in left:
                process_tree.send(member, signal.SIGTERM)

    def _kill_everything(self, cancellation: Cancellation) -> None:
        self._signal_group(signal.SIGKILL)
        killed, survivors = process_tree.kill_all(self._members, self._reap)
        self._reap()
        if survivors:
            self._say(f"These processes could not be ended: {process_tree.names(survivors)}.")
        elif killed:
            what = "1 process" if killed == 1 else f"{killed} processes"
            waited = f"did not end within {cancellation.grace_seconds:g} s and " if cancellation.grace_seconds else ""
            self._say(f"{what} of the run {waited}had to be killed.")
        self._finish()

    def _members(self) -> list[process_tree.Member]:
        protected = supervision.protected_pids(self._database.reader())
        return process_tree.members(os.getpid(), self._assignment.run_id, protected)

    def _signal_group(self, number: int) -> None:
        """Signal the flow process and what shares its process group, which flowdeck made for it."""
        if self._exit is None:  # else the number may stand for another group by now
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, number)

    # -- the end -------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Log what the pipes hold, then record the end. Who still holds a pipe is listened to afterwards."""
        for descriptor, stream in list(self._streams.items()):
            if not stream.read():
                self._streams.pop(descriptor).close()
        code = None if self._exit is None else self._exit[0]
        state = self._end.record(Holder(self._assignment.key, self._assignment.incarnation, os.getpid(), self._pid), code)
        self._ended = True
        if self._exit is not None:
            self._end.note_resources(*self._exit)
        if state is not None and state.is_crashed() and (left := self._members()):
            self._say(f"Processes that the run started go on: {process_tree.names(left)}.")

    def _say(self, text: str) -> None:
        self._log.append(SYSTEM_CLOCK.now_microseconds(), _WARNING, "engine", None, None, text)
