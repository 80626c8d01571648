"""What a supervisor decides, without any process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowdeck.rules.states import StateType
from flowdeck.service.liveness import START_PATIENCE_SECONDS, StateAges, Verdict, judge
from flowdeck.store.runs.process_claims import LiveRun
from tests.support.hand_clock import HandClock

BARE = LiveRun(
    key=1, run_id="r", name="n", state_type=StateType.RUNNING, state_at=0, incarnation=1, pid=None, pid_token=None,
    host_pid=None, host_token=None, cancel_forced=False,
)  # fmt: skip
HOSTED = replace(BARE, host_pid=10, host_token="h", pid=11, pid_token="p")
SCRIPT = replace(BARE, pid=11, pid_token="p")
CLAIMED = replace(BARE, state_type=StateType.PENDING)
CANCELLING = StateType.CANCELLING


@pytest.mark.parametrize(
    ("run", "host_lives", "process_lives", "verdict"),
    [
        (HOSTED, True, True, Verdict.FINE),
        (HOSTED, True, False, Verdict.FINE),  # the host is about to say what became of it
        (HOSTED, False, True, Verdict.HOST_LOST),
        (HOSTED, False, False, Verdict.HOST_LOST),
        (replace(HOSTED, state_type=CANCELLING), True, True, Verdict.TELL_HOST),
        (replace(HOSTED, state_type=CANCELLING), False, False, Verdict.HOST_LOST),
        (SCRIPT, False, True, Verdict.FINE),
        (SCRIPT, False, False, Verdict.PROCESS_LOST),
        (replace(SCRIPT, state_type=StateType.SCHEDULED), False, False, Verdict.PROCESS_LOST),
        (replace(SCRIPT, state_type=CANCELLING), False, False, Verdict.PROCESS_LOST),
    ],
)
def test_verdict_by_processes(run: LiveRun, host_lives: bool, process_lives: bool, verdict: Verdict) -> None:
    """Who lives decides: the host answers for its flow process, a script for itself."""
    assert judge(run, host_lives=host_lives, process_lives=process_lives, is_starting=False, age_seconds=0) is verdict


@pytest.mark.parametrize(("seconds", "verdict"), [(1.9, Verdict.FINE), (2.0, Verdict.CANCEL_SCRIPT)])
def test_script_has_a_moment_to_cancel_itself(seconds: float, verdict: Verdict) -> None:
    """A script sees its cancel at its next task call; only after a moment it is signalled, when forced at once."""
    run = replace(SCRIPT, state_type=CANCELLING)
    assert judge(run, host_lives=False, process_lives=True, is_starting=False, age_seconds=seconds) is verdict
    forced = replace(run, cancel_forced=True)
    assert (
        judge(forced, host_lives=False, process_lives=True, is_starting=False, age_seconds=0) is Verdict.CANCEL_SCRIPT
    )


@pytest.mark.parametrize(
    ("run", "seconds", "is_starting", "verdict"),
    [
        (CLAIMED, START_PATIENCE_SECONDS - 0.1, False, Verdict.FINE),
        (CLAIMED, START_PATIENCE_SECONDS, False, Verdict.NEVER_STARTED),
        (CLAIMED, START_PATIENCE_SECONDS, True, Verdict.FINE),
        (replace(CLAIMED, state_type=CANCELLING), START_PATIENCE_SECONDS, False, Verdict.NEVER_STARTED),
        (replace(CLAIMED, state_type=StateType.PAUSED), 1e6, False, Verdict.FINE),
    ],
)
def test_claim_without_a_process(run: LiveRun, seconds: float, is_starting: bool, verdict: Verdict) -> None:
    """A claimed run has some seconds to get a process, more while its host is coming up; a paused one needs none."""
    assert judge(run, host_lives=False, process_lives=False, is_starting=is_starting, age_seconds=seconds) is verdict


def claimed_at(clock: HandClock) -> LiveRun:
    return replace(CLAIMED, state_at=clock.now_microseconds())


@pytest.mark.parametrize("jump_seconds", [8 * 3600.0, -8 * 3600.0], ids=["sleep", "clock set back"])
def test_sleep_and_set_clocks_make_nothing_old(jump_seconds: float) -> None:
    """A claim is as old as the time that the machine has worked on it."""
    clock = HandClock()
    ages = StateAges(clock)
    assert ages.of([]) == {}
    run = claimed_at(clock)
    assert ages.of([run]) == {1: 0.0}
    clock.work(1.0)
    clock.wall_seconds += jump_seconds
    assert ages.of([run]) == {1: 1.0}
    clock.work(START_PATIENCE_SECONDS)
    assert ages.of([run]) == {1: 1.0 + START_PATIENCE_SECONDS}


def test_first_look_believes_what_is_recorded() -> None:
    """A claim that an engine left which is gone is not waited for once more; one of the future is not old."""
    clock = HandClock()
    run = claimed_at(clock)
    clock.work(60.0)
    assert StateAges(clock).of([run]) == {1: 60.0}
    clock.wall_seconds -= 3600.0
    assert StateAges(clock).of([run]) == {1: 0.0}


def test_new_state_or_incarnation_begins_anew() -> None:
    """What was known of a run before it was given back says nothing of it now."""
    clock = HandClock()
    ages = StateAges(clock)
    run = claimed_at(clock)
    ages.of([run])
    clock.work(60.0)
    assert ages.of([replace(run, incarnation=2)]) == {1: 0.0}
    clock.work(1.0)
    assert ages.of([replace(run, incarnation=2, state_type=CANCELLING)]) == {1: 0.0}
    assert ages.of([]) == {}
    clock.work(1.0)
    assert ages.of([replace(run, incarnation=2, state_type=CANCELLING)]) == {1: 0.0}
