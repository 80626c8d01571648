"""Flows that do odd things to their process, their output or their parameters, under real hosts.

Each: one clear sentence where the user looks, nothing lost, and the host goes on doing its work.
"""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowdeck.deck import FlowEntry, FlowRun
from flowdeck.rules.exceptions import ParameterError
from flowdeck.rules.parameters import parameter_schema
from flowdeck.rules.parameters import parameters as parameter_rules
from flowdeck.rules.states import StateType
from flowdeck.service.supervisor import HOST_GONE
from flowdeck.store.logs.log_writer import MAX_BYTES_SETTING
from tests.support.live_home import LiveHome, is_running

PIECE_BYTES = 64 * 1024
HOST_MAX_BYTES = 40_000_000
"""More than a host ever needs, less than any of the floods below."""


def ended(live: LiveHome, body: str, **settings: str) -> FlowRun:
    """Run a flow of this body under a host, and return its run once the host has left."""
    live.environment |= settings
    run = live.create(body)
    assert live.start_host(run).wait(60) == 0
    return live.now(run)


# -- output ------------------------------------------------------------------------------------------------------------


def test_bytes_that_are_no_text_become_escapes(live: LiveHome) -> None:
    """Of stdout and stderr; also what Python itself could not encode."""
    run = ended(
        live,
        """
        @flow
        def main():
            os.write(1, b"caf\\xe9 \\xff\\x00\\n")
            os.write(2, b"\\x80\\n")
            print("lone \\udce9")
        """,
    )
    assert run.state_type is StateType.COMPLETED
    assert sorted(live.messages(run, "stdout")) == ["caf\\xe9 \\xff\x00", "lone \\udce9"]
    assert live.messages(run, "stderr") == ["\\x80"]


def test_endless_line_is_kept_in_pieces_with_little_memory(live: LiveHome) -> None:
    """100 MB without a newline: all of it is in the log, the flow goes on, the host stays small."""
    run = live.create("""
        @flow
        def main():
            piece = b"x" * (1 << 20)
            for _ in range(100): os.write(1, piece)
            os.write(1, b"\\nafter\\n")
            while not os.path.exists("stop"): time.sleep(0.01)
        """)
    host = live.start_host(run)
    live.until_said(run, "after")
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{host.pid}/status").read_text())
    (live.folder / "stop").touch()
    assert host.wait(30) == 0
    *pieces, last = live.messages(run, "stdout")
    assert (last, sum(map(len, pieces)), max(map(len, pieces))) == ("after", 100 << 20, PIECE_BYTES)
    assert peak is not None
    assert int(peak[1]) * 1024 < HOST_MAX_BYTES


def test_log_that_is_full_says_so_and_the_run_goes_on(live: LiveHome) -> None:
    """What is too much is dropped behind one warning that names the setting."""
    run = ended(live, """
        @flow
        def main():
            for number in range(20_000): os.write(1, b"line %d\\n" % number)
        """, FLOWDECK_LOG_MAX_BYTES=str(200_000))  # fmt: skip
    assert run.state_type is StateType.COMPLETED
    (warning,) = [record.message for record in live.log(run) if record.level == "WARNING"]
    assert MAX_BYTES_SETTING in warning
    kept = live.messages(run, "stdout")
    assert kept == [f"line {number}" for number in range(len(kept))]
    assert live.database.home.log_file(run.id).stat().st_size < 201_000


def test_escapes_and_markup_stay_text(live: LiveHome) -> None:
    """In lines, names of tasks and runs, tags and errors: no command shows an escape, none interprets markup."""
    evil = "\x1b]0;title\x07\x1b[31m[bold]red[/]\x9b2J\x7f"
    run = live.create(f"""
        evil = {evil!r}
        @task(name=evil)
        def show():
            print(evil)
            get_run_logger().warning(evil)
            os.write(2, (evil + "\\n").encode())

        @flow(name=evil.replace("/", ""))
        def main():
            show()
            raise ValueError(evil)
        """, name=evil, tags=[evil])  # fmt: skip
    assert live.start_host(run).wait(30) == 0
    assert live.now(run).state_type is StateType.FAILED
    assert evil in live.messages(run, "logger")
    for words in (["flow-run", "logs", run.id], ["flow-run", "inspect", run.id], ["flow-run", "ls"],
                  ["flow-run", "logs", run.id, "--json"], ["flow-run", "inspect", run.id, "--json"],
                  ["task-run", "ls", run.id]):  # fmt: skip
        shown = live.command(*words)
        assert shown.returncode == 0, shown.stderr
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown.stdout), words
        assert "[bold]red[/]" in shown.stdout, words


