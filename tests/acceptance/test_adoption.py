"""What an engine makes of runs whose engine, whose host, or both are gone; and of a machine that was restarted."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from flowdeck.rules.states import StateType
from tests.support.live_home import LiveHome, is_running

WAITS = """
    @flow
    def main():
        sys.stdout.write(f"begun as {os.getpid()}\\n")
        while not os.path.exists("go"): time.sleep(0.02)
        sys.stdout.write("went on\\n")
    """


@pytest.mark.parametrize("engine_dies_too", [False, True])
def test_run_without_its_host_is_crashed_and_its_neighbour_goes_on(live: LiveHome, engine_dies_too: bool) -> None:
    """It says what is known, no process of it is left, and it can be retried; the run beside it never notices."""
    engine = live.start_engine()
    run, neighbour = live.create(WAITS), live.create(WAITS)
    for each in (run, neighbour):
        live.until_said(each, "begun as")
    host_pid, pid = live.now(run).host_pid, live.now(run).pid
    assert host_pid is not None
    assert pid is not None
    if engine_dies_too:
        engine.kill()
        engine.wait()
    os.kill(host_pid, signal.SIGKILL)
    if engine_dies_too:
        live.start_engine()
    crashed = live.until_over(run)
    assert crashed.state_type is StateType.CRASHED
    assert "run host" in (crashed.state_message or "")
    assert not is_running(pid)
    (live.folder / "go").touch()
    assert live.until_ended(neighbour).state_type is StateType.COMPLETED
    assert len(live.messages(neighbour, "stdout")) == 2
    live.deck.flow_runs.retry(run.id)
    assert live.until_over(run).state_type is StateType.COMPLETED
    assert [live.now(run).attempt, live.now(neighbour).attempt] == [2, 1]


def test_runs_of_before_a_restart_of_the_machine_are_crashed(live: LiveHome) -> None:
    """Their pids may be others' by now, who are left alone; a claim starts again, and a script's run is closed too."""
    stranger = live.start(arguments=[sys.executable, "-c", "import time; time.sleep(600)"])
    hosted, of_script, claimed = (live.create(WAITS) for _ in range(3))
    (live.folder / "go").touch()
    old = "another boot/0/1"
    for _ in (hosted, of_script, claimed):
        live.claim(seconds_ago=120)
    live.set_columns(hosted, host_pid=stranger.pid, host_token=old, pid=stranger.pid, pid_token=old)
    live.set_columns(of_script, pid=stranger.pid, pid_token=old)
    live.start_engine()
    assert live.until_over(hosted).state_type is StateType.CRASHED
    assert live.until_over(of_script).state_type is StateType.CRASHED
    assert live.until_over(claimed).state_type is StateType.COMPLETED
    assert stranger.poll() is None
