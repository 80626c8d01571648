"""An engine whose process is there but does nothing: stopped by a signal, hung, or of a home that lost its database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flowdeck.cli import engine_checks
from flowdeck.rules.exceptions import RefusedError
from flowdeck.store import engines
from flowdeck.store.database.database import Database
from flowdeck.store.engines import EngineLock
from flowdeck.store.home import Home
from tests.support.live_home import LiveHome

HUNG = """
import signal, sys, time
from flowdeck.store import engines
from flowdeck.store.database.database import Database
database = Database()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
engines.EngineLock(database.home).acquire()
engines.register(database, "1.0", "server")
print("there", flush=True)
time.sleep(600)
"""


def test_engine_that_a_signal_has_stopped_is_said_to_be_so(live: LiveHome) -> None:
    """By the status, doctor and the reason of a run that waits; it goes on when it may, and ends when it must."""
    engine = live.start_engine()
    live.until(lambda: live.deck.engine.status().works)
    os.kill(engine.pid, signal.SIGSTOP)
    live.until(lambda: live.deck.engine.status().stalled is not None)
    told = (
        f"the engine (pid {engine.pid}) is stopped by a signal or a debugger: `kill -CONT {engine.pid}` lets it go on"
    )

    status = live.command("server", "status", "--json")
    assert (status.returncode, json.loads(status.stdout)["running"]) == (3, False)
    assert json.loads(status.stdout)["pid"] == engine.pid
    assert told in status.stderr
    assert "does not work" in live.command("server", "status").stdout
    checks = json.loads(live.command("doctor", "--json").stdout)["checks"]
    (check,) = [check for check in checks if check["name"] == "engine"]
    assert (check["status"], check["message"]) == ("error", told.partition(": ")[0])
    run = live.create("@flow\ndef main(): pass")
    reason = engine_checks.reason_of(live.deck, run, engine_checks.now())
    assert reason is not None
    assert reason.startswith(told)

    refused = live.command("server", "stop")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert told in refused.stderr
    assert engine.poll() is None
    forced = live.command("server", "stop", "--force")
    assert (forced.returncode, forced.stdout) == (0, "The engine has stopped; runs go on.\n")
    assert engine.wait(30) == 0


@pytest.fixture
def hung(live: LiveHome) -> Iterator[subprocess.Popen[str]]:
    """A process that is the engine of a home, does nothing and does not hear of its end."""
    process = subprocess.Popen([sys.executable, "-c", HUNG], env=live.environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    yield process
    process.kill()
    process.communicate()


def test_engine_that_hangs(live: LiveHome, hung: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock file keeps the time of its last sign of life."""
    assert live.deck.engine.status().works
    long_ago = time.time() - 100
    os.utime(live.database.home.engine_lock, (long_ago, long_ago))
    stalled = live.deck.engine.status().stalled
    assert stalled is not None
    assert stalled.startswith(f"the engine (pid {hung.pid}) has given no sign of life for 10")
    with pytest.raises(RefusedError, match="no sign of life"):
        live.deck.engine.stop()
    monkeypatch.setattr(engines, "FORCE_PATIENCE_SECONDS", 0.05)
    assert live.deck.engine.stop(force=True)
    assert hung.wait(30) == -signal.SIGKILL


def test_engine_gives_signs_of_life(live: LiveHome) -> None:
    """Its start is one, and what an earlier holder left in the file counts for nothing."""
    lock = live.database.home.engine_lock
    lock.write_text("1\nnobody\n")
    long_ago = time.time() - 100
    os.utime(lock, (long_ago, long_ago))
    engine = live.start_engine()
    live.until(lambda: live.deck.engine.status().running)
    assert live.deck.engine.status().works
    os.utime(lock, (long_ago, long_ago))
    live.until(lambda: time.time() - lock.stat().st_mtime < 50)
    live.deck.engine.stop()
    assert engine.wait(30) == 0
    assert lock.read_text() == ""


def test_engine_whose_row_is_lost_is_found_by_its_lock(live: LiveHome, hung: subprocess.Popen[str]) -> None:
    """`server stop` does not say that there was none."""
    live.database.write(lambda connection: connection.execute("DELETE FROM engine"))
    os.kill(hung.pid, signal.SIGSTOP)
    os.waitpid(hung.pid, os.WUNTRACED)  # it is stopped now, not only about to be
    with pytest.raises(RefusedError, match=rf"the engine \(pid {hung.pid}\) is stopped"):
        live.deck.engine.stop()


def test_lock_that_was_let_go_names_nobody(tmp_path: Path) -> None:
    """The process goes on, but is no engine any more."""
    home = Home(tmp_path / "home")
    with closing(Database(home)) as database:
        lock = EngineLock(home)
        assert lock.acquire()
        assert home.engine_lock.read_text().startswith(f"{os.getpid()}\n")
        lock.release()
        assert not engines.stop(database, time.sleep)
