"""Words in, exit codes and sentences out."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowdeck import cli
from flowdeck.deck import Deck
from tests.cli.conftest import Command, Script
from tests.cli.seeds import Seeds

NOUNS = {
    "server": ["start", "stop", "status", "unwatch"],
    "flow": ["ls", "inspect"],
    "flow-run": ["create", "ls", "inspect", "logs", "retry", "rerun", "cancel", "delete"],
    "task-run": ["ls", "inspect"],
}


def test_help_everywhere(command: Command) -> None:
    """Every command explains itself on stdout and does nothing else."""
    helped = command("--help")
    assert (helped.code, helped.err) == (0, "")
    for noun, verbs in NOUNS.items():
        assert f"  {noun} " in helped.out
        listed = command(noun, "--help")
        assert (listed.code, listed.err) == (0, "")
        for verb in verbs:
            assert f"  {verb} " in listed.out
            output = command(noun, verb, "--help")
            assert (output.code, output.err) == (0, "")
            assert output.out.startswith(f"usage: flowdeck {noun} {verb}")
    for word in ("run", "doctor"):
        assert command(word, "--help").out.startswith(f"usage: flowdeck {word}")


def test_every_listing_and_inspect_takes_json(command: Command) -> None:
    """--json is there wherever something is listed or inspected."""
    for noun, verb in [("flow", "ls"), ("flow", "inspect"), ("flow-run", "ls"), ("flow-run", "inspect"),
                       ("flow-run", "logs"), ("flow-run", "create"), ("flow-run", "retry"), ("flow-run", "rerun"),
                       ("task-run", "ls"), ("task-run", "inspect"), ("server", "status")]:  # fmt: skip
        assert "--json" in command(noun, verb, "--help").out, (noun, verb)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["flo"], 2, "There is no command and no folder 'flo'. Did you mean `flowdeck flow`?"),
        (["--jason"], 2, "There is no option --jason."),
        ([".", "x"], 2, "One folder at a time"),
        (["flow-run"], 2, "Say what to do: flowdeck flow-run create | ls"),
        (["flow-run", "frob"], 2, "`flowdeck flow-run` knows no 'frob'. There are: create, ls"),
        (["flow-run", "list"], 2, "`flowdeck flow-run` knows no 'list'. Did you mean `flowdeck flow-run ls`?"),
        (["flow-run", "inspect"], 2, "Missing: RUN. See `flowdeck flow-run inspect --help`."),
        (["flow-run", "ls", "--limit", "-1"], 2, "--limit"),
        (["flow-run", "ls", "--state", "odd"], 2, "'state:odd' names no state: odd. States are scheduled, pending"),
        (["flow-run", "ls", "--frob"], 2, "Not understood: --frob."),
        (["flow-run", "logs", "x", "--level", "loud"], 2, "'loud' is no level"),
        (["flow-run", "create", "x", "--at", "soon"], 2, "'soon' is no time; write it as 2030-01-31T08:00"),
        (["task-run", "inspect", "abc"], 2, "'abc' is not a whole number"),
        (["server", "start", "--json"], 2, "--json belongs to --background"),
        (["flow-run", "inspect", "nothing"], 3, "There is no flow run 'nothing'."),
        (["flow-run", "logs", "nothing"], 3, "There is no flow run 'nothing'."),
        (["flow-run", "cancel", "nothing"], 3, "There is no flow run 'nothing'."),
        (["flow-run", "create", "nothing"], 3, "There is no flow 'nothing'."),
        (["flow", "inspect", "nothing"], 3, "There is no flow 'nothing'."),
        (["task-run", "inspect", "99"], 3, "There is no task run 99."),
        (["server", "start", "/nowhere", "--background"], 3, "There is no folder /nowhere."),
        (["server", "unwatch", "/nowhere"], 3, "The folder /nowhere is not watched. Watched folders: none."),
        (["run", "/nowhere.py"], 3, "There is no file /nowhere.py."),
        (["run", "/"], 2, "/ is a folder"),
    ],
)
def test_what_cannot_be_done(command: Command, words: list[str], code: int, sentence: str) -> None:
    """One sentence on stderr, the exit code of its kind, and stdout empty."""
    output = command(*words)
    assert output.code == code
    assert output.out == ""
    assert output.err.startswith("flowdeck: ")
    assert sentence in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("word", ["run", "flow-run"])
def test_folder_named_like_a_command(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """The command wins, and says how to open the folder."""
    (tmp_path / word).mkdir()
    monkeypatch.chdir(tmp_path)
    output = command(word)
    assert output.code == 2
    assert output.err.endswith(f" To open the folder of that name: `flowdeck ./{word}`.\n")


def test_watched_folder_that_is_gone(command: Command, deck: Deck, tmp_path: Path) -> None:
    """`server status` says how to be rid of it, and that way works."""
    folder = tmp_path / "not here"
    folder.mkdir()
    deck.folders.watch(folder)
    folder.rmdir()
    told = f"flowdeck: {folder} is not there; its flows are listed until `flowdeck server unwatch '{folder}'`.\n"
    assert command("server", "status").err == told
    assert command("server", "unwatch", str(folder)).out == f"The folder {folder} is watched no more; its runs stay.\n"
    assert command("server", "status").err == ""


def test_ambiguous_run(command: Command, seeds: Seeds) -> None:
    """A name of two runs is not understood, and the candidates are listed."""
    ids = [seeds.run(name="twin"), seeds.run(name="twin")]
    output = command("flow-run", "inspect", "twin")
    assert output.code == 2
    assert all(run_id in output.err for run_id in ids)


def test_filters(command: Command, deck: Deck, seeds: Seeds) -> None:
    """`flow-run ls` keeps the states, the flow and the number that were asked for."""
    failed, running, other = seeds.failed_run(deck), seeds.run(), seeds.run(flow_name="other")

    def listed(*words: str) -> list[str]:
        return [run["id"] for run in command("flow-run", "ls", "--json", *words).json]

    assert listed("--state", "failed") == [failed]
    assert listed("--state", "FAILED,running", "--flow", "etl") == [running, failed]
    assert listed("--limit", "1") == [other]
    assert listed("--limit", "0") == [other, running, failed]
    assert "1 of 3 runs; --limit 0 lists all." in command("flow-run", "ls", "--limit", "1").err


def test_the_filter_is_that_of_the_screen(command: Command, deck: Deck, seeds: Seeds) -> None:
    """Terms of both kinds go together; several --filter all hold; the order can be chosen."""
    failed, other = seeds.failed_run(deck), seeds.run(flow_name="other", name="calm-otter")
    child = seeds.run("Completed", flow_name="other", name="brave-fox")

    def listed(*words: str) -> list[str]:
        return [run["id"] for run in command("flow-run", "ls", "--json", *words).json]

    assert listed("--filter", "state:failed,crashed since:1h") == [failed]
    assert listed("--filter", "!flow:etl", "--filter", "/^brave/") == [child]
    assert listed("--filter", "flow:other", "--state", "running") == [other]
    assert listed("--filter", "flow:other", "--sort", "name") == [child, other]
    assert listed("--sort", "oldest", "--limit", "1") == [failed]
    assert listed("--filter", "tag:nightly !id:" + failed[-8:]) == [child, other]


def test_a_near_name_is_suggested(command: Command, deck: Deck, seeds: Seeds, tmp_path: Path) -> None:
    """A slip of the finger costs no second look at the list."""
    seeds.flow(deck, tmp_path / "flows")
    assert "There is no flow 'reprot'. Did you mean report?" in command("flow", "inspect", "reprot").err
    none = command("flow-run", "ls", "--filter", "flow:reprot")
    assert (none.code, none.out) == (0, "")
    assert "no such runs. Did you mean report?" in none.err
    assert command("flow-run", "ls", "--filter", "stat:failed").err.count("Did you mean state?") == 1


def test_delete(command: Command, deck: Deck, seeds: Seeds) -> None:
    """A run that is over can be deleted, one that runs is refused."""
    failed, running = seeds.failed_run(deck), seeds.run()
    assert command("flow-run", "delete", failed).code == 0
    refused = command("flow-run", "delete", running)
    assert (refused.code, refused.out) == (1, "")
    assert [run.id for run in deck.flow_runs.select()] == [running]


def test_cancel_before_the_start(command: Command, deck: Deck, seeds: Seeds, tmp_path: Path) -> None:
    """A run that has not started is cancelled at once, without an engine."""
    run = deck.flow_runs.create(seeds.flow(deck, tmp_path / "flows"), {"city": "Ulm"})
    output = command("flow-run", "cancel", run.id, "--json")
    assert (output.code, output.json["state_name"]) == (0, "Cancelled")
    again = command("flow-run", "cancel", run.id)
    assert (again.code, again.out) == (1, "")
    assert not deck.engine.status().running


def test_wrong_parameters_start_no_engine(command: Command, deck: Deck, seeds: Seeds, tmp_path: Path) -> None:
    """Parameters are checked before anything is started for them."""
    seeds.flow(deck, tmp_path / "flows")
    for words in (["-p", "days=x"], ["-p", "city=Ulm", "-p", "nights=2"], ["-p", "city"], []):
        output = command("flow-run", "create", "report", *words)
        assert (output.code, output.out) == (2, ""), words
    assert deck.flow_runs.select() == []
    assert not deck.engine.status().running


def test_flow_of_a_file_that_nobody_watches(command: Command, script: Script) -> None:
    """Inspecting a flow file that no engine has looked at says what to do."""
    path = script("lone.py", "from flowdeck import flow\n\n@flow\ndef lone(): pass\n")
    output = command("flow", "inspect", f"{path}:lone")
    assert output.code == 3
    assert f"`flowdeck server start {path.parent}`" in output.err
    assert f"{path}:lone" in command("flow", "inspect", str(path)).err
    assert "it has lone" in command("flow-run", "create", f"{path}:lane").err
    path.write_text("x = 1\n")
    assert "defines no flow" in command("flow-run", "create", f"{path}:lone").err


def test_unexpected_error_is_one_sentence(command: Command, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """A fault of our own is one sentence too; FLOWDECK_DEBUG=1 shows where it is."""

    def fault(*_: object) -> int:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(cli, "_run", fault)
    output = command("doctor")
    assert (output.code, output.out) == (1, "")
    assert output.err == "flowdeck: unexpected ZeroDivisionError: by nothing. FLOWDECK_DEBUG=1 shows the traceback.\n"
    monkeypatch.setenv("FLOWDECK_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        command("doctor")


def test_home_that_cannot_be_used(command: Command, home: Path) -> None:
    """A home that is a file is refused in a sentence."""
    home.write_text("not a folder")
    output = command("flow-run", "ls")
    assert (output.code, output.out) == (1, "")
    assert str(home) in output.err


def test_at_is_local_unless_it_says_otherwise() -> None:
    """A time without a zone is that of the user's clock."""
    from flowdeck.cli.flow_run import _moment

    assert _moment("2030-01-31T08:00") == datetime(2030, 1, 31, 8).astimezone()
    assert _moment("2030-01-31T07:00:00Z") == datetime(2030, 1, 31, 7, tzinfo=UTC)


def test_a_reader_that_has_seen_enough(deck: Deck, seeds: Seeds) -> None:
    """`| head` ends a listing quietly."""
    run_id = seeds.run()
    seeds.log(run_id, *[(20, "print", None, None, "x" * 4_000)] * 100)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.console", "flow-run", "logs", run_id],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0
