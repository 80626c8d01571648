"""Runs whose processes are gone, claims that came to nothing, cancels of scripts."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from flowdeck.rules.clock import Clock
from flowdeck.rules.states import StateType, named
from flowdeck.service.liveness import START_PATIENCE_SECONDS
from flowdeck.service.supervisor import HOST_GONE, PROCESS_GONE, Supervisor
from flowdeck.store.runs import flow_runs, process_claims
from tests.support.live_home import LiveHome, is_running

QUICK = """
    @flow
    def main(): pass
    """
FOR_EVER = """
    @task
    def wait_for_ever():
        while True: time.sleep(0.05)

    @flow
    def main():
        script = "trap '' TERM; echo $$; while :; do sleep 0.05; done"
        child = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True)
        get_run_logger().info(child.stdout.readline().strip())
        wait_for_ever()
    """
SCRIPT_CALL = """
    main()
    """


class LaterClock(Clock):
    """Shows a time at which every claim is old."""

    def now_microseconds(self) -> int:
        return super().now_microseconds() + int(2 * START_PATIENCE_SECONDS * 1e6)


def supervisor(live: LiveHome) -> Supervisor:
    return Supervisor(live.database, lambda key, incarnation: False, LaterClock())


def test_claim_without_a_host_is_given_back_once(live: LiveHome) -> None:
    """An engine died between claim and start: the run is due again; the second time it is Crashed, with a reason."""
    run = live.create(QUICK)
    first = live.claim()
    supervisor(live).look()
    assert live.now(run).state_type is StateType.SCHEDULED
    assert live.claim() == first + 1
    supervisor(live).look()
    crashed = live.now(run)
    assert crashed.state_type is StateType.CRASHED
    assert str(live.database.home.engine_log) in (crashed.state_message or "")


def test_claim_is_counted_anew_in_each_attempt(live: LiveHome) -> None:
    """A retry is a new chance."""
    run = live.create(QUICK)
    for _ in range(2):
        live.claim()
        supervisor(live).look()
    live.deck.flow_runs.retry(run.id)
    live.claim()
    supervisor(live).look()
    assert live.now(run).state_type is StateType.SCHEDULED


def test_claimed_run_is_started_by_the_next_engine(live: LiveHome) -> None:
    """What an engine left behind when it was killed between claim and start runs all the same, once."""
    run = live.create(QUICK)
    live.claim(seconds_ago=START_PATIENCE_SECONDS)
    live.start_engine()
    assert live.until_over(run).state_type is StateType.COMPLETED
    names = [state.state_name for state in live.deck.flow_runs.states(run.key)]
    assert names == ["Scheduled", "Pending", "Scheduled", "Pending", "Running", "Completed"]


def test_cancelled_claim_without_a_host_becomes_cancelled(live: LiveHome) -> None:
    """A cancel does not hang because nobody ever started the run."""
    run = live.create(QUICK)
    live.claim()
    live.deck.flow_runs.cancel(run.id)
    supervisor(live).look()
    assert live.now(run).state_type is StateType.CANCELLED


def test_run_that_lost_its_host_is_crashed_and_its_processes_are_ended(live: LiveHome) -> None:
    """Nobody holds its output any more: the flow process and a grandchild in another session go, the row says why."""
    run = live.create("""
        @flow
        def main():
            sys.stdout.write(str(subprocess.Popen(["setsid", "sleep", "60"]).pid) + "\\n")
            while True: time.sleep(0.05)
        """)
    host = live.start_host(run)
    grandchild = int(live.until(lambda: live.messages(run, "stdout"))[0])
    pid = live.now(run).pid
    assert pid is not None
    host.kill()
    host.wait()
    live.start_engine()
    crashed = live.until_over(run)
    assert (crashed.state_type, crashed.state_message) == (StateType.CRASHED, HOST_GONE)
    assert not is_running(pid)
    assert not is_running(grandchild)
    assert live.log(run)[-1].message == f"Crashed: {HOST_GONE}"


def test_script_that_was_killed_is_crashed_with_all_below_it(live: LiveHome) -> None:
    """Its calls and subflows do not run for ever in the lists."""
    script = live.start_script("""
        @flow
        def below():
            sys.stdout.write("x")
            while True: time.sleep(0.05)

        @flow
        def main(): below()

        main()
        """)
    live.until(lambda: len(live.all_runs()) == 2)
    script.kill()
    script.wait()
    live.start_engine()
    for run in live.all_runs():
        crashed = live.until_over(run)
        assert (crashed.state_type, crashed.state_message) == (StateType.CRASHED, PROCESS_GONE)


def test_subflow_that_was_left_open_is_closed(live: LiveHome) -> None:
    """A run that is over with a subflow that is not, and whose process is gone, does not stay in the lists."""
    script = live.start_script("""
        @flow
        def below():
            while True: time.sleep(0.05)

        @flow
        def main(): below()

        main()
        """)
    below, root = live.until(lambda: len(runs := live.all_runs()) == 2 and runs)
    live.database.write(lambda connection: flow_runs.set_state(connection, root.key, named("Failed"), 0))
    supervisor(live).look()
    assert live.now(below).state_type is StateType.RUNNING
    script.kill()
    script.wait()
    supervisor(live).look()
    assert live.now(below).state_type is StateType.CRASHED
    assert live.now(root).state_type is StateType.FAILED


def test_script_run_that_waits_for_its_retry_is_crashed_when_its_process_is_gone(live: LiveHome) -> None:
    """A run between two attempts belongs to its process too; no engine starts it."""
    script = live.start_script("""
        @flow(retries=1, retry_delay_seconds=1000)
        def main(): raise ValueError("no")

        main()
        """)
    run = live.until(live.deck.flow_runs.select)[0]
    live.until_named(run, "AwaitingRetry")
    script.kill()
    script.wait()
    supervisor(live).look()
    assert live.now(run).state_type is StateType.CRASHED


def test_cancelled_script_is_ended_with_its_children_but_not_its_group(live: LiveHome) -> None:
    """A script that sits in a task is signalled by pid: what started it, in the same group, goes on."""
    live.flow(FOR_EVER + SCRIPT_CALL, file="script.py")
    shell = live.start(
        arguments=["sh", "-c", f"{sys.executable} {live.folder}/script.py; echo shell goes on >&2; sleep 60"]
    )
    run = live.until(live.deck.flow_runs.select)[0]
    child = int(live.until(lambda: live.messages(run, "logger"))[0])
    live.start_engine()
    live.deck.flow_runs.cancel(run.id)
    assert live.until_over(run).state_type is StateType.CANCELLED
    live.until(lambda: "shell goes on" in live.stderr())
    live.until(lambda: not is_running(child))
    assert shell.poll() is None


def test_deaf_script_is_killed_after_the_grace(live: LiveHome) -> None:
    """A script that ignores SIGTERM ends with SIGKILL, and is Cancelled."""
    script = live.start_script("""
        @flow
        def main():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True: time.sleep(0.05)

        main()
        """)
    run = live.until(live.deck.flow_runs.select)[0]
    live.start_engine()
    live.deck.flow_runs.cancel(run.id)
    cancelled = live.until_over(run)
    assert (cancelled.state_name, cancelled.state_message) == ("Cancelled", "Cancelled on request.")
    assert script.wait(30) == -signal.SIGKILL


def test_script_that_goes_on_after_its_cancel_keeps_its_children(live: LiveHome) -> None:
    """A notebook, say, whose run saw the cancel at its next task call: nothing of it is signalled."""
    script = live.start_script("""
        @task
        def step(): time.sleep(0.3)

        @flow
        def main():
            get_run_logger().info(str(subprocess.Popen(["sleep", "60"]).pid))
            while True: step()

        try:
            main()
        except BaseException: pass
        while True: time.sleep(0.05)
        """)
    run = live.until(live.deck.flow_runs.select)[0]
    child = int(live.until(lambda: live.messages(run, "logger"))[0])
    keeper = Supervisor(live.database, lambda key, incarnation: False)
    live.deck.flow_runs.cancel(run.id)
    live.until(lambda: not keeper.look())
    assert live.now(run).state_type is StateType.CANCELLED
    assert is_running(child)
    assert script.poll() is None


@pytest.mark.parametrize("force", [False, True])
def test_engine_passes_a_cancel_on_to_the_host(live: LiveHome, force: bool) -> None:
    """With an engine at hand, a cancel of a supervised run works as without one."""
    run = live.create("""
        @flow
        def main():
            sys.stdout.write("begun\\n")
            while True: time.sleep(0.05)
        """)
    live.start_engine()
    live.until_said(run, "begun")
    live.deck.flow_runs.cancel(run.id, force=force)
    assert live.until_over(run).state_type is StateType.CANCELLED


def test_retried_run_is_not_closed_by_what_was_known_of_its_last_attempt(live: LiveHome) -> None:
    """A supervisor that looked before the retry speaks of processes that the run does not have any more."""
    run = live.create("""
        @flow
        def main(): os._exit(3)
        """)
    live.start_host(run).wait(30)
    pid, host_pid = live.now(run).pid, live.now(run).host_pid
    live.deck.flow_runs.retry(run.id)
    holder = process_claims.Holder(run.key, 1, host_pid, pid)
    ended = live.database.write(lambda connection: process_claims.end(connection, holder, 0, "gone"))
    assert ended is None
    assert live.now(run).state_type is StateType.SCHEDULED
    assert os.getpid() != pid
