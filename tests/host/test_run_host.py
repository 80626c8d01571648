"""A run host with a real flow process: what is captured, what is recorded of its end, and how a cancel goes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from flowdeck.rules.states import StateType
from tests.support.live_home import LiveHome, is_running

LOOP = "while True: time.sleep(0.05)"


def test_run_completes_with_its_output_and_exit_code(live: LiveHome) -> None:
    """Logger, stdout, stderr and a grandchild's output are in the log by source; the exit is in the row."""
    run = live.create("""
        @task
        def add(x): return x + 1

        @flow
        def main():
            get_run_logger().info("from the logger")
            sys.stdout.write("from stdout\\n")
            sys.stderr.write("from stderr\\n")
            subprocess.run(["sh", "-c", "echo from a grandchild"], check=True)
            return add(1)
        """)
    host = live.start_host(run)
    assert host.wait(30) == 0
    done = live.now(run)
    assert (done.state_type, done.exit_code, done.signal) == (StateType.COMPLETED, 0, None)
    assert done.task_counts.completed == 1
    assert live.messages(run, "logger") == ["from the logger"]
    assert live.messages(run, "stdout") == ["from stdout", "from a grandchild"]
    assert live.messages(run, "stderr") == ["from stderr"]


def test_flow_process_has_the_looks_of_a_script(live: LiveHome) -> None:
    """Folder, argv, name, environment and stdin are as promised; the stored environment, perhaps secret, is gone."""
    run = live.create(
        """
        import json
        MODULE_NAME = __name__
        @flow
        def main():
            looks = {
                "path": sys.path[0], "argv": sys.argv, "cwd": os.getcwd(), "name": MODULE_NAME,
                "colour": os.environ["COLOUR"], "run_id": os.environ["FLOWDECK_RUN_ID"], "stdin": sys.stdin.read(),
                "hangup": signal.getsignal(signal.SIGHUP) is signal.SIG_DFL, "leader": os.getsid(0) == os.getpid(),
            }
            sys.stdout.write(json.dumps(looks) + "\\n")
        """,
        environment={"COLOUR": "green"},
    )
    assert live.start_host(run).wait(30) == 0
    assert json.loads(live.messages(run, "stdout")[0]) == {
        "path": str(live.folder), "argv": [str(live.folder / "flows.py")], "cwd": str(live.folder), "name": "flows",
        "colour": "green", "run_id": run.id, "stdin": "", "hangup": True, "leader": True,
    }  # fmt: skip
    row = live.database.reader().execute("SELECT environment, interpreter FROM flow_run").fetchone()
    assert row == (None, sys.executable)


@pytest.mark.parametrize(
    ("deed", "exit_code", "number", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", None, 9, "Its process was killed by SIGKILL, not by flowdeck"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", None, 11, "Its process was killed by SIGSEGV."),
        ("os._exit(3)", 3, None, "Its process ended with exit code 3 before the flow was over."),
    ],
)
def test_sudden_end_is_a_crash_that_says_how(
    live: LiveHome, deed: str, exit_code: int | None, number: int | None, message: str
) -> None:
    """A process that is gone before its flow was over is Crashed, with its calls and subflows, and the log says it."""
    run = live.create(f"""
        @task
        def fall(): {deed}

        @flow
        def below(): fall()

        @flow
        def main():
            get_run_logger().warning("careful")
            below()
        """)
    live.start_host(run).wait(30)
    crashed = live.now(run)
    assert crashed.state_type is StateType.CRASHED
    assert (crashed.state_message or "").startswith(message)
    assert (crashed.exit_code, crashed.signal) == (exit_code, number)
    assert (crashed.warning_count, crashed.error_count) == (1, 1)
    below = live.deck.flow_runs.subflows(run.key)[0]
    assert below.state_type is StateType.CRASHED
    assert [call.state_type for call in live.deck.task_runs.of_flow_run(below.key)] == [StateType.CRASHED]
    assert live.log(run)[-1].message == f"Crashed: {crashed.state_message}"


def test_file_that_cannot_be_imported_fails_the_run(live: LiveHome) -> None:
    """The author's line and traceback are in the row and in the log; none of ours."""
    run = live.create("""
        import no_such_module

        @flow
        def main(): pass
        """)
    live.start_host(run).wait(30)
    failed = live.now(run)
    assert (failed.state_type, failed.exit_code) == (StateType.FAILED, 1)
    assert failed.error is not None
    assert failed.error.type == "ModuleNotFoundError"
    assert (failed.error.file, failed.error.line) == (str(live.folder / "flows.py"), 5)
    assert "flowdeck" not in failed.error.traceback.replace(str(live.folder), "").replace("from flowdeck", "")
    record = live.log(run)[-1]
    assert (record.level, record.source) == ("ERROR", "engine")
    assert "no_such_module" in record.message
    assert failed.error_count == 1


