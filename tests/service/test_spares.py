"""Warm spares of real engines: a run in one goes as it would without, and none is left over or lost a run to."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from flowdeck.deck import FlowRun
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.rules.states import StateType
from tests.support.live_home import LiveHome, is_running

LOOKS = """
    import json, locale, re, resource

    def descriptors():
        if sys.platform != "linux": return []
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return sorted(re.sub("[0-9a-f-]{36}|[0-9]+", "N", os.readlink(link)) for link in links if os.path.lexists(link))

    @flow
    def main():
        environment = dict(os.environ)
        environment.pop("FLOWDECK_RUN_ID")
        limits = [resource.getrlimit(vars(resource)[name]) for name in dir(resource) if name.startswith("RLIMIT_")]
        handlers = [signal.getsignal(number) for number in sorted(signal.valid_signals())]
        known = sys.modules.keys()
        looks = {
            "cwd": os.getcwd(), "environment": environment, "argv": sys.argv, "path": sys.path,
            "executable": sys.executable, "flags": list(sys.flags), "umask": os.umask(0o77), "limits": limits,
            "signals": [getattr(handler, "__qualname__", str(handler)) for handler in handlers],
            "mask": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "niceness": os.nice(0),
            "stdin": sys.stdin.read(), "encodings": [sys.stdout.encoding, sys.getfilesystemencoding()],
            "locale": locale.setlocale(locale.LC_CTYPE), "zone": time.tzname,
            "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()], "file": __file__, "name": __name__,
            "descriptors": descriptors(),
            "modules": sorted(name for name in known if not name.startswith(("flowdeck.", "ctypes", "_ctypes"))),
        }
        sys.stdout.write(json.dumps(looks) + "\\n")
    """
NOTES_THAT_IT_RAN = """
    @flow
    def main():
        with open("ran", "a") as ran: ran.write("once\\n")
        {}
    """
WAITS_FOR_GO = """
    @flow
    def main():
        while not os.path.exists("go"): time.sleep(0.02)
        sys.stdout.write("went\\n")
    """
QUICK = NOTES_THAT_IT_RAN.format("")
LOOP = "while True: time.sleep(0.05)"


@pytest.fixture
def without_spares(tmp_path: Path) -> Iterator[LiveHome]:
    home = LiveHome(tmp_path, {"FLOWDECK_SPARES": "0"})
    yield home
    home.close()


def trigger(live: LiveHome, body: str, environment: Mapping[str, str] | None = None, **columns: object) -> FlowRun:
    """Schedule a run that no engine sees before it is complete."""
    now = SYSTEM_CLOCK.now_microseconds()
    run = live.create(body, environment, scheduled_at=datetime.now(UTC) + timedelta(days=1))
    live.set_columns(run, scheduled_at=now, **columns)
    return run


def until_ready(live: LiveHome, count: int = 1) -> None:
    live.until(lambda: live.deck.engine.status().spares_ready == count)


def engine_with_spare(live: LiveHome) -> tuple[int, int]:
    """Start an engine; return the pids of the run host and the flow process that it has ready."""
    engine = live.start_engine()
    until_ready(live)
    return pair_of(engine.pid)


def pair_of(engine: int) -> tuple[int, int]:
    """Return the pids of the one pair that waits below an engine."""
    pairs = pairs_of(engine)
    assert len(pairs) == 1
    return pairs[0]


def pairs_of(engine: int) -> list[tuple[int, int]]:
    """Return the pids of run host and flow process of every pair below an engine that was started as a spare."""
    pairs: list[tuple[int, int]] = []
    for child in psutil.Process(engine).children():
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "flowdeck.host.spare_host" in child.cmdline():
                pairs.extend((child.pid, below.pid) for below in child.children())
    return pairs


def processes_of(live: LiveHome, run: FlowRun) -> tuple[int, int]:
    return live.database.reader().execute("SELECT host_pid, pid FROM flow_run WHERE key = ?", (run.key,)).fetchone()


def state_names(live: LiveHome, run: FlowRun) -> list[str]:
    return [state.state_name for state in live.deck.flow_runs.states(run.key)]


def until_gone(live: LiveHome, run: FlowRun) -> FlowRun:
    """Wait until a run's process has ended and all that it wrote is in the log."""
    return live.until(lambda: (found := live.now(run)) and (found.exit_code, found.signal) != (None, None) and found)


