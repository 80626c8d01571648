"""The real screen in a real terminal, with a real engine and real runs behind it."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

from tests.support.live_home import LiveHome

FLOW_FILE = """
from flowdeck import flow, get_run_logger

@flow
def talks(count: int = 3):
    for number in range(count):
        get_run_logger().info("line %d", number)
"""
# Every line comes three ways; what is asked is that each is there once, whatever is killed meanwhile.
COUNTING = """
    import logging

    @task
    def say(number):
        get_run_logger().info("logged %d", number)
        print(f"printed {number}")
        subprocess.run(["sh", "-c", f"echo shelled {number}"])
        while number % 10 == 9 and not os.path.exists(f"go-{number // 10}"):
            time.sleep(0.01)

    @flow
    def main():
        for number in range(50):
            say(number)
    """


def test_flow_is_found_run_and_read_at_the_keyboard(live: LiveHome) -> None:
    """From an empty home: the flow is listed, t and enter run it, its log is on the screen, q leaves."""
    (live.folder / "talks.py").write_text(FLOW_FILE, encoding="utf-8")
    with live.screen() as terminal:
        terminal.wait_for("Flows")
        terminal.press("3")
        terminal.wait_for("talks")
        terminal.press("t")
        terminal.wait_for("count")
        terminal.press("enter")
        terminal.wait_for(r"Completed +\S+ +talks")
        terminal.wait_for("line 2")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_bytes_that_are_no_text_do_not_end_the_screen(live: LiveHome) -> None:
    """A paste in another encoding is keys that do nothing."""
    with live.screen() as terminal:
        terminal.wait_for("Flows")
        terminal.type_bytes(b"\xe9abc\xff\xfe\x80")
        terminal.press("1")
        terminal.wait_for(r"\[1 Runs\]")
        terminal.pump(0.3)
        assert terminal.exit_code is None
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_nothing_that_dies_loses_or_doubles_a_line(live: LiveHome) -> None:
    """SIGKILL of screen, engine, both; then the line drops: the run goes on, each line is there once, in order."""
    with live.screen() as first:
        first.wait_for("Flows")
        run = live.create(COUNTING)
        live.until_said(run, "logged 9")
        os.kill(first.pid, signal.SIGKILL)
        first.wait_for_exit()
    go_on(live, 0)
    live.until_said(run, "logged 19")
    live.kill_engine()
    go_on(live, 1)
    with live.screen() as second:
        second.wait_for(r"Running +\S+ +main")
        live.until_said(run, "logged 29")
        live.kill_engine()
        os.kill(second.pid, signal.SIGKILL)
        second.wait_for_exit()
        go_on(live, 2)
        live.until_said(run, "logged 39")
    with live.screen() as third:
        third.wait_for(r"Running +\S+ +main")
        engine = live.until(lambda: live.deck.engine.status().pid)
        third.hang_up()
        third.wait_for_exit()
        go_on(live, 3)
        live.until_said(run, "logged 49")
        assert live.deck.engine.status().pid == engine
    go_on(live, 4)
    assert live.until_ended(run).state_name == "Completed"
    records = [json.loads(line) for line in live.command("flow-run", "logs", run.id, "--json").stdout.splitlines()]
    for source, word in (("logger", "logged"), ("stdout", "printed"), ("stdout", "shelled")):
        texts = [record["message"] for record in records if record["source"] == source]
        numbers = [int(m[1]) for text in texts if (m := re.fullmatch(rf"{word} (\d+)", text))]
        assert numbers == list(range(50)), word


def go_on(live: LiveHome, ten: int) -> None:
    """Let the flow pass the next ten calls."""
    (live.folder / f"go-{ten}").touch()


def test_e_lends_the_terminal_to_the_editor_and_takes_it_back(live: LiveHome, tmp_path: Path) -> None:
    """The editor gets the line that broke; what it wrote is gone from the screen afterwards, and keys act again."""
    editor, told = tmp_path / "vim", tmp_path / "told"
    editor.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {told}\necho "in the editor"\nread line\n')
    editor.chmod(0o755)
    live.environment["VISUAL"] = str(editor)
    source = "from flowdeck import flow\n\n\n@flow\ndef talks():\n    raise ValueError(7)\n"
    (live.folder / "talks.py").write_text(source)
    with live.screen() as terminal:
        terminal.wait_for("Flows")
        terminal.press("3")
        terminal.wait_for("talks")
        terminal.press("t")
        terminal.wait_for("run talks")
        terminal.press("enter")
        terminal.wait_for(r"Failed +\S+ +talks")
        terminal.press("e")
        terminal.wait_for("in the editor")
        assert told.read_text() == f"+6|{live.folder / 'talks.py'}|"
        terminal.press("enter")
        terminal.wait_for(r"\[1 Runs\]")
        assert "in the editor" not in terminal.text()
        terminal.press("q")
        assert terminal.wait_for_exit() == 0
