"""Kills at the worst moment: what was acknowledged is recorded."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from flowdeck.deck import Deck, RunQuery
from flowdeck.rules.states import StateType
from flowdeck.store.database.database import Database
from tests.support.scripts import Scripts


@pytest.mark.parametrize("asynchronous", [False, True])
def test_recorded_call_survives_a_kill_right_after_it(
    scripts: Scripts, deck: Deck, log_of: Callable[..., list[str]], asynchronous: bool
) -> None:
    """A call that returned to its flow is recorded, and so are its lines, whatever is killed next."""
    prefix, wait = ("async ", "await ") if asynchronous else ("", "")
    ended = scripts.run(f"""
        @task
        {prefix}def step(number):
            get_run_logger().info("line of %d", number)
            return number
        @task
        {prefix}def die():
            get_run_logger().warning("last words")
            os.kill(os.getpid(), signal.SIGKILL)
        @flow
        {prefix}def main():
            for number in range(20):
                {wait}step(number)
            {wait}die()
        {"import asyncio; asyncio.run(main())" if asynchronous else "main()"}
    """)
    assert ended.code == -signal.SIGKILL
    run = deck.flow_runs.select()[0]
    calls = deck.task_runs.of_flow_run(run.key)
    assert [(call.name, call.state_name) for call in calls[:-1]] == [(f"step-{n}", "Completed") for n in range(20)]
    assert [call.result_preview for call in calls[:-1]] == [str(number) for number in range(20)]
    assert (calls[-1].name, calls[-1].state_name) == ("die-0", "Running")
    assert run.state_type is StateType.RUNNING  # whoever finds its process gone closes it
    assert log_of("logger") == [*[f"line of {number}" for number in range(20)], "last words"]


def test_submitted_calls_survive_a_kill(scripts: Scripts, deck: Deck) -> None:
    """Every result that the flow has seen is recorded, whichever thread committed it."""
    ended = scripts.run("""
        @task
        def step(number):
            return number
        @flow
        def main():
            for future in step.map(range(50)):
                print(future.result(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        main()
    """)
    assert ended.code == -signal.SIGKILL
    seen = {int(line) for line in ended.out.split()}
    calls = deck.task_runs.of_flow_run(deck.flow_runs.select()[0].key)
    assert seen == set(range(50))
    assert {call.index for call in calls if call.state_name == "Completed"} == seen


def test_kill_at_any_moment_leaves_a_sound_store(scripts: Scripts, deck: Deck, database: Database) -> None:
    """What was printed after a call is recorded; the database is whole."""
    script = scripts.start("""
        @task
        def step(number):
            return number
        @flow
        def main():
            number = 0
            while True:
                step(number)
                os.write(1, b"%d\\n" % number)
                number += 1
        main()
    """)
    for _ in range(200):
        script.line()
    script.process.kill()
    rest = script.end().out.split()
    acknowledged = int(rest[-1]) if rest else 199
    calls = deck.task_runs.of_flow_run(deck.flow_runs.select()[0].key)
    done = [call.index for call in calls if call.state_name == "Completed"]
    assert done == list(range(len(done)))
    assert len(done) > acknowledged
    assert database.reader().execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_scripts_at_once(scripts: Scripts, deck: Deck) -> None:
    """They share one home, and none of them loses or waits for long."""
    body = """
        @task
        def step(number):
            return number
        @flow
        def main():
            for number in range(100):
                step(number)
            return sum(step.map(range(100)).result())
        assert main() == 4950
    """
    started = [scripts.start(body, name=f"script_{number}.py") for number in range(3)]
    assert [(script.end().code) for script in started] == [0, 0, 0]
    for run in deck.flow_runs.select():
        assert (run.state_name, run.task_counts.completed) == ("Completed", 200)
        assert sorted(call.index for call in deck.task_runs.of_flow_run(run.key)) == list(range(200))


def test_suspended_script_hinders_nobody(scripts: Scripts, deck: Deck) -> None:
    """Ctrl-Z in the author's code: no lock is held there."""
    script = scripts.start("""
        @task
        def long():
            print("waiting", flush=True)
            time.sleep(60)
        @flow
        def main():
            long()
        main()
    """)
    assert script.line() == "waiting"
    os.kill(script.pid, signal.SIGSTOP)
    ended = scripts.run("@flow\ndef other(): ...\nother()", name="other.py")
    os.kill(script.pid, signal.SIGKILL)
    assert ended.code == 0, ended.err
    assert {run.flow_name for run in deck.flow_runs.select(RunQuery())} == {"main", "other"}
