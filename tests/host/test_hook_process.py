"""Hooks of runs whose process is gone: a short-lived process calls them, once, and what it says is in the run's log."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from flowdeck.host import orphaned_hooks
from flowdeck.rules.states import StateType
from flowdeck.service.supervisor import Supervisor
from tests.support.live_home import LiveHome

TELLING = """
    def tell(flow, run, state):
        get_run_logger().error("told: %s of %s is %s (%s)", run.flow_name, run.parameters, state.name, state.message)
        print("start", run.run_count, run.start_time is not None, flow.name)
        sys.stdout.write("raw\\n")

    async def tell_later(flow, run, state):
        get_run_logger().info("told later")
"""


def told(live: LiveHome, reference: object) -> list[str]:
    """Return what hooks said in a run's log."""
    return [message for message in live.messages(reference, "logger") if message.startswith("told")]  # type: ignore[arg-type]


def test_on_crashed_when_the_process_is_gone(live: LiveHome) -> None:
    """With flow, run and state as recorded; logger, print and raw output reach the log; counted once."""
    run = live.create(
        TELLING
        + """
    @flow(on_crashed=[tell, tell_later], on_failure=tell, on_cancellation=tell, log_prints=True)
    def main():
        os.kill(os.getpid(), signal.SIGKILL)
    """
    )
    live.start_host(run).wait(30)
    crashed = live.now(run)
    assert crashed.state_type is StateType.CRASHED
    assert told(live, run) == [f"told: main of {{}} is Crashed ({crashed.state_message})", "told later"]
    assert live.messages(run, "print") == ["start 1 True main"]
    assert live.messages(run, "stdout") == ["raw"]
    assert crashed.error_count == 2  # the crash, and what the hook logged
    orphaned_hooks.run_hooks(live.database, run.key)
    assert len(told(live, run)) == 2


def test_on_cancellation_when_the_process_had_to_be_killed(live: LiveHome) -> None:
    """It did not end within the grace, so that its own hooks never ran."""
    run = live.create(
        TELLING
        + """
    @flow(on_crashed=tell, on_cancellation=tell)
    def main():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        get_run_logger().info("deaf")
        while True: time.sleep(0.05)
    """
    )
    host = live.start_host(run)
    live.until_said(run, "deaf")
    live.deck.flow_runs.cancel(run.id)
    host.wait(30)
    assert live.now(run).state_type is StateType.CANCELLED
    assert [line.partition(" (")[0] for line in told(live, run)] == ["told: main of {} is Cancelled"]


def test_on_cancellation_when_the_process_ends_by_itself(live: LiveHome) -> None:
    """Its hooks run in it, and nowhere else; the signal that ends it does not interrupt them."""
    run = live.create(
        TELLING
        + """
    def slowly(flow, run, state):
        for _ in range(10): time.sleep(0.03)
        get_run_logger().info("told by %s", os.getpid())

    @task
    def step(): pass

    @flow(on_cancellation=slowly)
    def main():
        get_run_logger().info("begun")
        while True:
            step()
            time.sleep(0.01)
    """
    )
    host = live.start_host(run)
    live.until_said(run, "begun")
    pid = live.now(run).pid
    live.deck.flow_runs.cancel(run.id)
    host.wait(30)
    assert live.now(run).state_type is StateType.CANCELLED
    assert told(live, run) == [f"told by {pid}"]


def test_nothing_is_started_for_a_flow_without_such_hooks(live: LiveHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor for one that came to its end by itself."""
    run = live.create("""
        @flow(on_failure=print)
        def main(): os.kill(os.getpid(), signal.SIGKILL)
        """)
    live.start_host(run).wait(30)
    done = live.create("""
        @flow(on_crashed=print, on_cancellation=print)
        def main(): pass
        """)
    live.start_host(done).wait(30)
    monkeypatch.setattr(orphaned_hooks, "_run", None)  # would be called
    for one in (run, done):
        orphaned_hooks.run_hooks(live.database, one.key)
    assert live.database.reader().execute("SELECT count(*) FROM flow_run WHERE hooks IS NOT NULL").fetchone() == (0,)


def test_hooks_of_subflows_are_called_too(live: LiveHome) -> None:
    """Of each run that went down with the process, in its own log."""
    run = live.create(
        TELLING
        + """
    @flow(on_crashed=tell)
    def below(): os.kill(os.getpid(), signal.SIGKILL)

    @flow(on_crashed=tell)
    def main(): below()
    """
    )
    live.start_host(run).wait(30)
    (below,) = live.deck.flow_runs.subflows(run.key)
    assert told(live, run)[0].startswith("told: main of {} is Crashed")
    assert told(live, below)[0].startswith("told: below of {} is Crashed")


def test_hook_that_fails_harms_nothing(live: LiveHome) -> None:
    """Neither the run's end nor the hooks behind it."""
    run = live.create(
        TELLING
        + """
    def break_it(*_): raise ValueError("no channel")

    @flow(on_crashed=[break_it, tell_later])
    def main(): os._exit(3)
    """
    )
    live.start_host(run).wait(30)
    assert live.now(run).exit_code == 3
    assert told(live, run) == ["told later"]
    live.until_said(run, "Hook 'break_it' (on_crashed) failed: ValueError: no channel")


def test_hooks_that_do_not_end_are_ended(live: LiveHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """With whatever they have started; the log says so."""
    run = live.create("""
        def wait_long(*_):
            time.sleep(600)

        @flow(on_crashed=wait_long)
        def main(): os._exit(3)
        """)
    monkeypatch.setattr(orphaned_hooks, "PATIENCE_SECONDS", 1.0)
    live.set_columns(run, hooks='["crashed"]', state_type="CRASHED", state_name="Crashed")
    orphaned_hooks.run_hooks(live.database, run.key)
    assert live.messages(run, "engine") == ["Its hooks (on_crashed) were ended: they took longer than 1 s."]


def test_file_that_is_gone_is_a_sentence(live: LiveHome) -> None:
    """In the run's log, as everything about its hooks."""
    run = live.create("""
        @flow
        def main(): pass
        """)
    live.set_columns(run, hooks='["crashed"]', state_type="CRASHED", state_name="Crashed")
    (Path(live.folder) / "flows.py").unlink()
    orphaned_hooks.run_hooks(live.database, run.key)
    assert any("There is no file" in line for line in live.messages(run, "stderr"))
    assert live.messages(run, "engine")[0].startswith("Its hooks (on_crashed) did not come to their end.")


def test_script_that_vanished_has_its_hooks_called_by_the_engine(live: LiveHome) -> None:
    """Once, although several look at the same time."""
    script = live.start_script(
        TELLING
        + """
    @flow(on_crashed=tell)
    def main():
        get_run_logger().info("begun")
        time.sleep(600)

    if __name__ == "__main__":
        main()
    """
    )
    (run,) = live.until(live.all_runs)
    live.until_said(run, "begun")
    os.kill(script.pid, signal.SIGKILL)
    script.wait(30)
    supervisor = Supervisor(live.database, lambda key, incarnation: False)
    supervisor.look()
    threads = [threading.Thread(target=orphaned_hooks.run_hooks, args=(live.database, run.key)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    live.until_said(run, "told: main")
    for thread in threading.enumerate():
        if thread.name.startswith("hooks-"):
            thread.join(30)
    assert len(told(live, run)) == 1
