"""`x` in the screen, on runs that would rather stay."""

from __future__ import annotations

import re
import shutil
import signal
import sys
import time
from collections.abc import Callable

import pytest

from flowdeck.deck import FlowRun
from flowdeck.rules.states import StateType
from tests.support.live_home import LiveHome, is_running

# Grandchildren of three kinds, none of them in the flow's process group, all of them deaf to SIGTERM and SIGHUP: one in
# a session of its own, a daemon that was forked twice, and one that does not even carry the run's id.
BREEDS = """
    DEAF = "trap '' TERM HUP; echo $$ >> pids.txt; while :; do sleep 0.05; done"

    def daemon():
        if os.fork():
            return
        os.setsid()
        if os.fork():
            os._exit(0)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        with open("pids.txt", "a") as pids:
            pids.write(f"{os.getpid()}\\n")
        while True:
            time.sleep(0.05)

    @flow
    def main():
        subprocess.Popen(["setsid", "sh", "-c", DEAF])
        daemon()
        subprocess.run(["sh", "-c", 'setsid env -i PATH="$PATH" sh -c "$0" &', DEAF])
        while True:
            time.sleep(0.05)
    """
SITS_IN_A_TASK = """
    @task
    def sits():
        child = subprocess.Popen(["sleep", "600"])
        get_run_logger().info("child %d", child.pid)
        child.wait()

    @flow
    def main():
        sits()

    main()
    """
Wrap = Callable[[LiveHome, str], list[str]]


def cancel_at_the_keyboard(live: LiveHome, run: FlowRun) -> float:
    """Open the screen, press x and y on the only run, wait for its end; return the seconds from y to that."""
    with live.screen() as terminal:
        terminal.wait_for(rf"Running +{re.escape(run.name)}")
        live.until(lambda: live.deck.engine.status().running)
        terminal.press("x")
        terminal.wait_for(r"Cancel .*\?")
        terminal.press("y")
        pressed = time.monotonic()
        terminal.wait_for(rf"Cancelled +{re.escape(run.name)}")
        seconds = time.monotonic() - pressed
        terminal.press("q")
        assert terminal.wait_for_exit() == 0
    return seconds


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process without the run's id be found again")
def test_cancel_ends_grandchildren_in_sessions_of_their_own(live: LiveHome) -> None:
    """None is left after the grace and a moment, however it hid."""
    run = live.create(BREEDS)
    live.start_engine()
    pids = live.folder / "pids.txt"
    deaf = live.until(lambda: pids.exists() and len(found := pids.read_text().split()) == 3 and found)
    assert cancel_at_the_keyboard(live, run) < 12
    live.until(lambda: live.now(run).exit_code is not None or live.now(run).signal is not None)
    assert not [pid for pid in map(int, deaf) if is_running(pid)]


def in_a_shell_script(live: LiveHome, command: str) -> list[str]:
    """Return what runs a command, and one after it, from a shell script."""
    (live.folder / "job.sh").write_text(f"{command}\necho went on > went-on.txt\n", encoding="utf-8")
    return ["sh", "-c", f"cd {live.folder} && sh job.sh"]


def in_make(live: LiveHome, command: str) -> list[str]:
    """Return what runs a command, and one after it, from make."""
    (live.folder / "Makefile").write_text(f"all:\n\t-{command}\n\techo went on > went-on.txt\n", encoding="utf-8")
    return ["make", "-C", str(live.folder)]


@pytest.mark.parametrize(
    "wrap",
    [
        in_a_shell_script,
        pytest.param(in_make, marks=pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")),
    ],
)
def test_cancel_of_a_script_ends_the_script_only(live: LiveHome, wrap: Wrap) -> None:
    """It shares its group with what started it, which goes on with its next command; the script's own child goes."""
    live.flow(SITS_IN_A_TASK, file="script.py")
    outer = live.start(arguments=wrap(live, f"{sys.executable} script.py"))
    run = live.until(live.deck.flow_runs.select)[0]
    child = int(live.until_said(run, "child ").split()[1])
    cancel_at_the_keyboard(live, run)
    assert live.now(run).state_type is StateType.CANCELLED
    assert outer.wait(30) == 0, live.stderr()
    assert (live.folder / "went-on.txt").exists()
    live.until(lambda: not is_running(child))
    assert signal.SIGTERM.name not in (live.now(run).state_message or "")
