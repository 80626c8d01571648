"""The supervisor: finds runs whose processes are gone, carries out cancels, gives back what never started.

It looks when it starts (so it adopts what an earlier engine left), every few seconds, and when a run is being
cancelled. What it does about a run is decided in `liveness`.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from flowdeck.host import process_tree
from flowdeck.host.cancellation import Cancellation
from flowdeck.host.crash_recording import end_run
from flowdeck.host.orphaned_hooks import run_hooks
from flowdeck.host.process_tree import Member
from flowdeck.rules.clock import SYSTEM_CLOCK, Clock
from flowdeck.rules.exceptions import StoreError
from flowdeck.rules.states import StateType, named
from flowdeck.service.engine_log import say
from flowdeck.service.liveness import StateAges, Verdict, judge
from flowdeck.store import processes
from flowdeck.store.database.database import Database
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck.store.runs import orphaned_hooks, process_claims
from flowdeck.store.runs.process_claims import LiveRun

LOOK_SECONDS: Final = 2.0
CANCEL_LOOK_SECONDS: Final = 0.1
"""While a script run is being cancelled."""

HOST_GONE: Final = "Its run host is gone, and its process with it."
PROCESS_GONE: Final = "Its process is gone: it was killed, or ended without a word."
NEVER_STARTED: Final = "Its run host never started."
RESTARTED: Final = "The machine was restarted while it ran."


@dataclass(slots=True)
class ScriptCancel:
    """A script run that is being cancelled."""

    script: Member
    run_id: str
    cancellation: Cancellation = field(default_factory=Cancellation)
    members: set[Member] = field(default_factory=set[Member])
    """Its process and all that was seen of its tree."""


class Supervisor:
    """Watches over the runs of a home. `look` runs in a thread: it may wait for the store and for kills."""

    def __init__(
        self, database: Database, is_starting: Callable[[int, int], bool], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Watch a home.

        Args:
            database: database of the home.
            is_starting: tells whether a run host for (key, incarnation) is just coming up.
            clock: the clock that tells the time.
        """
        self._database = database
        self._is_starting = is_starting
        self._clock = clock
        self._ages = StateAges(clock)
        self._told_hosts: set[tuple[int, int, bool]] = set()
        self._script_cancels: dict[tuple[int, int], ScriptCancel] = {}
        self._changed = asyncio.Event()
        self._cancelling = False
        self._actions: dict[Verdict, Callable[[LiveRun], None]] = {
            Verdict.TELL_HOST: self._tell_host,
            Verdict.CANCEL_SCRIPT: self._cancel_script,
            Verdict.HOST_LOST: self._close_hosted,
            Verdict.PROCESS_LOST: self._close_script,
            Verdict.NEVER_STARTED: self._give_back,
        }

    def wake(self) -> None:
        """Say that runs changed: if one is being cancelled, it is looked at now."""
        cancelling = process_claims.cancel_wanted(self._database.reader())
        if cancelling or self._cancelling:
            self._changed.set()
        self._cancelling = cancelling

    def look_now(self) -> None:
        """Say that a process of ours has ended."""
        self._changed.set()

    async def serve(self) -> None:
        """Look again and again, for ever."""
        while True:
            self._changed.clear()
            scripts_wait = await asyncio.to_thread(self.look)
            try:
                async with asyncio.timeout(CANCEL_LOOK_SECONDS if scripts_wait else LOOK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def look(self) -> bool:
        """Look at every run that is not over, and do what is to be done.

        Returns:
            True while a script run is being cancelled, so that the next look should come soon.
        """
        reader = self._database.reader()
        runs = process_claims.live_runs(reader)
        ages = self._ages.of(runs)
        for run in runs:
            if run.state_type is StateType.CANCELLING and run.host_pid is None and run.pid is not None:
                self._note_cancelling(run)
            verdict = self._judge(run, ages[run.key])
            if verdict in self._actions:
                self._actions[verdict](run)
        for run in process_claims.stray_subflows(reader):
            if not processes.is_alive(run.pid, run.pid_token):
                self._close_stray(run)
        live = {(run.key, run.incarnation) for run in runs}
        self._told_hosts = {told for told in self._told_hosts if told[:2] in live}
        self._end_leftovers(live)
        scripts_wait = any(run.state_type is StateType.CANCELLING and run.host_pid is None for run in runs)
        return scripts_wait or bool(self._script_cancels)

    def _judge(self, run: LiveRun, age_seconds: float) -> Verdict:
        return judge(
            run,
            host_lives=processes.is_alive(run.host_pid, run.host_token),
            process_lives=processes.is_alive(run.pid, run.pid_token),
            is_starting=self._is_starting(run.key, run.incarnation),
            age_seconds=age_seconds,
        )

    # -- what is done --------------------------------------------------------------------------------------------

    def _tell_host(self, run: LiveRun) -> None:
        """Wake the host, which looks at the row. Once: it looks by itself too."""
        told = (run.key, run.incarnation, run.cancel_forced)
        if told not in self._told_hosts and run.host_pid is not None and run.host_token is not None:
            self._told_hosts.add(told)
            process_tree.send(Member(run.host_pid, run.host_token), signal.SIGTERM)

    def _close_hosted(self, run: LiveRun) -> None:
        """Close a run whose host is gone. Nobody reads what its processes write any more: they are killed."""
        killed, survivors = process_tree.kill_all(lambda: self._members(run), _nothing)
        if killed:
            say(f"Run {run.run_id} had lost its host; {killed} of its processes were killed.")
        if survivors:
            say(f"Processes of run {run.run_id} could not be ended: {process_tree.names(survivors)}.")
        self._close(run, RESTARTED if processes.is_of_another_boot(run.host_token) else HOST_GONE)

    def _close_script(self, run: LiveRun) -> None:
        """Close a run whose script is gone, or shall go now; of one that was being cancelled nothing is left."""
        cancel = self._script_cancels.pop((run.key, run.incarnation), None)
        if cancel is not None:
            process_tree.kill_all(lambda: self._left_of(cancel), _nothing)
        self._close(run, RESTARTED if processes.is_of_another_boot(run.pid_token) else PROCESS_GONE)

    def _note_cancelling(self, run: LiveRun) -> None:
        """Remember a script that is being cancelled and what belongs to it: that ends with it, however it ends."""
        script = Member(run.pid or 0, run.pid_token or "")
        cancel = self._script_cancels.setdefault((run.key, run.incarnation), ScriptCancel(script, run.run_id))
        cancel.members |= set(self._members(run))

    def _cancel_script(self, run: LiveRun) -> None:
        """Ask a script, and what it has started, to end; after the grace, end it. Never by its process group."""
        now = self._clock.monotonic_seconds()
        cancel = self._script_cancels[run.key, run.incarnation]
        if run.cancel_forced:
            cancel.cancellation.force(now)
        elif not cancel.cancellation.has_begun:
            cancel.cancellation.begin(now, self._database.settings.cancel_grace_seconds)
            for member in _alive(cancel.members):
                process_tree.send(member, signal.SIGTERM)
        if cancel.cancellation.is_due(now):
            self._close_script(run)

    def _end_leftovers(self, live: set[tuple[int, int]]) -> None:
        """Of scripts that have recorded their cancel by themselves, end what they left behind."""
        for claim, cancel in list(self._script_cancels.items()):
            if claim not in live and self._is_settled(cancel):
                del self._script_cancels[claim]

    def _is_settled(self, cancel: ScriptCancel) -> bool:
        """End what a script whose run is over left behind; tell whether there is nothing more to do."""
        now = self._clock.monotonic_seconds()
        if not cancel.cancellation.has_begun:
            cancel.cancellation.begin(now, self._database.settings.cancel_grace_seconds)
        if _alive({cancel.script}):
            return cancel.cancellation.is_due(now)  # one that goes on, such as a notebook, looks after its own children
        left = self._left_of(cancel)
        if cancel.cancellation.ask_leftovers(now):
            for member in left:
                process_tree.send(member, signal.SIGTERM)
        if left and not cancel.cancellation.is_due(now):
            return False
        process_tree.kill_all(lambda: self._left_of(cancel), _nothing)
        return True

    def _left_of(self, cancel: ScriptCancel) -> list[Member]:
        """Return what goes on of what was seen of a script's tree, and what carries its run's id."""
        protected = process_claims.protected_pids(self._database.reader())
        return list({*_alive(cancel.members), *process_tree.members(None, cancel.run_id, protected)})

    def _give_back(self, run: LiveRun) -> None:
        at = self._clock.now_microseconds()
        reason = f"{NEVER_STARTED} {self._database.home.engine_log} may say why."
        state = self._database.write(lambda connection: process_claims.give_back(connection, run, at, reason))
        if state is not None:
            say(f"Run {run.run_id} was claimed but never started; it is {state.name} now.")

    def _close(self, run: LiveRun, reason: str) -> None:
        log = LogWriter(self._database.home.log_file(run.run_id), max_bytes=self._database.settings.log_max_bytes)
        try:
            state = end_run(self._database, run.run_id, run.holder, reason, {}, log)
        finally:
            log.close()
        if state is not None:
            say(f"Run {run.run_id} is {state.name}: {state.message}")
            self._run_lost_hooks(run.key)

    def _run_lost_hooks(self, key: int) -> None:
        """Run the hooks that a process did not live to run, beside everything else: they may take their time."""
        if not orphaned_hooks.any_due(self._database.reader(), key):
            return

        def run() -> None:
            try:
                run_hooks(self._database, key)
            except StoreError as error:
                say(f"Hooks could not be run: {error}")

        threading.Thread(target=run, name=f"hooks-{key}", daemon=True).start()

    def _close_stray(self, run: LiveRun) -> None:
        at = self._clock.now_microseconds()
        gone = RESTARTED if processes.is_of_another_boot(run.pid_token) else PROCESS_GONE
        state = named("Cancelled") if run.state_type is StateType.CANCELLING else named("Crashed", gone)
        self._database.write(lambda connection: process_claims.end_subflow(connection, run.key, state, at))
        self._run_lost_hooks(run.key)

    def _members(self, run: LiveRun) -> list[Member]:
        """Return a run's flow process, if it is still that one, and its tree."""
        protected = process_claims.protected_pids(self._database.reader())
        root: list[Member] = []
        if run.pid is not None and processes.is_alive(run.pid, run.pid_token):
            root = [Member(run.pid, run.pid_token or "")]
        return root + process_tree.members(run.pid if root else None, run.run_id, protected)


def _alive(members: set[Member]) -> list[Member]:
    return [member for member in members if processes.is_alive(member.pid, member.token)]


def _nothing() -> None:
    """The processes of a run are never children of the engine."""
