"""What all tests share: a home of their own, Deck on it, scripts in real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowdeck.deck import Deck
from flowdeck.execution.drivers.drivers import AsyncDriver, PausingDriver, SyncDriver
from flowdeck.execution.starts import run_creation, standalone_tasks
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home, locate
from tests.support.scripts import Scripts


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that has just been made: making one costs a tenth of a second, copying one nothing."""
    path = tmp_path_factory.mktemp("empty") / "home"
    Database(Home(path)).close()
    return path


@pytest.fixture
def clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("FLOWDECK_"):
            monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path, empty_home: Path, clear_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """An empty home, which flows of this process and scripts use."""
    path = tmp_path / "home"
    shutil.copytree(empty_home, path)
    monkeypatch.setenv("FLOWDECK_HOME", str(path))
    yield locate()
    standalone_tasks.wait_for_ends()
    run_creation.close_shared_database(locate())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    """The home's database, opened for this test."""
    opened = Database(home)
    yield opened
    opened.close()


@pytest.fixture
def deck(home: Home) -> Iterator[Deck]:
    """The home as a front end sees it."""
    opened = Deck(home.path)
    yield opened
    opened.close()


@pytest.fixture
def scripts(home: Home, tmp_path: Path) -> Iterator[Scripts]:
    """Runs flow files in processes of their own, in this test's home."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    made = Scripts(folder, home.path)
    yield made
    made.close()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits of flows and tasks for their retries, in seconds; none of them takes any time."""
    waits: list[float] = []

    async def sleep(_driver: object, seconds: float) -> None:
        waits.append(seconds)

    async def pause(driver: object, seconds: float, _is_cut_short: object) -> None:
        await sleep(driver, seconds)

    for driver in (SyncDriver, AsyncDriver):
        monkeypatch.setattr(driver, "sleep", sleep)
    monkeypatch.setattr(PausingDriver, "pause", pause)
    return waits


@pytest.fixture
def log_of(deck: Deck) -> Callable[..., list[str]]:
    """Read the messages in the log of the newest run, or of another: of all sources, or of one."""

    def read(source: str | None = None, reference: str | None = None) -> list[str]:
        run = deck.flow_runs.find(reference) if reference else deck.flow_runs.select()[0]
        reader = deck.logs.of_run(run)
        try:
            return [record.message for record in reader.records() if source in (None, record.source)]
        finally:
            reader.close()

    return read
