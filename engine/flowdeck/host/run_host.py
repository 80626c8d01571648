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
from typing import Final

from flowdeck.host import orphaned_hooks, process_tree
from flowdeck.host.cancellation import Cancellation
from flowdeck.host.crash_recording import describe_exit, describe_kill, end_run, exit_columns, signal_name
from flowdeck.host.host_signals import Signals
from flowdeck.host.output import OutputStream
from flowdeck.host.spare_order import TAKEN
from flowdeck.host.spawning import GO, Spare, environment_of, order_of, spawn
from flowdeck.rules import log_levels
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.rules.exceptions import FlowdeckError, RefusedError, StoreError
from flowdeck.rules.runs.resource_use import ResourceUse, resource_use_of
from flowdeck.rules.states import State, StateType, named
from flowdeck.store import processes
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import DatabaseError, data_version
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck.store.oom_kills import OomKills, OomVerdict, count_oom_kills, judge
from flowdeck.store.runs import flow_runs, process_claims
from flowdeck.store.runs.process_claims import Assignment, Holder

LOOK_SECONDS: Final = 0.25
LEFTOVER_LOOK_SECONDS: Final = 0.05
RECORD_TRIES: Final = 10
"""How often the end of a run is written when the store cannot be, with growing pauses: some minutes in all."""
KILLED_BELOW: Final = "While it ran, the system ended a process of its control group for lack of memory."
_ASKED_TO_END: Final = "Its run host was asked to end (SIGTERM)."


