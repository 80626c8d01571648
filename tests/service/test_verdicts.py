"""What a supervisor decides, without any process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowdeck.rules.states import StateType
from flowdeck.service.verdicts import START_PATIENCE_SECONDS, Verdict, judge
from flowdeck.store.supervision import LiveRun

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
    assert judge(run, host_lives=host_lives, process_lives=process_lives, is_starting=False, now=0) is verdict


@pytest.mark.parametrize(("seconds", "verdict"), [(1.9, Verdict.FINE), (2.0, Verdict.CANCEL_SCRIPT)])
def test_script_has_a_moment_to_cancel_itself(seconds: float, verdict: Verdict) -> None:
    """A script sees its cancel at its next task call; only after a moment it is signalled, when forced at once."""
    run = replace(SCRIPT, state_type=CANCELLING)
    now = int(seconds * 1e6)
    assert judge(run, host_lives=False, process_lives=True, is_starting=False, now=now) is verdict
    forced = replace(run, cancel_forced=True)
    assert judge(forced, host_lives=False, process_lives=True, is_starting=False, now=0) is Verdict.CANCEL_SCRIPT


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
    now = int(seconds * 1e6)
    assert judge(run, host_lives=False, process_lives=False, is_starting=is_starting, now=now) is verdict
