"""Ctrl-Z: a script that is stopped holds no lock that other processes would wait for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowdeck.store.database.database import Database
from flowdeck.store.home import Home
from tests.support.scripts import PATIENCE_SECONDS

ROUNDS = 40
FLOOD = """
from flowdeck import flow, task

@task
def step(): pass

@flow
def main():
    while True: step()

main()
"""


def state_of(pid: int) -> str:
    """Return the letter of a process's state: `T` when it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_stopped_script_is_in_no_commit(home: Home, database: Database, tmp_path: Path) -> None:
    """A flood of task calls, stopped again and again: each time another process writes at once."""
    script = tmp_path / "flood.py"
    script.write_text(FLOOD)
    # A group of its own in this session: a group that nobody could wake up again is never stopped.
    environment = {**os.environ, "FLOWDECK_HOME": str(home.path), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, str(script)], process_group=0, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        reader = database.reader()
        while not reader.execute("SELECT count(*) FROM task_run").fetchone()[0]:
            assert process.poll() is None
            time.sleep(0.01)
        for number in range(ROUNDS):
            process.send_signal(signal.SIGTSTP)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while state_of(process.pid) != "T":
                assert time.monotonic() < deadline
            database.try_write(lambda connection: connection.execute("DELETE FROM change WHERE seq = 0"))
            process.send_signal(signal.SIGCONT)
            time.sleep(0.002 + number / 10_000)
    finally:
        process.kill()
        process.wait()
