"""Which processes belong to a run, and ending exactly those."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowdeck.host import process_tree
from flowdeck.host.process_tree import Member
from flowdeck.store import processes
from tests.support.live_home import is_running

Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start a shell that says a line once it is ready; it is killed in the end."""
    children: list[subprocess.Popen[str]] = []

    def start(script: str, **variables: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            ["sh", "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, **variables}
        )
        children.append(child)
        return child

    yield start
    for child in children:
        process_tree.kill_all(lambda root=child.pid: process_tree.members(root, "none", ()), lambda: None)
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def first_line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def command(pid: int) -> str:
    """Return the program of a process: past the instant of its start it has an environment to be found by."""
    return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()


def test_grandchildren_belong_to_a_run_by_descent_and_by_its_id(spawn: Spawn) -> None:
    """A grandchild is found below the root; one in a session of its own, whose parent is gone, by the run's id."""
    root = spawn("sleep 60 & echo $!; wait")
    below = int(first_line(root))
    other = spawn("(setsid sleep 60 >/dev/null & echo $!)", FLOWDECK_RUN_ID="run-1")
    stray = int(first_line(other))
    other.wait()
    until(lambda: command(stray) == "sleep")
    found = process_tree.members(root.pid, "run-1", ())
    assert {below, stray} <= {member.pid for member in found}
    assert root.pid not in {member.pid for member in found}
    process_tree.kill_all(lambda: [member for member in found if is_running(member.pid)], lambda: None)


def test_other_runs_and_protected_processes_are_left_out(spawn: Spawn) -> None:
    """An id that only begins alike is another run's; an engine that a flow started is not ended with that flow."""
    other = spawn("echo ready; exec sleep 60", FLOWDECK_RUN_ID="run-12")
    first_line(other)
    root = spawn("sh -c 'sleep 60 & echo $$ $!; wait' & wait")
    engine, its_child = map(int, first_line(root).split())
    pids = {member.pid for member in process_tree.members(root.pid, "run-1", {engine})}
    assert pids.isdisjoint({other.pid, engine, its_child})
    assert {engine, its_child} <= {member.pid for member in process_tree.members(root.pid, "run-1", ())}


def test_a_pid_that_was_given_to_another_process_is_not_signalled(spawn: Spawn) -> None:
    """The token decides, not the number."""
    child = spawn("echo ready; exec sleep 60")
    first_line(child)
    assert not process_tree.send(Member(child.pid, "another boot/1"), signal.SIGKILL)
    assert is_running(child.pid)
    token = processes.token(child.pid)
    assert token is not None
    assert process_tree.send(Member(child.pid, token), signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL


def test_killing_goes_on_until_nothing_is_left(spawn: Spawn) -> None:
    """Processes that ignore SIGTERM, and those that are started meanwhile, are killed too."""
    root = spawn("trap '' TERM; echo ready; while :; do sleep 0.01; done", FLOWDECK_RUN_ID="run-busy")
    first_line(root)
    killed, survivors = process_tree.kill_all(lambda: process_tree.members(None, "run-busy", ()), lambda: None)
    assert killed >= 1
    assert survivors == []
    assert not is_running(root.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
def test_orphans_of_a_subreaper_stay_below_it() -> None:
    """A daemon that a flow forks off does not get away to init."""
    script = (
        "import os, subprocess\n"
        "from flowdeck.host import process_tree\n"
        "assert process_tree.become_subreaper()\n"
        "line = subprocess.run(['sh', '-c', '(setsid sleep 60 >/dev/null & echo $!)'], stdout=subprocess.PIPE).stdout\n"
        "found = process_tree.members(os.getpid(), 'none', ())\n"
        "assert [member.pid for member in found] == [int(line)], (found, line)\n"
        "process_tree.kill_all(lambda: process_tree.members(os.getpid(), 'none', ()), lambda: None)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=60)
    assert time.monotonic() - started < 30