def times_run(live: LiveHome) -> int:
    with contextlib.suppress(FileNotFoundError):
        return len((live.folder / "ran").read_text().splitlines())
    return 0


@pytest.mark.parametrize("surroundings", [{"COLOUR": "green", "TZ": "Asia/Tokyo", "EMPTY": ""}, {"FOLDER": "\udcff"}])
def test_run_in_a_spare_has_the_looks_of_any_other(live: LiveHome, surroundings: dict[str, str]) -> None:
    """Folder, whole environment, arguments, search path, limits, signals and descriptors are those of a cold start."""
    with live.deck.changes():  # so that both have a bell to ring
        cold = live.create(LOOKS, surroundings)
        live.start_host(cold).wait(30)
        expected = json.loads(live.messages(cold, "stdout")[0])
        pair = engine_with_spare(live)
        run = trigger(live, LOOKS, surroundings)
        done = until_gone(live, run)
    assert processes_of(live, run) == pair
    assert (done.state_type, done.exit_code) == (StateType.COMPLETED, 0)
    assert json.loads(live.messages(run, "stdout")[0]) == expected


@pytest.mark.parametrize(
    ("deed", "exit_code", "number"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", None, 9),
        ("os._exit(3)", 3, None),
        ("raise ValueError('no')", 1, None),
    ],
)
def test_end_of_a_run_in_a_spare_is_recorded(
    live: LiveHome, deed: str, exit_code: int | None, number: int | None
) -> None:
    """Exit code and signal are in the row; a process that went down with user code is not taken for a dead spare."""
    pair = engine_with_spare(live)
    run = trigger(live, NOTES_THAT_IT_RAN.format(deed))
    done = until_gone(live, run)
    assert (done.exit_code, done.signal) == (exit_code, number)
    assert processes_of(live, run) == pair
    assert times_run(live) == 1


def test_cancel_of_a_run_in_a_spare_leaves_no_process(live: LiveHome) -> None:
    """`finally` runs, and a grandchild in its own session that ignores SIGTERM is ended too."""
    pair = engine_with_spare(live)
    body = f"""
        @flow
        def main():
            subprocess.Popen(["setsid", "sh", "-c", "trap '' TERM HUP; echo $$; while :; do sleep 0.05; done"])
            try:
                {LOOP}
            finally:
                get_run_logger().info("tidied up")
        """
    run = trigger(live, body)
    stubborn = int(live.until(lambda: live.messages(run, "stdout"))[0])
    assert processes_of(live, run) == pair
    live.deck.flow_runs.cancel(run.id)
    live.until(lambda: not is_running(pair[0]))
    assert live.now(run).state_type is StateType.CANCELLED
    assert live.messages(run, "logger") == ["tidied up"]
    assert not is_running(stubborn)


def test_daemon_of_a_spare_is_found_when_its_host_is_lost(live: LiveHome) -> None:
    """A fork that belongs to nobody any more shows the run's id, although its first parent began without one."""
    engine_with_spare(live)
    body = f"""
        @flow
        def main():
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.write(1, b"%d\\n" % os.getpid())
                    {LOOP}
                os._exit(0)
            os.wait()
            {LOOP}
        """
    run = trigger(live, body)
    daemon = int(live.until(lambda: live.messages(run, "stdout"))[0])
    os.kill(processes_of(live, run)[0], signal.SIGKILL)
    assert live.until_over(run).state_type is StateType.CRASHED
    assert not is_running(daemon)