def test_many_writers_at_once_keep_their_lines_whole(live: LiveHome) -> None:
    """300 subprocesses: every line once, and in order for each of them."""
    run = ended(
        live,
        """
        @flow
        def main():
            script = "for line in 1 2 3; do echo $0-$line " + "z" * 200 + "; done"
            writers = [subprocess.Popen(["sh", "-c", script, str(number)]) for number in range(300)]
            assert [writer.wait() for writer in writers] == [0] * 300
        """,
    )
    assert run.state_type is StateType.COMPLETED
    lines = live.messages(run, "stdout")
    assert sorted(lines) == sorted(f"{number}-{line} {'z' * 200}" for number in range(300) for line in (1, 2, 3))
    assert [line[:3] for line in lines if line.startswith("7-")] == ["7-1", "7-2", "7-3"]


def test_flow_that_closes_its_stdout(live: LiveHome) -> None:
    """What is logged and printed by lines is in the log all the same, and the run is what its flow made of it."""
    run = ended(
        live,
        """
        @flow
        def main():
            os.close(1)
            print("printed")
            get_run_logger().info("logged")
        """,
    )
    assert run.state_type is StateType.COMPLETED
    assert (live.messages(run, "stdout"), live.messages(run, "logger")) == (["printed"], ["logged"])


# -- sudden ends -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "exit_code", "number", "message"),
    [
        ("os._exit(0)", 0, None, "Its process ended with exit code 0 before the flow was over."),
        ("os._exit(3)", 3, None, "Its process ended with exit code 3 before the flow was over."),
        ("os.abort()", None, signal.SIGABRT, "Its process was killed by SIGABRT."),
        ("__import__('ctypes').string_at(0)", None, signal.SIGSEGV, "Its process was killed by SIGSEGV."),
    ],
)
def test_process_that_ends_under_its_flow(
    live: LiveHome, deed: str, exit_code: int | None, number: int | None, message: str
) -> None:
    """Crashed, with the reason; what it had written before is kept; of a crash in C the author's line is logged."""
    run = ended(
        live,
        f"""
        @flow
        def main():
            print("before")
            {deed}
        """,
    )
    assert (run.state_type, run.state_message) == (StateType.CRASHED, message)
    assert (run.exit_code, run.signal) == (exit_code, number)
    assert live.messages(run, "stdout") == ["before"]
    assert live.log(run)[-1].message == f"Crashed: {message}"
    if number is not None:
        assert any(re.search(r'flows\.py", line 8 in main', text) for text in live.messages(run, "stderr"))


