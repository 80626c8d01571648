"""What is to be done about a run that is not over, judged by its row and by which of its processes live."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

from flowdeck.rules.clock import MICROSECONDS_PER_SECOND, Clock
from flowdeck.rules.states import StateType
from flowdeck.store.runs.process_claims import LiveRun

START_PATIENCE_SECONDS: Final = 5.0
"""How long a claimed run may have no process before it counts as never started."""
SCRIPT_PATIENCE_SECONDS: Final = 2.0
"""How long a script run has to see its cancel by itself, at its next task call, before it is signalled."""


class Verdict(Enum):
    """What a supervisor does about a run."""

    FINE = auto()
    TELL_HOST = auto()
    """Its host lives and shall cancel it."""
    CANCEL_SCRIPT = auto()
    """Its process lives, has no host, and did not see the cancel by itself."""
    HOST_LOST = auto()
    """Its host is gone: what is left of it is killed, and the run closed."""
    PROCESS_LOST = auto()
    """The process of a script is gone."""
    NEVER_STARTED = auto()
    """It was claimed, and no process ever came of it."""


class StateAges:
    """How long runs have been in their states, by a clock that a sleep of the machine or a set time does not move.

    Wall time is believed once, for the runs that are there at the first look: nothing else tells of the time before.
    """

    def __init__(self, clock: Clock) -> None:
        """Know of no run yet."""
        self._clock = clock
        self._since: dict[tuple[int, int, StateType], float] | None = None

    def of(self, runs: Iterable[LiveRun]) -> dict[int, float]:
        """Return the seconds of each of all runs that are not over, by its key."""
        now = self._clock.monotonic_seconds()
        known = self._since
        self._since = {}
        for run in runs:
            state = (run.key, run.incarnation, run.state_type)
            since = now - self._wall_age_seconds(run) if known is None else known.get(state, now)
            self._since[state] = since
        return {key: now - since for (key, _, _), since in self._since.items()}

    def _wall_age_seconds(self, run: LiveRun) -> float:
        return max(0.0, (self._clock.now_microseconds() - run.state_at) / MICROSECONDS_PER_SECOND)


def judge(run: LiveRun, *, host_lives: bool, process_lives: bool, is_starting: bool, age_seconds: float) -> Verdict:
    """Decide about one run. Pure.

    Args:
        run: its row.
        host_lives: its recorded host is that very process, and not a zombie.
        process_lives: the same of its flow process.
        is_starting: this engine has started a host for it, which is alive and may be about to say so.
        age_seconds: seconds since the run entered its state.
    """
    cancelling = run.state_type is StateType.CANCELLING
    if run.host_pid is not None:
        if not host_lives:
            return Verdict.HOST_LOST
        return Verdict.TELL_HOST if cancelling else Verdict.FINE
    if run.pid is not None:
        if not process_lives:
            return Verdict.PROCESS_LOST
        waited = age_seconds >= SCRIPT_PATIENCE_SECONDS or run.cancel_forced
        return Verdict.CANCEL_SCRIPT if cancelling and waited else Verdict.FINE
    if run.state_type is StateType.PAUSED or is_starting or age_seconds < START_PATIENCE_SECONDS:
        return Verdict.FINE
    return Verdict.NEVER_STARTED