@pytest.mark.parametrize(
    "variables", [{"PYTHONHASHSEED": "1"}, {"LD_BIND_NOW": "1"}, {"LC_ALL": "POSIX.x"}, {"PYTHONPATH": ""}]
)
def test_variables_that_are_read_at_the_start_need_a_new_process(live: LiveHome, variables: dict[str, str]) -> None:
    """The run starts cold, and the spare goes on waiting."""
    if "PYTHONPATH" in variables:
        variables = {"PYTHONPATH": live.environment["PYTHONPATH"] + ":relative"}
    engine = live.start_engine()
    until_ready(live)
    pair = pair_of(engine.pid)
    run = trigger(live, QUICK, variables)
    assert live.until_over(run).state_type is StateType.COMPLETED
    assert set(processes_of(live, run)).isdisjoint(pair)
    assert pair_of(engine.pid) == pair
    assert live.deck.engine.status().spares_ready == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_spares_leave_with_their_engine_and_runs_stay(live: LiveHome, number: signal.Signals) -> None:
    """However the engine ends, what waits is gone within a second; a run that was given a spare goes on."""
    engine = live.start_engine()
    until_ready(live)
    given = pair_of(engine.pid)
    run = trigger(live, WAITS_FOR_GO)
    live.until_named(run, "Running")
    live.until(lambda: pairs_of(engine.pid) not in ([], [given]) and live.deck.engine.status().spares_ready == 1)
    waiting = next(pair for pair in pairs_of(engine.pid) if pair != given)
    engine.send_signal(number)
    engine.wait(30)
    live.until(lambda: not any(is_running(pid) for pid in waiting), seconds=1.0)
    assert live.deck.engine.status().spares_ready == 0
    (live.folder / "go").touch()
    assert until_gone(live, run).state_type is StateType.COMPLETED
    assert live.messages(run, "stdout") == ["went"]
    assert processes_of(live, run) == given


@pytest.mark.parametrize("which", [0, 1], ids=["host", "flow process"])
def test_spare_that_dies_while_it_waits_is_replaced(live: LiveHome, which: int) -> None:
    """Killed is one half of the pair; the other goes too, and a new pair takes a run."""
    engine = live.start_engine()
    until_ready(live)
    old = pair_of(engine.pid)
    os.kill(old[which], signal.SIGKILL)
    live.until(lambda: pairs_of(engine.pid) not in ([], [old]) and live.deck.engine.status().spares_ready == 1)
    assert not any(is_running(pid) for pid in old)
    new = pair_of(engine.pid)
    run = trigger(live, QUICK)
    assert live.until_over(run).state_type is StateType.COMPLETED
    assert processes_of(live, run) == new


def test_run_that_was_handed_to_a_dying_host_runs_once(live: LiveHome) -> None:
    """The host is killed before it could take what the engine had given it: another one starts, for the same claim."""
    host, _ = engine_with_spare(live)
    os.kill(host, signal.SIGSTOP)
    run = trigger(live, QUICK)
    live.until(lambda: f"Run {run.id} started; its host has pid {host}" in live.stderr())
    os.kill(host, signal.SIGKILL)
    assert live.until_over(run).state_type is StateType.COMPLETED
    assert processes_of(live, run)[0] != host
    assert state_names(live, run) == ["Scheduled", "Pending", "Running", "Completed"]
    assert times_run(live) == 1


def test_run_whose_flow_process_dies_before_it_took_its_order_runs_once(live: LiveHome) -> None:
    """No code of the user has run by then: the same host starts another flow process."""
    host, below = engine_with_spare(live)
    os.kill(below, signal.SIGSTOP)
    run = trigger(live, QUICK)
    live.until(lambda: processes_of(live, run) == (host, below))
    os.kill(below, signal.SIGKILL)
    assert live.until_over(run).state_type is StateType.COMPLETED
    assert processes_of(live, run)[0] == host
    assert processes_of(live, run)[1] != below
    assert state_names(live, run) == ["Scheduled", "Pending", "Running", "Completed"]
    assert times_run(live) == 1


def test_host_that_ends_after_it_took_its_run_is_not_replaced(live: LiveHome) -> None:
    """The run is Crashed, as any whose host is gone; it does not run a second time."""
    host, _ = engine_with_spare(live)
    run = trigger(live, NOTES_THAT_IT_RAN.format(LOOP))
    live.until(lambda: times_run(live) == 1)
    os.kill(host, signal.SIGKILL)
    assert live.until_over(run).state_type is StateType.CRASHED
    live.until(lambda: live.stderr().count(f"Run {run.id} started") == 2)  # this one finds the run taken, and leaves
    assert times_run(live) == 1
    assert state_names(live, run) == ["Scheduled", "Pending", "Running", "Crashed"]


