"""`crash_retries`: a run whose process died is started again, with what it had recorded."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from flowdeck.rules.states import StateType
from flowdeck.service.supervisor import Supervisor
from tests.support.live_home import LiveHome

FALLS = """
    @task
    def note(word):
        with open(os.environ["NOTES"], "a") as notes: notes.write(word + "\\n")

    def tell(flow, run, state):
        get_run_logger().info("told: crashed at attempt %s", run.run_count)

    @flow(crash_retries=2, on_crashed=tell)
    def main():
        note("first")
        attempts = len(open(os.environ["NOTES"]).read().split("second"))
        note("second")
        if os.environ.get("FALLS", "9") >= str(attempts): os.kill(os.getpid(), signal.SIGKILL)
        return attempts
    """


@pytest.fixture
def notes(live: LiveHome) -> list[str]:
    """Environment of a run that writes down what it does."""
    path = live.folder / "notes.txt"
    path.touch()
    return [str(path)]


def test_run_that_crashed_is_scheduled_again(live: LiveHome, notes: list[str]) -> None:
    """By its host, which reports the crash: next attempt, same environment, and a message that counts the starts."""
    run = live.create(FALLS, environment={"NOTES": notes[0]})
    live.start_host(run).wait(30)
    again = live.now(run)
    assert (again.state_type, again.state_name, again.attempt) == (StateType.SCHEDULED, "Scheduled", 2)
    assert again.state_message is not None
    assert again.state_message.endswith("Start 2 of 3.")
    assert "SIGKILL" in again.state_message
    names = [state.state_name for state in live.deck.flow_runs.states(run.key)]
    assert names == ["Scheduled", "Pending", "Running", "Crashed", "Scheduled"]
    kept = live.database.reader().execute("SELECT environment FROM flow_run").fetchone()[0]
    assert json.loads(kept)["NOTES"] == notes[0]
    assert live.messages(run, "logger") == []


def test_crash_retries_are_used_up(live: LiveHome, notes: list[str]) -> None:
    """Then it stays Crashed, and only then its hooks are told; recorded calls did not run again."""
    run = live.create(FALLS, environment={"NOTES": notes[0]})
    for _ in range(3):
        live.start_host(run).wait(30)
    crashed = live.now(run)
    assert (crashed.state_type, crashed.attempt) == (StateType.CRASHED, 3)
    assert live.messages(run, "logger") == ["told: crashed at attempt 3"]
    with open(notes[0]) as written:
        assert written.read().split() == ["first", "second"]


def test_retry_by_a_user_counts_crashes_anew(live: LiveHome, notes: list[str]) -> None:
    """What was asked for has its starts again."""
    run = live.create(FALLS, environment={"NOTES": notes[0]})
    for _ in range(3):
        live.start_host(run).wait(30)
    live.deck.flow_runs.retry(run.id)
    live.set_columns(run, environment=json.dumps({**live.environment, "NOTES": notes[0]}))
    live.start_host(run).wait(30)
    again = live.now(run)
    assert (again.state_name, again.attempt) == ("Scheduled", 5)
    assert again.state_message is not None
    assert again.state_message.endswith("Start 2 of 3.")


def test_engine_starts_it_again_to_its_end(live: LiveHome, notes: list[str]) -> None:
    """With nobody asking."""
    run = live.create(FALLS, environment={"NOTES": notes[0], "FALLS": "0"})
    live.set_columns(run, crash_retries=1)
    live.start_engine()
    done = live.until_over(run)
    assert (done.state_type, done.attempt) == (StateType.COMPLETED, 1)
    falling = live.create(
        """
        @flow(crash_retries=1)
        def main():
            mark = os.environ["NOTES"] + ".fell"
            if not os.path.exists(mark):
                open(mark, "w").close()
                os._exit(7)
        """,
        environment={"NOTES": notes[0]},
    )
    done = live.until_over(falling)
    assert (done.state_type, done.attempt) == (StateType.COMPLETED, 2)


def test_cancelled_run_is_not_started_again(live: LiveHome) -> None:
    """Also when it had to be killed."""
    run = live.create("""
        @flow(crash_retries=5)
        def main():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            get_run_logger().info("deaf")
            while True: time.sleep(0.05)
        """)
    host = live.start_host(run)
    live.until_said(run, "deaf")
    live.deck.flow_runs.cancel(run.id, force=True)
    host.wait(30)
    assert live.now(run).state_type is StateType.CANCELLED


def test_script_that_died_is_started_under_the_engine(live: LiveHome) -> None:
    """It has a file to start from; what it had recorded is replayed."""
    script = live.start_script("""
        @task
        def step(): return os.getpid()

        @flow(crash_retries=1)
        def main():
            first = step()
            get_run_logger().info("begun by %s, step by %s", os.getpid(), first)
            if os.getpid() == first: time.sleep(600)

        if __name__ == "__main__":
            main()
        """)
    (run,) = live.until(live.all_runs)
    live.until_said(run, "begun by")
    os.kill(script.pid, signal.SIGKILL)
    script.wait(30)
    live.start_engine()
    done = live.until_over(run)
    assert (done.state_type, done.attempt) == (StateType.COMPLETED, 2)
    assert live.messages(run, "logger")[1].endswith(f"step by {script.pid}")


def test_script_without_a_file_stays_crashed(live: LiveHome) -> None:
    """There is nothing to start."""
    code = "from flowdeck import flow; import time\nmain = flow(crash_retries=3)(lambda: time.sleep(600))\nmain()"
    script = live.start(arguments=[sys.executable, "-c", code])
    (run,) = live.until(live.all_runs)
    os.kill(script.pid, signal.SIGKILL)
    script.wait(30)
    Supervisor(live.database, lambda key, incarnation: False).look()
    assert live.now(run).state_type is StateType.CRASHED
