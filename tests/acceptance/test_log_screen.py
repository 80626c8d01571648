"""The log in a real terminal: lent to a pager, as a plain stream, and what it sends while it follows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_home import LiveHome
from tests.support.terminal import Terminal

TALKING = """
    @flow
    def main():
        logger = get_run_logger()
        for number in range(100_000):
            logger.info("spoken %d", number)
            time.sleep(0.1)
    """
SHORT = """
    @flow
    def below():
        get_run_logger().info("said below")

    @flow
    def main():
        get_run_logger().info("said before")
        below()
        get_run_logger().info("said after \\x1b]0;title\\x07[red]")

    main()
    """
BACK = r"\A(?!(.|\n)*any key goes back)(.|\n)*follows(.|\n)*flow-run logs -f(.|\n)*f Follow"
"""The screen is there again, and nothing of the stream."""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveHome]:
    """A home in which real processes run."""
    home = LiveHome(tmp_path)
    yield home
    home.close()


def screen(live: LiveHome, columns: int = 80, rows: int = 24) -> Terminal:
    """Open the screen on the home's folder of flows."""
    return Terminal([sys.executable, "-m", "flowdeck", str(live.folder)], columns, rows, live.environment)


def test_the_plain_stream_goes_on_until_a_key(live: LiveHome) -> None:
    """Lines run over the terminal; any key, ctrl+c too, brings the screen back as it was."""
    run = live.create(TALKING)
    live.start_host(run)
    with screen(live) as terminal:
        terminal.wait_for(r"spoken \d+")
        terminal.press("l", "S")
        terminal.wait_for(r"any key goes back")
        assert "f Follow" not in terminal.text()
        terminal.wait_for(r"spoken \d+\s+\d\d:\d\d:\d\d\.\d+ I +spoken")
        for key in ("x", "ctrl+c", "up"):
            terminal.press(key)
            terminal.wait_for(BACK)
            terminal.press("S")
            terminal.wait_for(r"any key goes back")
        terminal.press("x")
        terminal.wait_for(BACK)
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_the_pager_reads_the_files_of_the_log(live: LiveHome) -> None:
    """That of the run and those of its subflow runs; ctrl+c in it does not end the screen."""
    child = live.start_script(SHORT)
    assert child.wait(30) == 0
    pager = live.folder / "pager"
    pager.write_text('#!/bin/sh\ntrap "" INT\ncat -v "$@"\necho paged $#\nread answer\n')
    pager.chmod(0o700)
    live.environment["PAGER"] = str(pager)
    with screen(live) as terminal:
        terminal.wait_for("said after")
        terminal.press("l", "o")
        terminal.wait_for("paged 2")
        assert "said below" in terminal.text()
        terminal.press("ctrl+c")
        terminal.pump(0.3)
        terminal.press("enter")
        terminal.wait_for(r"said before(.|\n)*said below(.|\n)*said after \[red\]")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_a_followed_log_sends_little(live: LiveHome) -> None:
    """Ten lines a second over the whole of a large screen; the page is full, the newest line is its last."""
    run = live.create(
        TALKING.replace("range(100_000)", "range(-100, 100_000)").replace(
            "time.sleep(0.1)", "time.sleep(0.1 * (number > 0))"
        )
    )
    live.start_host(run)
    with screen(live, 160, 48) as terminal:
        terminal.wait_for(r"spoken \d+")
        terminal.press("l")
        terminal.wait_for(r"spoken 1\d")
        seconds = 4.0
        sent = terminal.pump(seconds)
        assert sent / seconds < 10_000
        lines = terminal.text().splitlines()[3:-2]
        numbers = [int(line.split()[-1]) for line in lines if "spoken" in line]
        assert numbers == list(range(numbers[0], numbers[0] + len(lines)))
