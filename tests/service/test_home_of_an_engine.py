"""The ground on which an engine stands: its home may be taken away, its log may grow, another engine may be there."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flowdeck.service import engine_log
from flowdeck.service.lifetime import HomeWatch
from flowdeck.store.home import Home
from tests.support.live_home import PATIENCE_SECONDS

HOME_FILES = ("engine.lock", "state.db", "state.db-wal", "state.db-shm")


@pytest.fixture
def made(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    for name in HOME_FILES:
        (tmp_path / name).touch()
    return home


def test_home_that_stays(made: Home) -> None:
    """What is written into it changes nothing."""
    watch = HomeWatch(made)
    made.database.write_text("more")
    assert not watch.missing()


def test_database_that_was_emptied(made: Home) -> None:
    """The same file, but nothing in it."""
    made.database.write_text("rows")
    watch = HomeWatch(made)
    assert not watch.missing()
    made.database.write_text("")
    assert watch.missing() == ["state.db"]


@pytest.mark.parametrize("name", HOME_FILES)
def test_home_that_is_not_the_same(made: Home, name: str) -> None:
    """A file that is gone, and one that was put in its place."""
    watch = HomeWatch(made)
    (made.path / "kept").hardlink_to(made.path / name)  # so that its number is not given out again
    (made.path / name).unlink()
    assert watch.missing() == [name]
    (made.path / name).touch()
    assert watch.missing() == [name]
    (made.path / "kept").replace(made.path / name)
    assert not watch.missing()


class OneEngine:
    """An engine in a home that nobody else has open, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.told = folder / "told.txt"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "FLOWDECK_HOME": str(self.home.path), "FLOWDECK_SPARES": "0"}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        with open(self.told, "ab") as told:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flowdeck.service", *options], env=environment, stdin=subprocess.DEVNULL,
                stdout=told, stderr=told, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def said(self) -> str:
        return self.told.read_text(encoding="utf-8") if self.told.exists() else ""

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def one(tmp_path: Path, clear_environment: None) -> Iterator[OneEngine]:
    made = OneEngine(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("is_made_anew", [False, True], ids=["removed", "made anew"])
def test_engine_whose_home_is_taken_away_ends_with_a_sentence(one: OneEngine, is_made_anew: bool) -> None:
    """It does not go on serving what nobody sees; a new home at the same place can have an engine of its own."""
    first = one.start()
    one.until(lambda: f"(pid {first.pid}) serves" in one.said())
    if is_made_anew:
        one.home.path.rename(one.home.path.with_name("moved"))
        second = one.start()
        one.until(lambda: f"(pid {second.pid}) serves" in one.said())
    else:
        remove(one.home.path)
    assert first.wait(PATIENCE_SECONDS) == 1
    assert f"The home {one.home.path} was removed or replaced under this engine, which ends.\n" in one.said()
    assert "Traceback" not in one.said()
    if is_made_anew:
        assert second.poll() is None
    else:
        assert not one.home.path.exists()


def test_patient_engine_takes_over(one: OneEngine) -> None:
    """Started by a service manager, it waits for the end of one that is there, without using the processor."""
    first = one.start()
    one.until(lambda: f"(pid {first.pid}) serves" in one.said())
    second = one.start("--patient")
    one.until(lambda: "This one waits for its end." in one.said())
    process = psutil.Process(second.pid)
    one.until(lambda: process.status() == psutil.STATUS_SLEEPING)
    before = process.num_ctx_switches()
    time.sleep(0.3)
    assert process.num_ctx_switches() == before
    first.terminate()
    assert first.wait(PATIENCE_SECONDS) == 0
    one.until(lambda: f"(pid {second.pid}) serves" in one.said())


def test_patient_engine_that_is_stopped_while_it_waits(one: OneEngine) -> None:
    """It goes at once, and the other stays."""
    first = one.start()
    one.until(lambda: f"(pid {first.pid}) serves" in one.said())
    second = one.start("--patient")
    one.until(lambda: "This one waits for its end." in one.said())
    second.terminate()
    assert second.wait(PATIENCE_SECONDS) == -signal.SIGTERM
    assert first.poll() is None


def test_patient_engine_whose_home_is_removed_leaves(one: OneEngine) -> None:
    """What it waited for is no lock of that home any more."""
    first = one.start()
    one.until(lambda: f"(pid {first.pid}) serves" in one.said())
    second = one.start("--patient")
    one.until(lambda: "This one waits for its end." in one.said())
    remove(one.home.path)
    assert [first.wait(PATIENCE_SECONDS), second.wait(PATIENCE_SECONDS)] == [1, 1]
    assert "was removed meanwhile" in one.said()


def remove(folder: Path) -> None:
    """Remove a folder as `rm -rf` does, which takes it as it comes that a process of it tidies up at the same time."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


# -- its log -----------------------------------------------------------------------------------------------------------


def test_log_of_an_engine_is_cut(one: OneEngine) -> None:
    """When it has grown too long, a new one begins; one older is kept, and nothing is lost."""
    log = one.told = one.home.engine_log
    one.home.path.mkdir()
    log.with_name("engine.log.1").write_text("of last year")
    log.write_bytes(b"of last month\n" + b"x" * engine_log.LOG_MAX_BYTES)
    log.chmod(0o600)
    engine = one.start()
    older = log.with_name("engine.log.1")
    one.until(lambda: older.read_bytes().startswith(b"of last month") and log.exists())
    engine.terminate()
    assert engine.wait(PATIENCE_SECONDS) == 0
    both = older.read_bytes()[engine_log.LOG_MAX_BYTES :].decode() + one.said()
    assert "serves" in both
    assert both.rstrip().endswith("Ended.")
    assert log.stat().st_size < 1000
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert sorted(path.name for path in one.home.path.glob("engine.log*")) == ["engine.log", "engine.log.1"]


def test_short_log_and_other_files_are_left(one: OneEngine) -> None:
    """What goes to a terminal, or to a file of somebody else, is not ours to cut."""
    one.home.path.mkdir()
    one.home.engine_log.write_bytes(b"x" * engine_log.LOG_MAX_BYTES)
    engine = one.start()
    one.until(lambda: f"(pid {engine.pid}) serves" in one.said())
    engine.terminate()
    engine.wait(PATIENCE_SECONDS)
    engine_log.cut(one.home.engine_log)
    assert not one.home.engine_log.with_name("engine.log.1").exists()
    engine_log.cut(one.home.path / "no such file")
