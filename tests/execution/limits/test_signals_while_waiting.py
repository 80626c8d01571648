"""SIGTERM and Ctrl-C while a flow waits for submitted calls: none of them keeps the script beyond the grace."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from flowdeck.deck import Deck, RunQuery
from tests.support.scripts import Scripts

GRACE_SECONDS = 1.0
GRACE = {"FLOWDECK_CANCEL_GRACE_SECONDS": str(GRACE_SECONDS)}
EXIT_CODES = {signal.SIGTERM: 143, signal.SIGINT: -signal.SIGINT}

TASKS = """
    import asyncio

    @task
    async def dozes(number=0):
        os.write(1, b"waiting\\n")
        await asyncio.sleep(600)

    @task(retries=3, retry_delay_seconds=600)
    async def pauses():
        os.write(1, b"waiting\\n")
        raise ValueError

    @task
    def loops(number=0):
        os.write(1, b"waiting\\n")
        while True:
            time.sleep(0.01)

    @task
    def in_c(number=0):
        os.write(1, b"waiting\\n")
        time.sleep(600)
"""
BODIES = {
    "async": "def main(): dozes.submit().result()",
    "async, waited for": "def main(): dozes.submit()",
    "pausing": "def main(): pauses.submit().wait()",
    "mapped": "def main(): return dozes.map(range(50)).result()",
    "returned": "def main(): return [dozes.submit(1), loops.submit(2)]",
    "thread": "def main(): loops.submit().result()",
    "mapped threads": "def main(): loops.map(range(50)).result()",
    "C": "def main(): in_c.submit().result()",
    "subflow": "def main(): below()",
    "async flow": "async def main(): await dozes.submit()",
    "async flow, threads": "async def main(): loops.submit()",
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_first_signal_ends_the_run(scripts: Scripts, deck: Deck, body: str, number: signal.Signals) -> None:
    """The run and all its calls are Cancelled, within the grace; the exit code is that of any program."""
    call = "asyncio.run(main())" if body.startswith("async") else "main()"
    script = scripts.start(
        f"{TASKS}\n    @flow\n    def below(): loops.submit().result()\n    @flow\n    {body}\n    {call}\n",
        environment=GRACE,
    )
    assert script.line() == "waiting"
    asked_at = time.monotonic()
    script.process.send_signal(number)
    ended = script.end()
    assert time.monotonic() - asked_at < 8 * GRACE_SECONDS
    assert ended.code == EXIT_CODES[number]
    runs = deck.flow_runs.select(RunQuery(roots_only=False))
    assert {run.state_name for run in runs} == {"Cancelled"}
    calls = [call for run in runs for call in deck.task_runs.of_flow_run(run.key)]
    assert calls
    ended_by_itself = {"Failed"} if "pauses" in body else set[str]()
    assert {call.state_name for call in calls} <= {"Cancelled"} | ended_by_itself


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_second_signal_ends_it_at_once(scripts: Scripts, deck: Deck, number: signal.Signals) -> None:
    """The line says how many calls have begun; the second signal does not wait for them, and records Cancelled too."""
    script = scripts.start(
        f"{TASKS}\n    @flow\n    def main(): loops.map([1, 2])\n    main()\n",
        environment={"FLOWDECK_CANCEL_GRACE_SECONDS": "600"},
    )
    assert [script.line(), script.line()] == ["waiting", "waiting"]
    script.process.send_signal(number)
    assert script.process.stderr is not None
    assert any("2 submitted task calls have begun: waiting 540 s at most" in line for line in script.process.stderr)
    script.process.send_signal(number)
    assert script.end().code == EXIT_CODES[number]
    (run,) = deck.flow_runs.select()
    assert run.state_name == "Cancelled"
    assert {call.state_name for call in deck.task_runs.of_flow_run(run.key)} == {"Cancelled"}


def test_nothing_new_begins(scripts: Scripts, tmp_path: Path) -> None:
    """Calls that wait for a worker or for their turn on the event loop never begin."""
    script = scripts.start(
        f"""{TASKS}
    @task
    def later(number):
        open(os.environ["BEGUN"], "a").close()
        time.sleep(600)
    @flow
    def main():
        first = dozes.submit()
        later.map(range(5), wait_for=[first])
    main()
        """,
        environment={**GRACE, "BEGUN": str(tmp_path / "begun")},
    )
    assert script.line() == "waiting"
    script.process.send_signal(signal.SIGTERM)
    assert script.end().code == 143
    assert not (tmp_path / "begun").exists()
