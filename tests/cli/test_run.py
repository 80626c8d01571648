"""`flowdeck run`: a file as a script, or one flow of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowdeck.deck import Deck
from tests.cli.conftest import Command, Script

HEAD = "from flowdeck import flow, task\n"
ONE = HEAD + "@flow(log_prints=True)\ndef greet(name: str = 'you', times: int = 1):\n    print(name * times)\n"
TWO = HEAD + "@flow\ndef one(): pass\n\n@flow\ndef two(): pass\n"


def test_only_flow_is_called(command: Command, deck: Deck, script: Script) -> None:
    """A file that only defines a flow runs it; its log is on stderr, stdout stays its own."""
    output = command("run", str(script("greet.py", ONE)))
    assert (output.code, output.out) == (0, "")
    assert " I greet            you\n" in output.err
    assert [(run.flow_name, run.state_name) for run in deck.flow_runs.select()] == [("greet", "Completed")]


def test_guard_and_calls_are_the_authors(command: Command, deck: Deck, script: Script) -> None:
    """A file that says itself what to do is run as Python runs it, and nothing is called besides."""
    guarded = ONE + "if __name__ == '__main__':\n    import sys\n    print(sys.argv, __file__)\n"
    path = script("guarded.py", guarded)
    output = command("run", "guarded.py")
    assert (output.code, output.out) == (0, f"['{path}'] {path}\n")
    assert deck.flow_runs.select() == []
    assert command("run", str(script("calls.py", ONE + "greet('me')\n"))).code == 0
    assert [run.parameters["name"] for run in deck.flow_runs.select()] == ["me"]


def test_files_beside_it_are_found(command: Command, script: Script, tmp_path: Path) -> None:
    """A file imports its neighbours, wherever the command is given."""
    script("neighbour.py", "WORD = 'hi'\n")
    path = script("uses.py", "from neighbour import WORD\nprint(WORD)\n")
    os.chdir(tmp_path)
    output = command("run", str(path))
    assert (output.code, output.out) == (0, "hi\n")
    assert "defines no flow and called none" in output.err


def test_several_flows_are_listed(command: Command, deck: Deck, script: Script) -> None:
    """Which of several flows is meant must be said, and can be."""
    script("two.py", TWO)
    output = command("run", "two.py")
    assert (output.code, output.out) == (2, "")
    assert "two.py has 2 flows; say which: two.py:one, two.py:two" in output.err
    assert command("run", "two.py:two").code == 0
    assert [run.flow_name for run in deck.flow_runs.select()] == ["two"]
    missing = command("run", "two.py:three")
    assert (missing.code, missing.out) == (3, "")
    assert "it has one, two" in missing.err


def test_parameters(command: Command, deck: Deck, script: Script) -> None:
    """-p gives text where text is asked for, JSON elsewhere, and imports the file: its guard does not run."""
    script("given.py", ONE + "if __name__ == '__main__':\n    raise SystemExit(7)\n")
    assert command("run", "given.py").code == 7
    assert command("run", "given.py", "-p", "name=5", "-p", "times=2").code == 0
    assert deck.flow_runs.select()[0].parameters == {"name": "5", "times": 2}
    wrong = command("run", "given.py:greet", "-p", "times=often")
    assert (wrong.code, wrong.out) == (2, "")
    assert "times must be a whole number, not 'often'" in wrong.err
    assert len(deck.flow_runs.select()) == 1


def test_async_flow(command: Command, deck: Deck, script: Script) -> None:
    """An async flow is run to its end."""
    script("later.py", HEAD + "import asyncio\n@flow\nasync def later():\n    await asyncio.sleep(0)\n")
    assert command("run", "later.py").code == 0
    assert deck.flow_runs.select()[0].state_name == "Completed"


@pytest.mark.parametrize("reference", ["fails.py", "fails.py:fails"])
def test_failed_flow(command: Command, deck: Deck, script: Script, reference: str) -> None:
    """A flow that fails is exit 1, with the author's traceback and no frame of ours."""
    script("fails.py", HEAD + "@flow\ndef fails():\n    raise ValueError('no rows')\n")
    output = command("run", reference)
    assert output.code == 1
    assert "ValueError: no rows" in output.err
    assert "fails.py" in output.err
    assert f"{os.sep}engine{os.sep}flowdeck" not in output.err
    assert deck.flow_runs.select()[0].state_name == "Failed"


def test_script_that_raises(command: Command, script: Script) -> None:
    """What a script raises is shown as Python shows it, less our frames; its exit code is its own."""
    script("bad.py", "def f():\n    raise KeyError('x')\nf()\n")
    output = command("run", "bad.py")
    assert (output.code, output.out) == (1, "")
    assert output.err.startswith("Traceback (most recent call last):\n")
    assert output.err.endswith("KeyError: 'x'\n")
    assert "flowdeck/" not in output.err
    script("leaves.py", "raise SystemExit('enough')\n")
    left = command("run", "leaves.py")
    assert (left.code, left.err) == (1, "enough\n")


@pytest.mark.parametrize("source", [ONE, ONE + "greet()\n"])
def test_home_that_cannot_be_used(command: Command, home: Path, script: Script, source: str) -> None:
    """What is wrong with the home is one sentence, whoever called the flow."""
    home.write_text("not a folder")
    script("greet.py", source)
    output = command("run", "greet.py")
    assert (output.code, output.out, output.err.count("\n")) == (1, "", 1)
    assert output.err.startswith(f"flowdeck: The home folder {home} cannot be created")


@pytest.mark.parametrize("reference", ["broken.py", "broken.py:x"])
def test_file_that_is_no_python(command: Command, script: Script, reference: str) -> None:
    """A syntax error is shown where it is, with one sentence."""
    script("broken.py", "def f(:\n")
    output = command("run", reference)
    assert (output.code, output.out) == (1, "")
    assert "SyntaxError" in output.err
    assert output.err.splitlines()[-1].startswith("flowdeck: ")
    assert "line 1" in output.err.splitlines()[-1]


def test_module_level_call_of_an_imported_file(command: Command, deck: Deck, script: Script) -> None:
    """A call at module level does not run when the file is imported, and is named with its line."""
    script("eager.py", ONE + "greet()\n")
    output = command("run", "eager.py:greet")
    assert output.code == 0
    assert "eager.py, line 5: the call of 'greet' was not run" in output.err
    assert len(deck.flow_runs.select()) == 1


@pytest.mark.parametrize("reference", ["waits.py", "waits.py:waits"])
def test_interrupt(home: Path, script: Script, deck: Deck, reference: str) -> None:
    """Ctrl-C ends the run as Cancelled, and the command with 130 and without a traceback of ours."""
    script(
        "waits.py", HEAD + "import time\n@flow(log_prints=True)\ndef waits():\n    print('here')\n    time.sleep(30)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cli.console", "run", reference],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stderr is not None
        while "here" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert deck.flow_runs.select()[0].state_name == "Cancelled"
