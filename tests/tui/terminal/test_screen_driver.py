"""The screen in a real pseudo-terminal that misbehaves, or is taken away and given back."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.terminal import Terminal
from tests.tui.seeded_home import SeededHome
from tests.tui.test_launch import CODE, IMPORT_PATH, launch, modes_left_on

FOLDER = Path(__file__).parent
CRASH = """
import sys
from flowdeck_tui import launch
from flowdeck_tui.keyed_app import KeyedApp
def broken(self): raise ZeroDivisionError("division by zero")
KeyedApp.action_screen_repaint = broken
sys.exit(launch.main(sys.argv[1]))
"""


@pytest.fixture
def environment(home: SeededHome) -> Iterator[dict[str, str]]:
    home.engine_up()
    yield {"PYTHONPATH": IMPORT_PATH, "FLOWDECK_HOME": str(home.path), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.parametrize(
    "variables",
    [{"NO_COLOR": "1"}, {"NO_COLOR": ""}, {"TERM": "dumb"}, {"TERM": "linux", "COLORTERM": ""}, {"TERM": "screen"},
     {"TERM": "xterm", "COLORTERM": "", "LANG": "C", "LC_ALL": "C"}, {"COLUMNS": "10", "LINES": "5"}],
    ids=lambda variables: " ".join(f"{name}={value}" for name, value in variables.items()),
)  # fmt: skip
def test_every_pane_and_dialog_opens_in_any_terminal(
    environment: dict[str, str], home: SeededHome, variables: dict[str, str]
) -> None:
    """Panes, log, detail, form, copy menu, palette, help, jump, prompt, question; without NO_COLOR in colours only."""
    home.flow("etl")
    home.run("lazy-fox", state="Failed")
    with launch({**environment, **variables}, home.folder) as terminal:
        terminal.wait_for("lazy-fox")
        for keys, shown in (
            (["enter"], "Tasks|tasks"), (["]"], "lazy-fox"), (["escape"], "lazy-fox"), (["l"], "lazy-fox"),
            (["escape"], "lazy-fox"), (["y"], "copy"), (["escape"], "lazy-fox"), ([":"], "commands"),
            (["escape"], "lazy-fox"), (["?"], "help"), (["escape"], "lazy-fox"), (["'"], "jump"),
            (["escape"], "lazy-fox"), (["/"], "[Ff]ilter"), (["escape"], "lazy-fox"), (["3"], r"flows\.py"),
            (["t"], "etl"), (["escape"], r"flows\.py"),
        ):  # fmt: skip
            terminal.press(*keys)
            terminal.wait_for(shown)
            terminal.pump(0.15)
        terminal.press("ctrl+q")
        assert terminal.wait_for_exit() == 0
        assert "Traceback" not in terminal.text()


def test_without_colours_none_are_sent(environment: dict[str, str], home: SeededHome) -> None:
    """NO_COLOR means none, greys neither; the row of the cursor is seen by its sign."""
    home.run("lazy-fox")
    with launch({**environment, "NO_COLOR": "1"}, home.folder) as terminal:
        terminal.wait_for(r">.*Completed +lazy-fox")  # the cursor's row is known by its sign
        terminal.wait_for("engine running")
        colours = re.findall(rb"\x1b\[[0-9;]*?(?<![0-9])[34]8;[0-9;]*m|\x1b\[(?:3[0-7]|4[0-7])m", terminal.tail)
        assert colours == []


def test_late_answers_retry_nothing(environment: dict[str, str], home: SeededHome) -> None:
    """The `r` of rgb, of DECRQSS and XTGETTCAP, in pieces too; then keys act as before."""
    home.run("lazy-fox", state="Failed")
    with launch(environment, home.folder) as terminal:
        terminal.wait_for("lazy-fox")
        terminal.wait_for("engine running")
        for answer in (b"\x1b]11;rgb:1616/1818/1b1b\x1b\\", b"\x1bP1$r0m\x1b\\", b"\x1bP1+r544e=78\x1b\\",
                       b"\x1b[48;30;100;0;0t\x1b[<35;10;10M", b"\x1b[1114112u", b"\x1b[97;1;1114112u",
                       b"\x1b[48;100000000;100000000;1;1t\x1b[<35;10;10M", b"\x1b[?62;c\x1b[>41;1;0c"):  # fmt: skip
            half = len(answer) // 2
            for piece in (answer, answer[:half], answer[half:]):
                terminal.type_bytes(piece)
                terminal.pump(0.15)
        assert "etry" not in terminal.text().splitlines()[-2]
        terminal.press("?")
        terminal.wait_for("help")
        terminal.press("escape")
        terminal.pump(0.3)
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_sizes_that_cannot_be(environment: dict[str, str], home: SeededHome) -> None:
    """No columns, or all that a terminal can claim: the screen lives and is drawn again at a real size."""
    home.run("lazy-fox")
    with launch(environment, home.folder) as terminal:
        terminal.wait_for("lazy-fox")
        for columns, lines in ((0, 0), (1, 1), (80, 0), (0, 24)):
            terminal._set_size(columns, lines)
            os.kill(terminal.pid, signal.SIGWINCH)
            terminal.pump(0.2)
        terminal._set_size(80, 24)
        os.kill(terminal.pid, signal.SIGWINCH)
        terminal.pump(0.3)
        terminal.press("ctrl+r")
        terminal.wait_for("lazy-fox")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_a_crash_is_one_sentence_and_exit_code_1(environment: dict[str, str], home: SeededHome) -> None:
    """With its place; the terminal is as it was."""
    home.run("lazy-fox")
    with Terminal([sys.executable, "-c", CRASH, str(home.folder)], 160, 24, environment) as terminal:
        terminal.wait_for("lazy-fox")
        terminal.press("ctrl+r")
        assert terminal.wait_for_exit() == 1
        assert "flowdeck: The screen broke and has ended: ZeroDivisionError: division by zero" in terminal.text()
        assert "Traceback" not in terminal.text()
        assert "Error" not in terminal.text().replace("ZeroDivisionError", "")
        assert not modes_left_on(terminal)


@pytest.mark.parametrize(
    ("variables", "said"),
    [({"EDITOR": "nosuch-editor --wait"}, "nosuch-editor cannot be started: No such file"),
     ({"EDITOR": "/"}, "/ cannot be started: Permission denied"), ({"EDITOR": "''"}, "cannot be started"),
     ({"EDITOR": "sh -c 'stty raw -echo; kill -9 $$'"}, "ended with exit code -9")],
)  # fmt: skip
def test_an_editor_that_cannot_be_started_leaves_a_living_screen(
    environment: dict[str, str], home: SeededHome, variables: dict[str, str], said: str
) -> None:
    """The sentence stands on the screen, keys act, and the terminal is left as it was."""
    home.flow("etl")
    (home.folder / "flows.py").write_text("pass\n" * 20)
    with launch({**environment, "VISUAL": "", **variables}, home.folder, 120) as terminal:
        terminal.wait_for(r"flows\.py:10")
        terminal.press("e")
        terminal.wait_for(re.escape(said))
        assert modes_left_on(terminal) >= {25, 1000, 1049}
        terminal.press("?")
        terminal.wait_for("help")
        terminal.press("ctrl+q")
        assert terminal.wait_for_exit() == 0
        assert not modes_left_on(terminal)


def test_a_stop_and_fg_draw_all_anew(environment: dict[str, str], home: SeededHome) -> None:
    """`kill -TSTP` gives the terminal back; SIGCONT takes it again, and what was drawn over is repaired."""
    home.run("lazy-fox")
    with launch(environment, home.folder) as terminal:
        terminal.wait_for("lazy-fox")
        terminal.wait_for("engine running")
        process = psutil.Process(terminal.pid)
        for _ in range(2):
            os.kill(terminal.pid, signal.SIGTSTP)
            deadline = time.monotonic() + 10
            while process.status() != psutil.STATUS_STOPPED and time.monotonic() < deadline:
                terminal.pump(0.02)
            terminal.pump(0.1)
            assert process.status() == psutil.STATUS_STOPPED
            assert not modes_left_on(terminal)
            terminal._screen.reset()
            os.kill(terminal.pid, signal.SIGCONT)
            terminal.wait_for("lazy-fox")
            terminal.wait_for(" q Quit")
            terminal.pump(0.2)
            assert modes_left_on(terminal) >= {25, 1000, 1049}
        threads = process.num_threads()
        os.kill(terminal.pid, signal.SIGSTOP)  # nobody asked us
        terminal.pump(0.1)
        terminal._screen.reset()
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.wait_for("lazy-fox")
        terminal.pump(0.3)
        assert process.num_threads() <= threads
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_ctrl_z_goes_to_the_shell_and_fg_comes_back(environment: dict[str, str], home: SeededHome) -> None:
    """In a shell with job control; the wrapper that has started the screen stops with it."""
    home.run("lazy-fox")
    command = f"{sys.executable} -c '{CODE}' {home.folder}"
    with Terminal(["bash", "--norc", "--noprofile", "-i"], 80, 24, {**environment, "PS1": "shell> "}) as terminal:
        terminal.wait_for("shell>")
        terminal.press(f"env {command}", "enter")
        terminal.wait_for("lazy-fox")
        terminal.wait_for("engine running")
        terminal.press("ctrl+z")
        terminal.wait_for("Stopped")
        assert not modes_left_on(terminal) & {1000, 1049}
        terminal.press("fg", "enter")
        terminal.wait_for("engine running")
        terminal.wait_for("q Quit")
        terminal.press("q")
        terminal.pump(0.5)
        terminal.press("exit", "enter")
        assert terminal.wait_for_exit() == 0


def test_keys_that_come_twice_end_no_dialog_twice(environment: dict[str, str], home: SeededHome) -> None:
    """All in one packet: a letter of the copy menu, esc, ctrl+c, before the dialog above is drawn."""
    home.flow("etl")
    home.run("lazy-fox", state="Failed")
    command = [sys.executable, "-c", CODE, str(home.folder)]
    with Terminal(command, environment=environment, folder=home.path.parent) as terminal:
        terminal.wait_for("lazy-fox")
        terminal.wait_for("engine running")
        for keys in ("yii", "yiii", "y\x03i", "y\r\r", ":\x03\x03", "y\x03", "'\r\r", "?\x03", "yww", "yyy", "x\x03nn"):
            terminal.type_bytes(keys.encode())
            terminal.pump(0.3)
            for _ in range(2):
                terminal.press("escape")
                terminal.pump(0.2)
        terminal.press("ctrl+q")
        assert terminal.wait_for_exit() == 0
