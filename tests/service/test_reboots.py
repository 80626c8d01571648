"""A machine that was restarted, or that slept, in the middle of runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from flowdeck.deck import FlowRun
from flowdeck.rules.states import StateType
from flowdeck.service.liveness import START_PATIENCE_SECONDS
from flowdeck.service.supervisor import RESTARTED, Supervisor
from flowdeck.store import processes
from tests.support.hand_clock import HandClock
from tests.support.live_home import LiveHome, is_running

QUICK = """
    @flow
    def main(): pass
    """
WORKS = """
    @task
    def work():
        print("works", flush=True)
        while True: time.sleep(0.05)
    @flow
    def main(): work()
    main()
    """


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with flowdeck."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def of_earlier_boot(pid: int) -> str:
    """Return what would have been recorded of a process that had this pid before the machine was restarted."""
    token = processes.token(pid)
    assert token is not None
    return f"0d5c2e1a-{token}"


def supervisor(live: LiveHome, clock: HandClock) -> Supervisor:
    return Supervisor(live.database, lambda key, incarnation: False, clock)


def test_run_of_an_earlier_boot_is_crashed(live: LiveHome, stranger: subprocess.Popen[bytes]) -> None:
    """It says why, its calls are closed, and whoever has its pids now is left alone."""
    script = live.start_script(WORKS)
    (run,) = live.until(lambda: [found for found in live.all_runs() if found.task_counts.running])
    script.send_signal(signal.SIGKILL)
    script.wait()
    token = of_earlier_boot(stranger.pid)
    live.set_columns(run, host_pid=stranger.pid, host_token=token, pid=stranger.pid, pid_token=token)
    live.start_engine()
    crashed = live.until_over(run)
    assert (crashed.state_type, crashed.state_message) == (StateType.CRASHED, RESTARTED)
    assert (crashed.task_counts.total, crashed.task_counts.running) == (1, 0)
    assert crashed.exit_code is None
    assert live.log(run)[-1].message == f"Crashed: {RESTARTED}"
    assert is_running(stranger.pid)


def test_script_of_an_earlier_boot_is_crashed(live: LiveHome, stranger: subprocess.Popen[bytes]) -> None:
    """The same for a run that had no host; one that was being cancelled is Cancelled."""
    for state_type, name in ((StateType.RUNNING, "Crashed"), (StateType.CANCELLING, "Cancelled")):
        run = live.create(QUICK)
        live.set_columns(
            run, state_type=state_type.value, state_name=state_type.value.title(), pid=stranger.pid,
            pid_token=of_earlier_boot(stranger.pid),
        )  # fmt: skip
        supervisor(live, HandClock()).look()
        over = live.now(run)
        assert over.state_name == name
        assert (over.state_message == RESTARTED) == (name == "Crashed")
    assert is_running(stranger.pid)


def test_runs_that_waited_through_a_reboot_are_started(live: LiveHome) -> None:
    """One that was claimed and had no process yet is claimed again; one that came due meanwhile starts."""
    claimed, due = live.create(QUICK), live.create(QUICK)
    live.claim(seconds_ago=3600)
    live.start_engine()
    for run in (claimed, due):
        assert live.until_over(run).state_name == "Completed"


@pytest.fixture
def claimed(live: LiveHome) -> FlowRun:
    run = live.create(QUICK)
    live.claim()
    return run


@pytest.mark.parametrize("jump_seconds", [9 * 3600.0, -9 * 3600.0], ids=["sleep", "clock set back"])
def test_claim_is_not_given_up_for_a_jump_of_the_clock(live: LiveHome, claimed: FlowRun, jump_seconds: float) -> None:
    """A laptop that sleeps between a claim and the start of its host has not waited; the time awake counts."""
    clock = HandClock()
    clock.wall_seconds = claimed.created_at.timestamp()
    watching = supervisor(live, clock)
    watching.look()
    clock.wall_seconds += jump_seconds
    watching.look()
    assert live.now(claimed).state_name == "Pending"
    clock.work(START_PATIENCE_SECONDS + 0.1)
    watching.look()
    assert live.now(claimed).state_name == "Scheduled"


def test_script_has_its_moment_to_cancel_itself_after_a_sleep(live: LiveHome) -> None:
    """A cancel that the lid was closed on is no reason to signal at once."""
    script = live.start_script(WORKS)
    (run,) = live.until(lambda: [found for found in live.all_runs() if found.task_counts.running])
    os.kill(script.pid, signal.SIGSTOP)
    clock = HandClock()
    clock.wall_seconds = run.created_at.timestamp()
    watching = supervisor(live, clock)
    watching.look()
    live.deck.flow_runs.cancel(run.id)
    watching.look()
    clock.wall_seconds += 9 * 3600.0
    watching.look()
    pending = int(_status(script.pid, "ShdPnd"), 16)
    assert not pending & 1 << (signal.SIGTERM - 1)
    clock.work(2.1)
    watching.look()
    pending = int(_status(script.pid, "ShdPnd"), 16)
    assert pending & 1 << (signal.SIGTERM - 1)


def _status(pid: int, field: str) -> str:
    with open(f"/proc/{pid}/status", encoding="utf-8") as lines:
        return next(line.split()[1] for line in lines if line.startswith(f"{field}:"))
