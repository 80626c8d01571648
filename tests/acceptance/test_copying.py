"""What `y` copies arrives: as OSC 52 in a terminal, in tmux in its buffer."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ssh_server import missing
from tests.support.terminal import Terminal
from tests.tui.seeded_home import SeededHome

NEEDS_TMUX = pytest.mark.skipif(bool(missing("tmux")), reason=missing("tmux"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SeededHome]:
    """A home with one run."""
    (tmp_path / "flows").mkdir()
    seeded = SeededHome(tmp_path / "home", tmp_path / "flows")
    seeded.run("lazy-fox")
    yield seeded
    seeded.deck.engine.stop()
    seeded.close()


def environment(home: SeededHome) -> dict[str, str]:
    path = ":".join(path for path in sys.path if path)
    return {"FLOWDECK_HOME": str(home.path), "PYTHONPATH": path, "LANG": "C.UTF-8", "TMUX": ""}


def test_a_terminal_is_sent_the_text(home: SeededHome) -> None:
    """By the escape sequence that passes through SSH."""
    with Terminal([sys.executable, "-m", "flowdeck", str(home.folder)], environment=environment(home)) as terminal:
        terminal.wait_for("lazy-fox")
        terminal.press("y")
        terminal.wait_for("WHAT +TEXT")
        terminal.press("n")
        terminal.wait_for("Copied the name, 8 bytes")
        assert b"\x1b]52;c;" + base64.b64encode(b"lazy-fox") + b"\x07" in terminal.tail


@NEEDS_TMUX
def test_tmux_has_the_text_in_its_buffer_as_it_is_set_up_by_default(home: SeededHome, tmp_path: Path) -> None:
    """Without a setting of anybody's."""
    (tmp_path / "tmux.conf").write_text("")
    tmux = ["tmux", "-S", str(tmp_path / "tmux"), "-f", str(tmp_path / "tmux.conf")]
    command = [*tmux, "new-session", sys.executable, "-m", "flowdeck", str(home.folder)]
    try:
        with Terminal(command, environment=environment(home)) as terminal:
            terminal.wait_for("lazy-fox")
            terminal.press("y")
            terminal.wait_for("WHAT +TEXT")
            terminal.press("n")
            terminal.wait_for("set-clipboard on|tmux pastes it")
            shown = subprocess.run([*tmux, "show-buffer"], capture_output=True, text=True, check=True)
            assert shown.stdout == "lazy-fox"
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)
