"""The screen in a real pseudo-terminal: starting, ending however it ends, and what it sends while nothing happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.terminal import Terminal
from tests.tui.seeded_home import SeededHome

ROOT = Path(__file__).parents[2]
IMPORT_PATH = f"{ROOT / 'engine'}:{ROOT / 'app'}"
CODE = "import sys; from flowdeck_tui.launch import main; sys.exit(main(sys.argv[1]))"


@pytest.fixture
def environment(home: SeededHome) -> Iterator[dict[str, str]]:
    home.engine_up()  # this process stands for the engine, so that none is started
    yield {"PYTHONPATH": IMPORT_PATH, "FLOWDECK_HOME": str(home.path)}


def launch(environment: dict[str, str], folder: Path, columns: int = 80, rows: int = 24) -> Terminal:
    return Terminal([sys.executable, "-c", CODE, str(folder)], columns, rows, environment)


def modes_left_on(terminal: Terminal) -> set[int]:
    """Return which of mouse, focus, paste and alternate screen are on, and 25 when the cursor is hidden."""
    screen = terminal._screen
    on = {number for number in (1000, 1003, 1004, 1006, 1049, 2004) if number << 5 in screen.mode}
    return on | ({25} if screen.cursor.hidden else set())


def test_a_missing_folder_is_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    """Exit code 2; what was seen and what to give."""
    with launch(environment, tmp_path / "nowhere") as terminal:
        assert terminal.wait_for_exit() == 2
        assert "There is no folder" in terminal.text()
        assert "Traceback" not in terminal.text()


def test_without_a_terminal_it_says_so(environment: dict[str, str], home: SeededHome) -> None:
    """A pipe gets a sentence, not escape sequences."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(home.folder)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("flowdeck: The screen needs a terminal")
    assert done.stderr.count("\n") == 1


def test_an_unusable_home_is_one_sentence(environment: dict[str, str], home: SeededHome, tmp_path: Path) -> None:
    """The screen goes; the reason stays."""
    (tmp_path / "file").write_text("")
    with launch({**environment, "FLOWDECK_HOME": str(tmp_path / "file")}, home.folder) as terminal:
        assert terminal.wait_for_exit() == 1
        assert "flowdeck: " in terminal.text()
        assert "Traceback" not in terminal.text()


def test_it_starts_lists_and_quits(environment: dict[str, str], home: SeededHome) -> None:
    """The terminal is left as it was found."""
    home.flow("etl")
    with launch(environment, home.folder) as terminal:
        terminal.wait_for(r"flows\.py:10")
        terminal.wait_for("engine running")
        assert modes_left_on(terminal) >= {25, 1000, 1049}
        terminal.press("q")
        assert terminal.wait_for_exit() == 0
        assert not modes_left_on(terminal)


def test_a_quiet_screen_sends_nothing(environment: dict[str, str], home: SeededHome) -> None:
    """Not one byte, with a run on the screen that is over."""
    home.run("lazy-fox")
    with launch(environment, home.folder) as terminal:
        terminal.wait_for("lazy-fox")
        terminal.wait_for("engine running")
        terminal.pump(2.5)
        assert terminal.pump(1.5) == 0


def test_ticking_rows_cost_little(environment: dict[str, str], home: SeededHome) -> None:
    """Twenty running rows stay below 2 kB a second at 160×48."""
    for number in range(20):
        home.run(f"run-{number}", state="Running", now=datetime.now(UTC))
    with launch(environment, home.folder, 160, 48) as terminal:
        terminal.wait_for("run-0 ")
        terminal.pump(1.0)
        sent = terminal.pump(3.0) / 3.0
    assert 0 < sent < 2000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_at_once_and_reset_the_terminal(
    environment: dict[str, str], home: SeededHome, number: signal.Signals
) -> None:
    """Mouse, paste and alternate screen are off when the process is gone."""
    home.flow("etl")
    with launch(environment, home.folder) as terminal:
        terminal.wait_for(r"flows\.py:10")
        os.kill(terminal.pid, number)
        assert terminal.wait_for_exit(2.0) == 128 + number
        assert not modes_left_on(terminal)


def test_a_dropped_line_ends_it(environment: dict[str, str], home: SeededHome) -> None:
    """No orphan is left spinning."""
    home.flow("etl")
    with launch(environment, home.folder) as terminal:
        terminal.wait_for(r"flows\.py:10")
        terminal.hang_up()
        deadline = time.monotonic() + 5.0
        while terminal.exit_code is None and time.monotonic() < deadline:
            terminal._reap()
            time.sleep(0.01)
        assert terminal.exit_code in (128 + signal.SIGHUP, 0)
