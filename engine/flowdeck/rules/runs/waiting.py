"""Why a run that is not moving does not move, in words, and what would move it. Pure: it is told what there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from flowdeck.rules.states import AWAITING_RETRY, StateType

DISK_FULL: Final = "the disk of the home is full"
START_AN_ENGINE: Final = "open the TUI or `flowdeck server start`"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around a run when it is looked at.

    Attributes:
        now: the time, aware.
        engine_running: an engine serves the home.
        process_alive: the process that is recorded for the run is there; None when none is recorded, or unknown.
        run_limit: number of runs that the engine starts at once; None when unknown.
        runs_started: number of runs that it has started and that are not over.
        engine_starting: an engine is being started just now.
        remedy: advice on how to get an engine, for the place where it is read.
        engine_stalled: why the engine does nothing although it runs, and what to do; None when it works.
        disk_full: there is no room on the disk of the home to record what happens.
    """

    now: datetime
    engine_running: bool
    process_alive: bool | None = None
    run_limit: int | None = None
    runs_started: int = 0
    engine_starting: bool = False
    remedy: str = START_AN_ENGINE
    engine_stalled: str | None = None
    disk_full: bool = False


def waiting_reason(
    state_type: StateType,
    state_name: str,
    scheduled_at: datetime | None,
    around: Surroundings,
    zone: tzinfo | None = None,
) -> str | None:
    """Say why a run does not move; None when it does, or is over.

    Args:
        state_type: type of the run's state.
        state_name: name of the run's state.
        scheduled_at: time at which it shall start; None for no such time.
        around: circumstances of the run.
        zone: time zone of the reader; None for that of the machine.
    """
    if state_type is StateType.SCHEDULED:
        return _scheduled(state_name, scheduled_at, around, zone)
    if state_type is StateType.PAUSED:
        return "it is paused"
    if state_type not in (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING):
        return None
    if around.process_alive is False:
        return _gone(around)
    if state_type is StateType.PENDING:
        if around.process_alive is None and around.engine_stalled is not None:
            return around.engine_stalled
        return "its process is being started"
    return "its process has been asked to stop" if state_type is StateType.CANCELLING else None


def _scheduled(state_name: str, scheduled_at: datetime | None, around: Surroundings, zone: tzinfo | None) -> str:
    if state_name == AWAITING_RETRY:
        # It waits inside of its own process, which needs no engine to go on.
        return _gone(around) if around.process_alive is False else "waits for its next attempt"
    if scheduled_at is not None and scheduled_at > around.now:
        when = f"starts at {_moment(scheduled_at, around.now, zone)}"
        if around.engine_stalled is not None:
            return f"{when}, if the engine works then; {around.engine_stalled}"
        return when if around.engine_running else f"{when}, if an engine runs then: {around.remedy}"
    if around.disk_full:
        return DISK_FULL
    if not around.engine_running:
        starting = "the engine is being started"
        return starting if around.engine_starting else f"no engine runs for this home: {around.remedy}"
    if around.engine_stalled is not None:
        return around.engine_stalled
    if around.run_limit is not None and around.runs_started >= around.run_limit:
        return f"the engine runs its limit of {around.run_limit} runs"
    return "the engine is about to start it"


def _gone(around: Surroundings) -> str:
    if around.disk_full:
        return f"{DISK_FULL}; its process is gone, which cannot be noted before there is room"
    if around.engine_stalled is not None:
        return f"its process is gone, and {around.engine_stalled}"
    if around.engine_running:
        return "its process is gone; the engine is about to note that"
    return f"its process is gone, and no engine runs to note that: {around.remedy}"


def _moment(moment: datetime, now: datetime, zone: tzinfo | None) -> str:
    local, today = moment.astimezone(zone), now.astimezone(zone)
    return local.strftime("%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M:%S")
