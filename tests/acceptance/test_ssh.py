"""The screen over a real SSH connection, in tmux and outside: the line drops, one comes back, nothing is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.live_home import LiveHome
from tests.support.ssh_server import SshServer, missing
from tests.support.terminal import Terminal

NEEDED = missing("sshd", "ssh", "ssh-keygen")
pytestmark = pytest.mark.skipif(bool(NEEDED), reason=NEEDED)
NEEDS_TMUX = pytest.mark.skipif(bool(missing("tmux")), reason=missing("tmux"))
# Ten lines, then it waits until the test lets it go on.
COUNTING = """
    @flow
    def counting(lines: int = 40):
        for number in range(lines):
            get_run_logger().info("line %d", number)
            while number % 10 == 9 and not os.path.exists(f"go-{number // 10}"):
                time.sleep(0.01)
    """
LINES = 40


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveHome]:
    """A home in which real processes run."""
    home = LiveHome(tmp_path)
    home.flow(COUNTING, function="counting")
    yield home
    home.deck.engine.stop()
    home.close()


@pytest.fixture
def server(tmp_path: Path, live: LiveHome) -> Iterator[SshServer]:
    """An sshd whose sessions use the home."""
    started = SshServer(tmp_path / "ssh", live.environment)
    yield started
    started.close()


def screen(live: LiveHome) -> list[str]:
    return [sys.executable, "-m", "flowdeck", str(live.folder)]


def screens(live: LiveHome) -> list[psutil.Process]:
    """List the processes that show the home."""
    wanted = [*screen(live)[1:]]
    return [one for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [])[1:] == wanted]


def go_on(live: LiveHome, ten: int) -> None:
    """Let the flow write its next ten lines."""
    (live.folder / f"go-{ten}").touch()


def begin(terminal: Terminal) -> None:
    """Find the flow, run it with its defaults, watch its first lines."""
    terminal.wait_for(r"\[3 Flows\]", 30)
    terminal.wait_for("counting")
    terminal.press("t")
    terminal.wait_for("lines")
    terminal.press("enter")
    terminal.wait_for(r"Running +\S+ +counting")
    terminal.wait_for("line 9")


def drop(terminal: Terminal) -> None:
    """Let the line drop: the client is gone at once and says nothing."""
    os.kill(terminal.pid, signal.SIGKILL)
    terminal.wait_for_exit()


def assert_nothing_is_lost(live: LiveHome) -> None:
    run = live.until_over(live.all_runs()[0])
    assert run.state_name == "Completed"
    found = [int(m[1]) for text in live.messages(run, "logger") if (m := re.fullmatch(r"line (\d+)", text))]
    assert found == list(range(LINES))
    assert len(live.all_runs()) == 1


def test_a_dropped_line_takes_only_the_picture_with_it(live: LiveHome, server: SshServer) -> None:
    """The screen ends with the line, the run goes on, and who comes back sees it where it is."""
    with server.session(screen(live)) as first:
        begin(first)
        drop(first)
    live.until(lambda: not screens(live))
    go_on(live, 0)
    live.until_said(live.all_runs()[0], "line 19")
    with server.session(screen(live)) as second:
        second.wait_for(r"Running +\S+ +counting", 30)
        second.wait_for("line 19")
        go_on(live, 1)
        second.wait_for("line 29")
        go_on(live, 2)
        go_on(live, 3)
        second.wait_for(r"Completed +\S+ +counting")
        second.press("q")
        assert second.wait_for_exit() == 0
    assert_nothing_is_lost(live)


@NEEDS_TMUX
def test_a_screen_in_tmux_outlives_the_line(live: LiveHome, server: SshServer, tmp_path: Path) -> None:
    """Dropped, attached again, detached by its keys, attached again: one and the same screen, up to date."""
    socket = str(tmp_path / "tmux")
    (tmp_path / "tmux.conf").write_text("")
    tmux = ["tmux", "-S", socket, "-f", str(tmp_path / "tmux.conf")]
    try:
        with server.session([*tmux, "new-session", "-A", "-s", "deck", *screen(live)]) as first:
            begin(first)
            (process,) = screens(live)
            drop(first)
        go_on(live, 0)
        live.until_said(live.all_runs()[0], "line 19")
        with server.session([*tmux, "attach"]) as second:
            second.wait_for("line 19", 30)
            go_on(live, 1)
            second.wait_for("line 29")
            second.press("ctrl+b", "d")
            assert second.wait_for_exit() == 0
        go_on(live, 2)
        with server.session([*tmux, "attach"]) as third:
            third.wait_for("line 39", 30)
            assert screens(live) == [process]
            go_on(live, 3)
            third.wait_for(r"Completed +\S+ +counting")
            third.press("q")
            assert third.wait_for_exit() == 0
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)
    assert_nothing_is_lost(live)