def test_flow_that_is_gone_from_its_file_fails_the_run(live: LiveHome) -> None:
    """The sentence names the file and what it has instead."""
    run = live.create("""
        @flow
        def main(): pass
        """)
    live.flow("""
        @flow
        def other(): pass
        """)
    live.start_host(run).wait(30)
    failed = live.now(run)
    assert failed.state_type is StateType.FAILED
    assert failed.state_message is not None
    assert "'main'" in failed.state_message
    assert "other" in failed.state_message


def test_missing_working_directory_is_said(live: LiveHome) -> None:
    """A run that cannot be started crashes with one sentence, and its host leaves."""
    run = live.create("""
        @flow
        def main(): pass
        """)
    live.set_columns(run, working_dir="/no/such/folder")
    live.start_host(run).wait(30)
    message = "Its working directory /no/such/folder cannot be entered: No such file or directory."
    assert live.now(run).state_message == message


def test_host_of_an_older_claim_leaves_the_run_alone(live: LiveHome) -> None:
    """A run that was given back and claimed again belongs to its newest incarnation only."""
    run = live.create("""
        @flow
        def main(): pass
        """)
    incarnation = live.claim()
    assert live.start_host(run, incarnation + 1).wait(30) == 0
    assert live.now(run).state_type is StateType.PENDING
    assert live.now(run).host_pid is None


def test_prompt_is_visible_before_its_newline(live: LiveHome) -> None:
    """What was written without a newline is in the log while the run goes on."""
    run = live.create(f"""
        @flow
        def main():
            sys.stdout.write("name? ")
            sys.stdout.flush()
            {LOOP}
        """)
    live.start_host(run)
    assert live.until_said(run, "name?") == "name? "
    assert not live.now(run).is_final


def test_output_of_a_grandchild_that_outlives_the_flow_is_kept(live: LiveHome) -> None:
    """The final state does not wait for it, its last line is in the log all the same, and the host leaves with it."""
    stop = live.folder / "stop"
    run = live.create(f"""
        @flow
        def main():
            script = "while [ ! -e {stop} ]; do sleep 0.05; done; echo the last word"
            subprocess.Popen(["setsid", "sh", "-c", script])
        """)
    host = live.start_host(run)
    done = live.until_over(run)
    assert done.state_type is StateType.COMPLETED
    assert host.poll() is None
    stop.touch()
    assert host.wait(30) == 0
    assert live.messages(run, "stdout") == ["the last word"]


def test_host_survives_a_hangup(live: LiveHome) -> None:
    """SIGHUP, as from a terminal that is closed, is none of a host's business."""
    go = live.folder / "go"
    run = live.create(f"""
        @flow
        def main():
            while not os.path.exists({str(go)!r}): time.sleep(0.02)
            sys.stdout.write("still here\\n")
        """)
    host = live.start_host(run)
    live.until_named(run, "Running")
    host.send_signal(signal.SIGHUP)
    go.touch()
    assert host.wait(30) == 0
    assert live.messages(run, "stdout") == ["still here"]


STUBBORN = f"""
    @flow
    def main():
        script = "trap '' TERM HUP; echo $$; while :; do sleep 0.05; done"
        subprocess.Popen(["setsid", "sh", "-c", script])
        try:
            {LOOP}
        finally:
            get_run_logger().info("tidied up")
    """


def test_cancel_lets_the_flow_tidy_up_and_leaves_no_process(live: LiveHome) -> None:
    """With no engine at hand: `finally` runs, and a grandchild in its own session that ignores SIGTERM is ended too."""
    run = live.create(STUBBORN)
    host = live.start_host(run)
    stubborn = int(live.until(lambda: live.messages(run, "stdout"))[0])
    live.deck.flow_runs.cancel(run.id)
    assert host.wait(30) == 0
    assert live.now(run).state_type is StateType.CANCELLED
    assert live.messages(run, "logger") == ["tidied up"]
    assert not is_running(stubborn)


def test_forced_cancel_does_not_wait(live: LiveHome) -> None:
    """A flow that would not end is killed at once, and Cancelled by its host."""
    run = live.create(f"""
        @flow
        def main():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            sys.stdout.write("deaf\\n")
            {LOOP}
        """)
    live.environment["FLOWDECK_CANCEL_GRACE_SECONDS"] = "1000"
    host = live.start_host(run)
    live.until_said(run, "deaf")
    live.deck.flow_runs.cancel(run.id, force=True)
    assert host.wait(30) == 0
    cancelled = live.now(run)
    assert (cancelled.state_name, cancelled.state_message) == ("Cancelled", "Cancelled by force.")
    assert cancelled.signal == signal.SIGKILL