def test_kill_by_somebody_else_is_told_from_one_of_ours(live: LiveHome) -> None:
    """SIGKILL that flowdeck did not send; nothing on this machine ran out of memory meanwhile."""
    run = ended(
        live,
        """
        @flow
        def main(): os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert (run.state_type, run.signal) == (StateType.CRASHED, signal.SIGKILL)
    assert re.match(r"Its process was killed by SIGKILL, not by flowdeck.*peak memory \d+ MB", run.state_message or "")


def test_memory_that_is_refused_is_a_failure(live: LiveHome) -> None:
    """A limit of the author's own gives a MemoryError with its line, not a crash."""
    run = ended(
        live,
        """
        import resource
        @flow
        def main():
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
            bytearray(4 << 30)
        """,
    )
    assert (run.state_type, run.state_message) == (StateType.FAILED, "MemoryError")
    assert run.error is not None
    assert run.error.line == 9


def test_other_runs_go_on(live: LiveHome) -> None:
    """One engine, four runs at a time: three fall over in their own ways, the fourth Completes."""
    deeds = {
        "killed": "os.kill(os.getpid(), signal.SIGKILL)", "left": "os._exit(0)",
        "torn": "os.kill(os.getppid(), 9); time.sleep(60)",
        "steady": "print('steady')\n            while not os.path.exists('go'): time.sleep(0.01)",
    }  # fmt: skip
    entries = {
        name: live.flow(f"""
        @flow
        def main():
            {deed}
        """, file=f"{name}.py")
        for name, deed in deeds.items()
    }  # fmt: skip
    live.start_engine()
    runs = {name: live.deck.flow_runs.create(entry, {}) for name, entry in entries.items()}
    over = {name: live.until_over(run) for name, run in runs.items() if name != "steady"}
    (live.folder / "go").touch()
    over["steady"] = live.until_over(runs["steady"])
    assert {name: run.state_type for name, run in over.items()} == {
        "killed": StateType.CRASHED, "left": StateType.CRASHED, "torn": StateType.CRASHED,
        "steady": StateType.COMPLETED,
    }  # fmt: skip
    assert over["torn"].state_message == HOST_GONE
    assert live.messages(runs["steady"], "stdout") == ["steady"]


# -- processes that stay -----------------------------------------------------------------------------------------------

DAEMON = """
        @flow
        def main():
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    with open("daemon", "w") as told: told.write(f"{os.getpid()}\\n")
                    nothing = os.open(os.devnull, os.O_RDWR)
                    for number in (0, 1, 2): os.dup2(nothing, number)
                    os.execvp("sleep", ["sleep", "60"])
                os._exit(0)
            os.wait()
            while not os.path.exists("daemon") or not open("daemon").read(): time.sleep(0.01)
            print("forked")
"""


def test_daemon_of_a_completed_flow_is_left_alone(live: LiveHome) -> None:
    """It closed the pipes, so the host leaves too: who forks a daemon wants it to stay."""
    run = ended(live, DAEMON)
    assert run.state_type is StateType.COMPLETED
    daemon = int((live.folder / "daemon").read_text())
    assert is_running(daemon)
    os.kill(daemon, signal.SIGKILL)


def test_daemon_of_a_cancelled_flow_is_ended(live: LiveHome) -> None:
    """Although it has left session, group and parent."""
    run = live.create(DAEMON + "            while True: time.sleep(0.05)\n")
    host = live.start_host(run)
    live.until_said(run, "forked")
    live.deck.flow_runs.cancel(run.id)
    assert host.wait(30) == 0
    assert live.now(run).state_type is StateType.CANCELLED
    assert not is_running(int((live.folder / "daemon").read_text()))


def test_daemon_of_a_crashed_flow_is_named(live: LiveHome) -> None:
    """The log says what still goes on."""
    run = ended(live, DAEMON + "            os._exit(3)\n")
    daemon = int((live.folder / "daemon").read_text())
    assert live.messages(run, "engine")[-1] == f"Processes that the run started go on: pid {daemon} (sleep)."
    os.kill(daemon, signal.SIGKILL)


# -- results and parameters --------------------------------------------------------------------------------------------


def test_results_that_cannot_be_pickled_do_no_harm(live: LiveHome) -> None:
    """A lock, a local class: handed to the caller, and the run Completes; of a generator its items are."""
    run = ended(
        live,
        """
        import threading
        @task
        def lock(): return threading.Lock()
        @task
        def numbers(): return (number for number in (1, 2))
        @flow
        def main():
            with lock(), lock.submit().result(): pass
            assert list(numbers()) == [1, 2]
            return lambda: 1
        """,
    )
    assert (run.state_type, run.task_counts.completed) == (StateType.COMPLETED, 3)


ECHO = """
    @flow
    def main(count: int, text: str = ""):
        print(count, len(text), text == "é" * (5 << 20))
    """


def echo(live: LiveHome) -> FlowEntry:
    """Return a flow that takes parameters, as the engine's discovery describes it."""

    def main(count: int, text: str = "") -> None: ...

    schema = parameter_schema.schema(parameter_rules.signature_of(main), parameter_rules.type_hints(main), None)
    return replace(live.flow(ECHO), parameter_schema=schema)


@pytest.mark.parametrize(
    ("given", "named"),
    [({}, "count"), ({"count": 1, "colour": "red"}, "colour"), ({"count": "many"}, "count")],
)
def test_parameters_that_do_not_fit_are_refused(live: LiveHome, given: dict[str, Any], named: str) -> None:
    """Missing, unknown, of the wrong type: a sentence names it, and no run is made of a known flow."""
    flow = echo(live)
    with pytest.raises(ParameterError, match=named) as refused:
        live.deck.flow_runs.create(flow, given)
    assert str(refused.value).count("\n") == 0
    assert live.all_runs() == []


def test_parameters_that_no_longer_fit_fail_the_run(live: LiveHome) -> None:
    """The file was changed after the trigger: the run says what is wrong, its body does not run."""
    run = ended(
        live,
        """
        @flow
        def main(count: int): print("not here")
        """,
    )
    assert run.state_type is StateType.FAILED
    assert "count" in (run.state_message or "")
    assert live.messages(run, "stdout") == []


def test_parameter_of_ten_megabytes(live: LiveHome) -> None:
    """It arrives whole; neither a pipe nor a command line is in its way, and the log does not repeat it."""
    flow = echo(live)
    text = "é" * (5 << 20)
    run = live.deck.flow_runs.create(flow, {"count": 7, "text": text})
    assert live.start_host(run).wait(60) == 0
    assert live.now(run).state_type is StateType.COMPLETED
    assert live.messages(run, "stdout") == [f"7 {len(text)} True"]
    assert live.now(run).parameters["text"] == text
    assert live.database.home.log_file(run.id).stat().st_size < 10_000
    shown = live.command("flow-run", "inspect", run.id)
    assert (shown.returncode, len(shown.stdout) < 10_000) == (0, True)
    assert f"({len(text) + 2:,} characters; --json has them all)" in shown.stdout
