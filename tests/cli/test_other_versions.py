"""An engine of an older or a newer flowdeck on the home of a command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowdeck.deck import Deck, EngineStatus
from flowdeck.rules.versions import __version__
from tests.cli.conftest import Command
from tests.support.live_home import LiveHome
from tests.support.terminal import Terminal

# An engine is meant to outlive the process that starts it; here that is this one.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

OF_VERSION = """
import sys
from flowdeck.rules import versions
versions.__version__ = sys.argv[1]
from flowdeck.service.engine import main
sys.exit(main(sys.argv[2], None))
"""
WAITS_FOR_GO = """
    @flow
    def main():
        while not os.path.exists("go"): time.sleep(0.02)
    """


class Engines:
    """Starts engines that say they are of other versions, and ends whatever engine there is."""

    def __init__(self, live: LiveHome) -> None:
        self.live = live

    def start(self, version: str, started_by: str = "server") -> subprocess.Popen[bytes]:
        process = self.live.start(arguments=[sys.executable, "-P", "-c", OF_VERSION, version, started_by])
        self.live.until(lambda: self.live.deck.engine.status().pid == process.pid)
        return process


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the engines is that of the commands."""
    path = tmp_path / "home"
    monkeypatch.setenv("FLOWDECK_HOME", str(path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entry for entry in sys.path if entry))
    return path


@pytest.fixture
def engines(home: Path, tmp_path: Path) -> Iterator[Engines]:
    del home
    live = LiveHome(tmp_path)
    yield Engines(live)
    live.close()


@pytest.fixture
def deck(engines: Engines) -> Deck:
    return engines.live.deck


def test_note_says_which_is_older() -> None:
    """And what to do about it; of the same version there is nothing to say."""
    older = EngineStatus(running=True, pid=7, version="0.0.9")
    newer = EngineStatus(running=True, pid=7, version="99.0")
    assert older.version_note == (
        f"the engine (pid 7) is of flowdeck 0.0.9, older than {__version__}; "
        "`flowdeck server start --background` replaces it, runs go on."
    )
    assert newer.version_note is not None
    assert newer.version_note.startswith(f"the engine (pid 7) is of flowdeck 99.0, newer than {__version__}, and stays")
    assert EngineStatus(running=True, pid=7, version=__version__).version_note is None
    assert EngineStatus(running=False).version_note is None


def test_command_that_needs_an_engine_tells_of_an_older_one(command: Command, deck: Deck, engines: Engines) -> None:
    """One line on stderr, and the older engine does what was asked."""
    engines.live.flow("@flow\ndef main(): pass\n")
    deck.folders.watch(engines.live.folder)
    engine = engines.start("0.0.1")
    engines.live.until(deck.flows.entries)
    output = command("flow-run", "create", "main", "--watch")
    assert output.code == 0
    notes = [line for line in output.err.splitlines() if line.startswith("flowdeck: the engine")]
    assert notes == [f"flowdeck: {deck.engine.status().version_note}"]
    assert deck.engine.status().pid == engine.pid
    assert command("server", "status").code == 0


@pytest.mark.parametrize("started_by", ["server", "tui"])
def test_start_in_the_background_replaces_an_older_engine(
    command: Command, deck: Deck, engines: Engines, started_by: str
) -> None:
    """The older one ends well, what it had started goes on, and the new one sees its end."""
    run = engines.live.create(WAITS_FOR_GO)
    older = engines.start("0.0.1", started_by)
    running = engines.live.until_named(run, "Running")
    output = command("server", "start", "--background", "--json")
    assert output.code == 0
    assert (output.json["version"], output.json["pid"] == older.pid) == (__version__, False)
    assert f"the engine of flowdeck 0.0.1 (pid {older.pid}) has ended; one of {__version__} takes" in output.err
    assert older.wait(30) == 0
    (engines.live.folder / "go").touch()
    over = engines.live.until_over(run)
    assert (over.state_name, over.pid, over.attempt) == ("Completed", running.pid, 1)
    assert deck.engine.status().started_by == "server"


def test_start_in_the_foreground_replaces_an_older_engine(deck: Deck, engines: Engines) -> None:
    """The same, in the terminal of whoever asked."""
    older = engines.start("0.0.1")
    newer = engines.live.start("flowdeck", "server", "start")
    engines.live.until(lambda: deck.engine.status().pid == newer.pid)
    assert older.wait(30) == 0
    assert f"(pid {older.pid}) has ended; one of {__version__} takes its place" in engines.live.stderr()
    newer.terminate()
    assert newer.wait(30) == 0


def test_status_tells_of_an_older_engine(command: Command, engines: Engines) -> None:
    """Beside what it always says."""
    engines.start("0.0.1")
    status = command("server", "status")
    assert (status.code, "older than" in status.err) == (0, True)
    assert "0.0.1" in status.out


def test_newer_engine_stays(command: Command, deck: Deck, engines: Engines) -> None:
    """It knows what we do not; in the background that is said, in the foreground it is refused."""
    newer = engines.start("99.0")
    output = command("server", "start", "--background", "--json")
    assert (output.code, output.json["pid"], output.json["version"]) == (0, newer.pid, "99.0")
    assert "newer than" in output.err
    refused = command("server", "start")
    assert (refused.code, refused.out) == (1, "")
    assert f"An engine (pid {newer.pid}) serves {deck.home} already: the engine (pid {newer.pid}) is of" in refused.err
    assert newer.poll() is None


def test_screen_leaves_an_engine_that_shall_stay_staying(deck: Deck, engines: Engines) -> None:
    """Replaced from a screen, an engine of `server start` is one still."""
    older = engines.start("0.0.1", "server")
    assert deck.engine.ensure(started_by="tui").pid == older.pid
    status = deck.engine.ensure(started_by="tui", replace_older=True)
    assert (status.version, status.started_by) == (__version__, "server")
    assert older.wait(30) == 0


def test_engine_in_a_terminal_that_is_closed(deck: Deck, engines: Engines) -> None:
    """The hang-up of its terminal ends a `server start`, and no run with it."""
    live = engines.live
    run = live.create(WAITS_FOR_GO)
    with Terminal([sys.executable, "-m", "flowdeck", "server", "start"], environment=live.environment) as terminal:
        live.until_named(run, "Running")
        assert deck.engine.status().pid == terminal.pid
        terminal.hang_up()
        assert terminal.wait_for_exit() == 0
    assert not deck.engine.status().running
    (live.folder / "go").touch()
    assert live.until_over(run).state_name == "Completed"
