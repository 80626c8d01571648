"""A run host that waits with its flow process: its words, its end, and what it does with a run that it is given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from flowdeck.deck import FlowRun
from flowdeck.host.spare_host import READY, claim_line
from flowdeck.host.spare_order import Order
from flowdeck.rules.states import StateType
from tests.support.live_home import LiveHome, is_running

NOTES_THAT_IT_RAN = """
    open("imported", "w").close()

    @flow
    def main(): sys.stdout.write(f"here {sys.path}\\n")
    """


class WaitingHost:
    """A spare in the hands of a test instead of an engine."""

    def __init__(self, live: LiveHome, interpreter: str = sys.executable) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "flowdeck.host.spare_host", interpreter],
            env=live.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            cwd="/", start_new_session=True,
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.stdin, self.stdout, self.stderr = self.process.stdin, self.process.stdout, self.process.stderr
        self.flow_process = 0

    def until_ready(self) -> None:
        assert self.stdout.read(1) == READY
        (below,) = psutil.Process(self.process.pid).children()
        self.flow_process = below.pid

    def give(self, run: FlowRun, incarnation: int) -> None:
        self.stdin.write(claim_line(run.key, incarnation))
        self.stdin.close()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.stdin, self.stdout, self.stderr):
            pipe.close()


@pytest.fixture
def spare(live: LiveHome) -> Iterator[WaitingHost]:
    host = WaitingHost(live)
    host.until_ready()
    yield host
    host.end()


def test_both_leave_when_nobody_holds_the_other_end(live: LiveHome, spare: WaitingHost) -> None:
    """The end of stdin, which is also the death of an engine, ends a spare well and at once."""
    spare.stdin.close()
    assert spare.process.wait(30) == 0
    live.until(lambda: not is_running(spare.flow_process), seconds=1.0)
    assert spare.stderr.read() == b""


def test_both_leave_when_asked_to(live: LiveHome, spare: WaitingHost) -> None:
    """SIGTERM, as from a system that shuts down."""
    spare.process.send_signal(signal.SIGTERM)
    assert spare.process.wait(30) == 0
    live.until(lambda: not is_running(spare.flow_process), seconds=1.0)


def test_host_does_not_wait_without_its_flow_process(spare: WaitingHost) -> None:
    """It leaves with a sentence and a code that tells its engine."""
    os.kill(spare.flow_process, signal.SIGKILL)
    assert spare.process.wait(30) == 1
    assert (
        spare.stderr.read().decode()
        == f"The flow process of a spare (pid {spare.flow_process}) ended while it waited.\n"
    )


def test_given_run_is_executed_and_its_end_is_recorded(live: LiveHome, spare: WaitingHost) -> None:
    """The pids are those of the pair, and the host leaves when all is said."""
    run = live.create(NOTES_THAT_IT_RAN)
    spare.give(run, live.claim())
    assert spare.process.wait(30) == 0
    done = live.now(run)
    assert (done.state_type, done.exit_code) == (StateType.COMPLETED, 0)
    row = live.database.reader().execute("SELECT host_pid, pid, environment FROM flow_run").fetchone()
    assert row == (spare.process.pid, spare.flow_process, None)
    assert live.messages(run, "stdout")[0].startswith(f"here ['{live.folder}', ")


def test_last_word_of_an_engine_that_dies_counts(live: LiveHome, spare: WaitingHost) -> None:
    """The claim is in the pipe, then its other end closes before the host has looked: the run is executed."""
    os.kill(spare.process.pid, signal.SIGSTOP)
    run = live.create(NOTES_THAT_IT_RAN)
    spare.give(run, live.claim())
    os.kill(spare.process.pid, signal.SIGCONT)
    assert spare.process.wait(30) == 0
    assert live.now(run).state_type is StateType.COMPLETED


@pytest.mark.parametrize("incarnations_later", [0, 1])
def test_run_that_is_not_to_begin_any_more_is_left_alone(
    live: LiveHome, spare: WaitingHost, incarnations_later: int
) -> None:
    """Cancelled, or claimed anew, while it was handed over: its file is not imported."""
    run = live.create(NOTES_THAT_IT_RAN)
    incarnation = live.claim() + incarnations_later
    if not incarnations_later:
        live.deck.flow_runs.cancel(run.id)
    spare.give(run, incarnation)
    assert spare.process.wait(30) == 0
    assert live.now(run).state_type is (StateType.PENDING if incarnations_later else StateType.CANCELLED)
    assert not (live.folder / "imported").exists()
    live.until(lambda: not is_running(spare.flow_process), seconds=1.0)


@pytest.mark.parametrize(
    "environment", [{"PYTHONHASHSEED": "1"}, {"MALLOC_ARENA_MAX": "2"}, {"PYTHONPATH": "{PYTHONPATH}:"}]
)
def test_run_that_needs_a_process_of_its_own_gets_one(
    live: LiveHome, spare: WaitingHost, environment: Mapping[str, str]
) -> None:
    """Whatever the engine thought: the host takes the run, and starts a flow process that suits it."""
    environment = {name: text.format(**live.environment) for name, text in environment.items()}
    run = live.create(NOTES_THAT_IT_RAN, environment)
    spare.give(run, live.claim())
    assert spare.process.wait(30) == 0
    assert live.now(run).state_type is StateType.COMPLETED
    host, process = live.database.reader().execute("SELECT host_pid, pid FROM flow_run").fetchone()
    assert host == spare.process.pid
    assert process != spare.flow_process
    live.until(lambda: not is_running(spare.flow_process), seconds=1.0)


def test_missing_working_directory_is_said(live: LiveHome, spare: WaitingHost) -> None:
    """In the words of a cold start."""
    run = live.create(NOTES_THAT_IT_RAN)
    live.set_columns(run, working_dir="/no/such/folder")
    spare.give(run, live.claim())
    assert spare.process.wait(30) == 1
    message = "Its working directory /no/such/folder cannot be entered: No such file or directory."
    assert (live.now(run).state_type, live.now(run).state_message) == (StateType.CRASHED, message)


def test_large_environment_reaches_the_flow(live: LiveHome, spare: WaitingHost) -> None:
    """One that fits neither a pipe nor a socket at once."""
    many = {f"LARGE_{number}": "x" * 100_000 for number in range(10)}
    run = live.create("@flow\ndef main(): sys.stdout.write(f\"{len(os.environ['LARGE_9'])}\\n\")\n", many)
    spare.give(run, live.claim())
    assert spare.process.wait(30) == 0
    assert live.messages(run, "stdout") == ["100000"]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("printf '9.9\\n' >&0; cat >/dev/null", "it has flowdeck 9.9."),
        ("exit 0", "it has no flowdeck that can wait."),
        (None, "could not be started: No such file or directory."),
    ],
)
def test_python_without_this_flowdeck_makes_no_spare(
    live: LiveHome, tmp_path: Path, script: str | None, told: str
) -> None:
    """One sentence that says what it has instead."""
    python = tmp_path / "python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o700)
    host = WaitingHost(live, str(python))
    try:
        assert host.process.wait(30) == 1
        said = host.stderr.read().decode()
        assert said.rstrip().endswith(told)
        assert "Traceback" not in said
    finally:
        host.end()


def test_order_arrives_as_it_was_sent() -> None:
    """Names of files that are no UTF-8 are among what an environment holds."""
    order = Order(7, 2, "0" * 36, "/tmp/a\nb", {"LINES": "one\ntwo", "BYTES": "\udcff", "EMPTY": ""})
    line = order.encode()
    assert line.count(b"\n") == 1
    assert Order.decode(line) == order