def test_many_runs_at_once_each_run_once(live: LiveHome) -> None:
    """One has the spare, the others start cold; none is lost, none doubled."""
    engine_with_spare(live)
    runs = [trigger(live, QUICK) for _ in range(6)]
    for run in runs:
        assert live.until_over(run).state_type is StateType.COMPLETED
    assert times_run(live) == 6
    until_ready(live)


def test_no_spares_where_none_are_wanted(without_spares: LiveHome) -> None:
    """The setting 0: runs start cold, and nothing waits even when there has been time for it."""
    live = without_spares
    engine = live.start_engine()
    run = trigger(live, NOTES_THAT_IT_RAN.format("time.sleep(1)"))
    assert live.until_over(run).state_type is StateType.COMPLETED
    assert pairs_of(engine.pid) == []
    assert live.deck.engine.status().spares_ready == 0


def test_waiting_costs_no_processor(live: LiveHome) -> None:
    """Neither half of a pair wakes up while nothing happens."""
    pair = [psutil.Process(pid) for pid in engine_with_spare(live)]
    live.until(lambda: all(process.status() == psutil.STATUS_SLEEPING for process in pair))
    time.sleep(0.2)  # until the host, which has just said that it is ready, has gone to wait
    before = [process.num_ctx_switches() for process in pair]
    time.sleep(0.6)
    assert [process.num_ctx_switches() for process in pair] == before


def test_other_python_has_spares_after_its_first_run(live: LiveHome) -> None:
    """Of a virtual environment: first cold, then warm; and what is installed there meanwhile counts."""
    folder = live.folder.parent / "environment"
    venv.create(folder, symlinks=True)
    other = str(folder / "bin" / "python")
    body = """
        @flow
        def main(): sys.stdout.write(f"{sys.executable} {'/installed/since' in sys.path}\\n")
        """
    engine = live.start_engine()
    until_ready(live)
    own = pair_of(engine.pid)
    packages = next(folder.glob("lib/python*/site-packages"))
    for number, said in enumerate((f"{other} False", f"{other} False", f"{other} True")):
        hosts = {pair[0] for pair in pairs_of(engine.pid)}
        run = trigger(live, body, interpreter=other)
        until_gone(live, run)
        assert live.messages(run, "stdout") == [said]
        assert (processes_of(live, run)[0] in hosts) == (number > 0)
        assert own in pairs_of(engine.pid)
        until_ready(live, 2)
        if number == 1:
            (packages / "since.pth").write_text("import sys; sys.path.append('/installed/since')\n")


def test_python_that_cannot_wait_is_said_once(live: LiveHome) -> None:
    """Its runs start cold all the same, the engine's own spare stays, and the reason is in the engine's log."""
    other = live.folder.parent / "python"
    other.write_text(f'#!/bin/sh\ncase "$*" in *spare*) exit 7;; esac\nexec {sys.executable} "$@"\n')
    other.chmod(0o700)
    live.start_engine()
    until_ready(live)
    run = trigger(live, QUICK, interpreter=str(other))
    assert live.until_over(run).state_type is StateType.COMPLETED
    live.until(lambda: f"A spare of {other} did not get ready" in live.stderr())
    assert live.deck.engine.status().spares_ready == 1


def test_python_with_another_flowdeck_gives_no_spare(live: LiveHome) -> None:
    """What waits there would be of another version than its host; its runs start cold."""
    other = live.folder.parent / "python"
    patched = live.folder.parent / "patched"
    patched.mkdir()
    (patched / "sitecustomize.py").write_text("from flowdeck.rules import versions\nversions.__version__ = '0.0.9'\n")
    other.write_text(f'#!/bin/sh\nPYTHONPATH="{patched}:$PYTHONPATH" exec {sys.executable} "$@"\n')
    other.chmod(0o700)
    live.start_engine()
    until_ready(live)
    run = trigger(live, QUICK, interpreter=str(other))
    assert live.until_over(run).state_type is StateType.COMPLETED
    live.until(lambda: f"No spare of {other}: it has flowdeck 0.0.9." in live.stderr())
    assert live.deck.engine.status().spares_ready == 1