def test_cancel_kills_after_the_grace(live: LiveHome) -> None:
    """A flow that does not listen has its grace, no more; then the row says what became of it."""
    run = live.create(f"""
        @flow
        def main():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            sys.stdout.write("deaf\\n")
            {LOOP}
        """)
    host = live.start_host(run)
    live.until_said(run, "deaf")
    asked = time.monotonic()
    live.deck.flow_runs.cancel(run.id)
    assert host.wait(30) == 0
    assert time.monotonic() - asked >= 1.0
    cancelled = live.now(run)
    assert (cancelled.state_name, cancelled.state_message) == ("Cancelled", "Cancelled on request.")
    assert (cancelled.exit_code, cancelled.signal) == (None, signal.SIGKILL)


def test_cancel_of_a_flow_that_waits_for_calls_needs_no_kill(live: LiveHome) -> None:
    """Its own grace ends before that of its host: it records the end, whatever its threads do."""
    run = live.create("""
        @task
        def loops():
            sys.stdout.write("looping\\n")
            while True: time.sleep(0.01)

        @flow
        def main(): loops.submit()
        """)
    live.environment["FLOWDECK_CANCEL_GRACE_SECONDS"] = "10"
    host = live.start_host(run)
    live.until_said(run, "looping")
    live.deck.flow_runs.cancel(run.id)
    assert host.wait(30) == 0
    cancelled = live.now(run)
    assert (cancelled.state_name, cancelled.exit_code, cancelled.signal) == ("Cancelled", 1, None)


def test_cancel_before_the_host_came_up_runs_no_user_code(live: LiveHome) -> None:
    """A run that was claimed and cancelled becomes Cancelled without its file being imported."""
    run = live.create("""
        open("imported", "w").close()

        @flow
        def main(): pass
        """)
    incarnation = live.claim()
    live.deck.flow_runs.cancel(run.id)
    assert live.start_host(run, incarnation).wait(30) == 0
    assert live.now(run).state_type is StateType.CANCELLED
    assert not (live.folder / "imported").exists()


def test_sigterm_to_a_host_is_a_cancel(live: LiveHome) -> None:
    """The system's shutdown, or a person with `kill`, ends a run as a cancel does."""
    run = live.create(f"""
        @flow
        def main():
            {LOOP}
        """)
    host = live.start_host(run)
    live.until_named(run, "Running")
    os.kill(host.pid, signal.SIGTERM)
    assert host.wait(30) == 0
    assert live.now(run).state_type is StateType.CANCELLED


def test_flood_of_output_is_kept_whole(live: LiveHome) -> None:
    """Every one of many lines is in the log, once and in order, although the pipe is small."""
    run = live.create("""
        @flow
        def main():
            sys.stdout.write("".join(f"line {number}\\n" for number in range(50_000)))
        """)
    assert live.start_host(run).wait(60) == 0
    assert live.messages(run, "stdout") == [f"line {number}" for number in range(50_000)]


def test_printed_lines_of_threads_stay_whole_and_have_their_task(live: LiveHome) -> None:
    """Without log_prints too: a line of a mapped task is one record, under its own task."""
    run = live.create("""
        @task
        def show(number):
            print("row", number, "of", "many")

        @flow
        def main():
            show.map(range(20)).wait()
            print("a part,", end=" "); print("and its rest")
        """)
    live.start_host(run).wait()
    printed = {(record.task_name, record.message) for record in live.log(run) if record.source == "stdout"}
    assert printed == {
        *((f"show-{number}", f"row {number} of many") for number in range(20)),
        (None, "a part, and its rest"),
    }


def test_log_says_that_a_deaf_process_had_to_be_killed(tmp_path: Path) -> None:
    """A flow process that ignores SIGTERM, alone in its tree, is counted too."""
    live = LiveHome(tmp_path, {"FLOWDECK_CANCEL_GRACE_SECONDS": "0.2"})
    try:
        run = live.create("""
            @flow
            def main():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                get_run_logger().info("deaf")
                while True: time.sleep(0.05)
            """)
        host = live.start_host(run)
        live.until_said(run, "deaf")
        live.deck.flow_runs.cancel(run.id)
        host.wait()
        assert live.now(run).state_message == "Cancelled on request."
        assert any("1 process of the run did not end when asked" in text for text in live.messages(run, "engine"))
    finally:
        live.close()
