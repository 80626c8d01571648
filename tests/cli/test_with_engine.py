"""Commands that need an engine, with a real one: runs in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowdeck.deck import Deck, FlowEntry, RunQuery
from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.states import StateType
from flowdeck.store.catalogue import FlowDescription
from tests.cli.conftest import Command, Script
from tests.cli.seeds import Seeds

# An engine is meant to outlive the process that starts it; here that is this one.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

FLOW = """
import os, time
from pathlib import Path
from flowdeck import flow, task

@task
def work(text):
    print(text)

@flow(log_prints=True)
def job(text: str = "done", fail_unless: str = "", seconds: float = 0):
    work(text)
    time.sleep(seconds)
    if fail_unless and not Path(fail_unless).exists():
        raise FileNotFoundError(fail_unless)
"""
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "fail_unless": {"type": "string"}, "seconds": {"type": "number"}},
    "required": [],
}


@pytest.fixture
def engines(deck: Deck, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever engine a command brings up imports what this process does, and is stopped at the end."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    yield
    deck.engine.stop()


@pytest.fixture
def job(deck: Deck, seeds: Seeds, script: Script, engines: None) -> FlowEntry:
    """A flow that is described, in a folder that nobody watches."""
    path = script("job.py", FLOW)
    description = FlowDescription("job", "job", 11, None, SCHEMA)
    seeds.catalogue.put_file(str(path.parent), path.name, "0", sys.executable, "ok", None, [description])
    return deck.flows.find("job")


def notes_of(err: str) -> list[str]:
    """Return the notes of a command; on a busy machine there are others, of why the run does not move yet."""
    notes = [line for line in err.splitlines() if line.startswith("flowdeck: ")]
    return [note for note in notes if " is Pending: " not in note and " is Scheduled: " not in note]


def test_create_and_watch(command: Command, deck: Deck, job: FlowEntry) -> None:
    """The engine comes up with a word about it, the log is shown while it grows, and the result is the last word."""
    output = command("flow-run", "create", "job", "-p", "text=well", "--tag", "t", "--name", "n", "--watch", "--json")
    assert output.code == 0
    notes = notes_of(output.err)
    served = f"{deck.home} (pid {deck.engine.status().pid})"
    assert notes == [f"flowdeck: started an engine for {served}; it ends by itself when nothing needs it."]
    assert " I work-0           well\n" in output.err
    run = output.json
    assert (run["state_name"], run["name"], run["tags"], run["triggered_by"]) == ("Completed", "n", ["t"], "cli")
    assert run["exit_code"] == 0
    assert run["parameters"]["text"] == "well"
    again = command("flow-run", "create", "job", "--watch")
    assert again.code == 0
    assert again.out.startswith("✓ Completed: run ")
    assert "started an engine" not in again.err


def test_retry_and_watch(command: Command, deck: Deck, job: FlowEntry, tmp_path: Path) -> None:
    """A retry shows its own attempt only, and its exit code is that of the run."""
    wanted = tmp_path / "wanted"
    first = command("flow-run", "create", "job", "-p", f"fail_unless={wanted}", "--watch", "--json")
    assert (first.code, first.json["state_name"]) == (1, "Failed")
    assert first.json["error"]["type"] == "FileNotFoundError"
    run_id = first.json["id"]
    wanted.touch()
    second = command("flow-run", "retry", short_id(run_id), "--watch", "--json")
    assert second.code == 0
    assert (second.json["id"], second.json["attempt"], second.json["error"]) == (run_id, 2, None)
    assert "FileNotFoundError" not in second.err
    assert "attempt 2; 1 recorded result to reuse" in second.err
    refused = command("flow-run", "retry", run_id)
    assert (refused.code, refused.out) == (1, "")
    assert "--completed" in refused.err
    assert command("flow-run", "retry", run_id, "--completed", "--watch").code == 0


def test_retry_right_after_a_kill(command: Command, deck: Deck, job: FlowEntry) -> None:
    """It waits until the engine has noted that the script is gone; nobody has to try again."""
    deck.engine.ensure(started_by="cli")
    path = Path(job.folder) / job.file
    script_run = subprocess.Popen(
        [sys.executable, "-c", f"import runpy; runpy.run_path({str(path)!r})['job'](seconds=60)"]
    )
    with deck.changes() as feed:
        while not (runs := deck.flow_runs.select(RunQuery())) or runs[0].task_counts.completed == 0:
            feed.wait(1)
    script_run.kill()
    script_run.wait()
    retried = command("flow-run", "retry", runs[0].id, "--json")
    assert (retried.code, retried.json["attempt"]) == (0, 2)
    command("flow-run", "cancel", runs[0].id, "--force")


def test_rerun_is_a_new_run_with_one_parameter_changed(
    command: Command, deck: Deck, job: FlowEntry, tmp_path: Path
) -> None:
    """The old run stays as it is and is the origin of the new one; --watch gives its exit code."""
    wanted = tmp_path / "wanted"
    first = command("flow-run", "create", "job", "-p", f"fail_unless={wanted}", "--tag", "a", "--watch", "--json")
    run_id = first.json["id"]
    again = command("flow-run", "rerun", short_id(run_id), "--watch", "--json")
    assert (again.code, again.json["parameters"]) == (1, first.json["parameters"])
    other = tmp_path / "other"
    other.touch()
    mended = command("flow-run", "rerun", run_id, "-p", f"fail_unless={other}", "--name", "mended", "--watch", "--json")
    assert mended.code == 0
    assert (mended.json["origin_run_id"], mended.json["name"], mended.json["tags"]) == (run_id, "mended", ["a"])
    assert mended.json["parameters"]["fail_unless"] == str(other)
    assert deck.flow_runs.find(run_id).state_name == "Failed"
    refused = command("flow-run", "rerun", run_id, "-p", "seconds=soon")
    assert (refused.code, refused.out) == (2, "")
    assert "seconds must be a number, not 'soon'" in refused.err


def test_create_for_later_and_with_a_key(command: Command, job: FlowEntry) -> None:
    """A run can be asked for at a time; the same key gives the same run."""
    words = ["flow-run", "create", "job", "--at", "2130-01-31T08:00:00Z", "--key", "k", "--json"]
    first, second = command(*words), command(*words)
    assert (first.code, second.code) == (0, 0)
    assert first.json["scheduled_at"] == "2130-01-31T08:00:00.000000Z"
    assert first.json["waiting_reason"].startswith("starts at 2130-01-31 ")
    assert second.json["id"] == first.json["id"]
    assert "a run with the key 'k' is there already" in second.err
    assert "there already" not in first.err


def test_server(command: Command, deck: Deck, job: FlowEntry, tmp_path: Path) -> None:
    """An engine in the background is there until it is stopped; a second one is refused."""
    started = command("server", "start", str(tmp_path), "--background", "--json")
    assert (started.code, started.json["running"]) == (0, True)
    assert started.json["folders"] == [str(tmp_path)]
    status = command("server", "status", "--json")
    assert (status.code, status.json["pid"]) == (0, started.json["pid"])
    refused = command("server", "start")
    assert (refused.code, refused.out) == (1, "")
    assert f"pid {started.json['pid']}" in refused.err
    assert command("server", "stop").out == "The engine has stopped; runs go on.\n"
    assert command("server", "stop").out == "No engine was running.\n"
    assert command("server", "status").code == 3


def test_first_command_after_the_start(command: Command, script: Script, engines: None) -> None:
    """An engine that was started just now has its flows known by the next command."""
    folder = script("job.py", FLOW).parent
    script("other.py", FLOW.replace("def job", "def other"))
    assert command("server", "start", str(folder), "--background").code == 0
    listed = command("flow", "ls", "--json").json
    assert [(flow["name"], flow["file"]) for flow in listed] == [("job", "job.py"), ("other", "other.py")]
    assert command("flow-run", "create", "other", "--watch").code == 0


def test_flow_of_a_file_that_nobody_watches_yet(command: Command, deck: Deck, script: Script, engines: None) -> None:
    """FILE:FUNCTION is enough: its folder is watched from then on, and the run goes its way."""
    path = script("job.py", FLOW)
    output = command("flow-run", "create", "job.py:job", "-p", "text=5", "--watch", "--json")
    assert (output.code, output.json["parameters"]) == (0, {"text": "5"})
    assert f"flowdeck: watching {path.parent} from now on." in output.err
    assert deck.engine.status().folders == (str(path.parent),)


def test_flow_of_a_broken_file(command: Command, script: Script, engines: None) -> None:
    """A file that cannot be imported has no run, and says why; inspecting it shows where."""
    script("broken.py", "import no_such_module\n" + FLOW)
    output = command("flow-run", "create", "broken.py:job")
    assert (output.code, output.out) == (1, "")
    assert (
        "broken.py cannot be imported: ModuleNotFoundError: No module named 'no_such_module' (broken.py:1)"
        in output.err
    )
    shown = command("flow", "inspect", "broken.py:job", "--json").json
    assert (shown["status"], shown["error"]["line"]) == ("import_error", 1)


def test_interrupted_watch_leaves_the_run(deck: Deck, job: FlowEntry) -> None:
    """Ctrl-C while a run is watched ends the watching, not the run."""
    with _console("flow-run", "create", "job", "-p", "seconds=1.5", "--watch") as process:
        assert process.stderr is not None
        while "work-0" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    run = deck.flow_runs.select()[0]
    assert run.state_type is StateType.RUNNING
    assert f"flowdeck: run {run.name} goes on; `flowdeck flow-run cancel {short_id(run.id)}` ends it." in rest
    with deck.changes() as feed:
        while not deck.flow_runs.find(run.id).is_final:
            feed.wait(5)
    assert deck.flow_runs.find(run.id).state_type is StateType.COMPLETED


def test_cancel_of_a_run_that_runs(command: Command, deck: Deck, job: FlowEntry) -> None:
    """A running run is asked to end, and does."""
    run_id = command("flow-run", "create", "job", "-p", "seconds=60", "--json").json["id"]
    with deck.changes() as feed:
        while deck.flow_runs.find(run_id).state_type is not StateType.RUNNING:
            feed.wait(5)
        asked = command("flow-run", "cancel", run_id)
        assert (asked.code, asked.out.endswith(" cancelled.\n")) == (0, True)
        while not deck.flow_runs.find(run_id).is_final:
            feed.wait(5)
    assert deck.flow_runs.find(run_id).state_type is StateType.CANCELLED


def test_follow_shows_lines_as_they_are_written(deck: Deck, seeds: Seeds) -> None:
    """`logs -f` shows a line soon after it was written, and ends with the run."""
    run_id = seeds.run()
    seeds.log(run_id, (20, "print", None, None, "first"))
    lag_seconds: list[float] = []
    with _console("flow-run", "logs", "-f", run_id) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().endswith("first\n")
        for number in range(8):
            seeds.log(run_id, (20, "print", 1, "load-0", f"line {number}"))
            written = time.monotonic()
            assert process.stdout.readline().endswith(f"load-0           line {number}\n")
            lag_seconds.append(time.monotonic() - written)
        seeds.log(run_id, (20, "print", None, None, "last"))
        seeds.set_state(deck.flow_runs.find(run_id).key, "Completed")
        assert process.stdout.read().endswith("last\n")
        assert process.stderr.read() == ""
    assert process.returncode == 0
    assert sorted(lag_seconds)[4] <= 0.1


def test_follow_as_json(deck: Deck, seeds: Seeds) -> None:
    """With --json a message of several lines comes as one object when it is whole."""
    run_id = seeds.run()
    seeds.log(run_id, (20, "print", None, None, "begin"))
    with _console("flow-run", "logs", "-f", "--json", run_id) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["message"] == "begin"
        seeds.log(run_id, (40, "print", None, None, "one\ntwo\nthree"))
        assert json.loads(process.stdout.readline())["message"] == "one\ntwo\nthree"
        seeds.set_state(deck.flow_runs.find(run_id).key, "Completed")
        assert process.stdout.read() == ""
    assert process.returncode == 0


def _console(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.console", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
    )  # fmt: skip