class RunHost:
    """One run in the hands of this process."""

    def __init__(self, database: Database, assignment: Assignment, log: LogWriter, signals: Signals) -> None:
        self._database = database
        self._assignment = assignment
        self._log = log
        self._signals = signals
        self._streams: dict[int, OutputStream] = {}
        self._pid: int | None = None
        self._spare_control: int | None = None
        """Where a spare says that it has taken its order; None for a flow process that was started for the run."""
        self._exit: int | None = None
        """Exit code (negative: a signal) of the flow process, once it is gone."""
        self._use: ResourceUse | None = None
        """Of the flow process and of those below it, as far as they are gone."""
        self._oom_kills = OomKills(None, None)
        """As counted when the flow process began."""
        self._ended = False
        self._cancellation: Cancellation | None = None
        self._seen_version = -1
        self._look_at = 0.0

    def start(self, spare: Spare | None = None) -> None:
        """Let a flow process begin, unless the run was cancelled meanwhile.

        Args:
            spare: a flow process that waits for work; without one, or when it does not suit the run, one is started.

        Raises:
            RefusedError: it cannot be started.
        """
        interpreter = self._assignment.interpreter or sys.executable
        environment = environment_of(self._assignment, self._database.home)
        if spare is not None and not spare.suits(interpreter, environment):
            spare.spawned.close()
            spare = None
        if spare is None:
            spawned, word = spawn(self._assignment, interpreter, environment), GO
        else:
            spawned, word = spare.spawned, order_of(self._assignment, environment).encode()
        self._pid = spawned.pid
        for descriptor, source in ((spawned.stdout, "stdout"), (spawned.stderr, "stderr")):
            self._streams[descriptor] = OutputStream(descriptor, source, self._log)
        if self._note_process(interpreter):
            self._oom_kills = count_oom_kills()
            self._say_word(spawned.control, word)
            if spare is not None:
                self._spare_control = spawned.control
                return
        os.close(spawned.control)

    def _note_process(self, interpreter: str) -> bool:
        """Note the flow process in the run's row, before any code of the user; False when it may not begin."""
        key, incarnation, pid = self._assignment.key, self._assignment.incarnation, self._pid
        token = None if pid is None else processes.token(pid)
        columns = {"pid": pid, "pid_token": token, "interpreter": interpreter}
        return self._database.write(
            lambda connection: process_claims.note_process(connection, key, incarnation, os.getpid(), columns)
        )

    def _say_word(self, control: int, word: bytes) -> None:
        view = memoryview(word)
        with contextlib.suppress(ConnectionError):  # it has ended already: that is seen by its exit
            while view:
                view = view[os.write(control, view) :]

    def _start_again(self) -> None:
        """Start a new flow process for a spare that ended before it took its order: nothing has begun yet."""
        try:
            self.start()
        except RefusedError as error:
            self.record_end(str(error))
            self._ended = True

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
                if pid == self._pid and not self._has_begun() and self._cancellation is None:
                    self._start_again()
                    continue
                use = resource_use_of(usage)
                self._use = use if self._use is None else self._use.plus(use)
                if pid == self._pid:
                    self._exit = os.waitstatus_to_exitcode(status)
                    self._seen_version, self._look_at = -1, 0.0  # whether it was cancelled decides what is left to do

    def _has_begun(self) -> bool:
        """Tell whether a flow process that is gone may have run code of the user: a spare says so just before."""
        control, self._spare_control = self._spare_control, None
        if control is None:
            return True
        try:
            return os.read(control, len(TAKEN)) == TAKEN
        except ConnectionError:  # it left the order unread
            return False
        finally:
            os.close(control)

    # -- cancel --------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """See whether somebody wants the run to end: by its row, or by a signal to this process."""
        asked = self._signals.take_end()
        if not asked and time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        standing = self._standing(asked)
        if standing is None:
            return
        if standing.state_type is StateType.CANCELLING:
            self._begin_cancel(forced=standing.cancel_forced)
        elif asked:
            if not standing.is_over:
                self._note_cancelling()
            self._begin_cancel(forced=False)
        elif standing.state_type is StateType.CANCELLED and self._exit is not None:
            self._begin_cancel(forced=False)  # it saw the cancel before we did; what it left behind is ours to end

    def _standing(self, asked: bool) -> process_claims.Standing | None:
        """Read the run's row if the store has changed; None when there is nothing new, or it is no longer our run."""
        key, incarnation = self._assignment.key, self._assignment.incarnation
        try:
            connection = self._database.reader()
            version = data_version(connection)
            if version == self._seen_version and not asked:
                return None
            self._seen_version = version
            return process_claims.standing(connection, key, incarnation, os.getpid())
        except DatabaseError:
            return None  # the next look may go better; what the run does is not at stake

    def _note_cancelling(self) -> None:
        """Record a cancel that came as a signal to this process: from the system's shutdown, or from a person."""
        state, at = named("Cancelling", _ASKED_TO_END), SYSTEM_CLOCK.now_microseconds()
        key, incarnation = self._assignment.key, self._assignment.incarnation
        with contextlib.suppress(StoreError):  # the end is recorded later, with more patience
            self._database.write(
                lambda connection: flow_runs.set_state(connection, key, state, at, incarnation=incarnation)
            )

    def _begin_cancel(self, *, forced: bool) -> None:
        if self._cancellation is None:
            self._cancellation = Cancellation()
            if not forced:
                self._cancellation.begin(time.monotonic(), self._database.settings.cancel_grace_seconds)
                self._signal_group(signal.SIGTERM)
        if forced:
            self._cancellation.force(time.monotonic())

    def _go_on_cancelling(self, cancellation: Cancellation) -> None:
        if cancellation.is_due(time.monotonic()):
            self._kill_everything(cancellation)
            return
        if self._exit is None:
            return
        left = self._members()
        if not left:
            self._finish()
        elif cancellation.ask_leftovers(time.monotonic()):
            for member in left:
                process_tree.send(member, signal.SIGTERM)

    def _kill_everything(self, cancellation: Cancellation) -> None:
        # Counted with the flow process, which is not among them: it may be the one that did not end.
        stubborn = 0 if self._exit is not None else 1
        self._signal_group(signal.SIGKILL)
        killed, survivors = process_tree.kill_all(self._members, self._reap)
        self._reap()
        killed = max(killed, stubborn)
        if survivors:
            self._say(f"These processes could not be ended: {process_tree.names(survivors)}.")
        elif killed:
            what = "1 process" if killed == 1 else f"{killed} processes"
            asked = "" if cancellation.is_forced else "did not end when asked and "
            self._say(f"{what} of the run {asked}had to be killed.")
        self._finish()

    def _members(self) -> list[process_tree.Member]:
        protected: set[int] = set()
        with contextlib.suppress(DatabaseError):
            protected = process_claims.protected_pids(self._database.reader())
        return process_tree.members(os.getpid(), self._assignment.run_id, protected)

    def _signal_group(self, number: int) -> None:
        """Signal the flow process and what shares its process group, which flowdeck made for it."""
        if self._pid is not None and self._exit is None:  # afterwards the number may stand for another group
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, number)

    # -- the end -------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Log what the pipes hold, then record the end. Who still holds a pipe is listened to afterwards."""
        for descriptor, stream in list(self._streams.items()):
            if stream.read():
                stream.flush()
            else:
                self._streams.pop(descriptor).close()
        state = self.record_end(self._reason())
        self._ended = True
        if self._exit is not None and self._database.settings.logging_level == "DEBUG":
            ended = f"exit code {self._exit}" if self._exit >= 0 else signal_name(-self._exit)
            self._say(f"Its process ended: {ended}; {self._use}.", log_levels.DEBUG)
        if state is not None and not state.is_cancelled() and (left := self._members()):
            self._say(f"Processes that the run started go on: {process_tree.names(left)}.")
        self._report_counts()
        self.run_lost_hooks()

    def run_lost_hooks(self) -> None:
        """Run the hooks that the flow process did not live to run."""
        with contextlib.suppress(StoreError):  # the run has its end, which is what counts
            orphaned_hooks.run_hooks(self._database, self._assignment.key, self._assignment.environment)

    def _report_counts(self) -> None:
        """Bring to the row what this process has logged as a warning."""
        key = self._assignment.key
        warnings, errors = self._log.take_counts()
        if warnings or errors:
            with contextlib.suppress(StoreError):
                self._database.write(lambda connection: flow_runs.add_log_counts(connection, key, warnings, errors))

    def _reason(self) -> str:
        """Say what the end of the flow process means if its flow was not over."""
        verdict = judge(self._oom_kills, count_oom_kills())
        if self._exit == -signal.SIGKILL:
            return describe_kill(verdict, self._use)
        if self._exit is not None and verdict is OomVerdict.CERTAIN:
            self._say(KILLED_BELOW)  # what the flow saw was a command of its own that died of SIGKILL
        return describe_exit(self._exit)

    def record_end(self, reason: str) -> State | None:
        """Record that the flow process is gone, or never was; keep trying while the store cannot be written."""
        holder = Holder(self._assignment.key, self._assignment.incarnation, os.getpid(), self._pid)
        columns = {**exit_columns(self._exit), **({} if self._use is None else self._use.columns())}
        for number in range(RECORD_TRIES):
            try:
                return end_run(
                    self._database, self._assignment.run_id, holder, reason, columns, self._log,
                    self._assignment.environment,
                )  # fmt: skip
            except (StoreError, DatabaseError) as error:
                if number == RECORD_TRIES - 1 or not self._database.home.database.exists():
                    raise
                with contextlib.suppress(OSError):  # what it goes to, engine.log, may be on the very disk that is full
                    sys.stderr.write(f"The end of run {self._assignment.run_id} waits to be recorded: {error}\n")
                time.sleep(min(30.0, 2.0**number))
        return None

    def _say(self, text: str, level_number: int = log_levels.WARNING) -> None:
        self._log.append(SYSTEM_CLOCK.now_microseconds(), level_number, "engine", None, None, text)


def host_run(key: int, incarnation: int, signals: Signals, spare: Spare | None = None) -> int:
    """Be the host of a claimed run until it is over; return the exit code."""
    database = Database()
    pid, token = os.getpid(), processes.token(os.getpid())
    assignment = database.write(
        lambda connection: process_claims.take_assignment(connection, key, incarnation, pid, token)
    )
    if assignment is None:
        return 0  # cancelled, given back or deleted before this process came up
    log = LogWriter(database.home.log_file(assignment.run_id), max_bytes=database.settings.log_max_bytes)
    host = RunHost(database, assignment, log, signals)
    try:
        host.start(spare)
    except RefusedError as error:
        host.record_end(str(error))
        host.run_lost_hooks()
        return 1
    host.serve()
    return 0


def main() -> int:
    """Be the host of the run that the command line names; return the exit code."""
    signals = Signals()
    process_tree.become_subreaper()
    return host_run(int(sys.argv[1]), int(sys.argv[2]), signals)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FlowdeckError as problem:
        sys.exit(str(problem))
