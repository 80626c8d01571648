"""Flows of a package with relative imports: run, described, started, retried, and in worker processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowdeck.deck import Deck
from tests.cli.conftest import Command, Script

# An engine is meant to outlive the process that starts it; here that is this one.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

WORK = """
import os, sys
from pathlib import Path
from flowdeck import flow, task
from flowdeck.task_runners import ProcessPoolTaskRunner
from .steps import double
from . import WORD
from .deeper.place import HERE

@task
def triple(number):
    return 3 * number

@flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
def top(mark: str = ""):
    assert WORD == "of the package" and HERE == "pkg.deeper"
    found = [double.submit(2).result(), triple.submit(2).result()]
    if mark and not Path(mark).exists():
        Path(mark).touch()
        raise RuntimeError("first")
    return found
"""


@pytest.fixture
def package(script: Script) -> Path:
    """A package in the folder of flows, which is the working directory."""
    folder = script("main.txt", "").parent
    (folder / "pkg" / "deeper").mkdir(parents=True)
    (folder / "pkg" / "__init__.py").write_text("WORD = 'of the package'\nfrom .work import top\n")
    (folder / "pkg" / "steps.py").write_text("from flowdeck import task\n@task\ndef double(n):\n    return 2 * n\n")
    (folder / "pkg" / "deeper" / "__init__.py").write_text("")
    (folder / "pkg" / "deeper" / "place.py").write_text("HERE = __package__\n")
    (folder / "pkg" / "work.py").write_text(WORK)
    return folder / "pkg"


@pytest.fixture
def engines(deck: Deck, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever engine a command brings up imports what this process does, and is stopped at the end."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    yield
    deck.engine.stop()


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """What one test imports is not there for the next."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] == "pkg"]:
        del sys.modules[name]


@pytest.mark.parametrize("words", ["pkg/work.py:top", "pkg.work:top", "pkg.work", "pkg/work.py"])
def test_a_flow_of_a_package_runs(words: str, command: Command, deck: Deck, package: Path) -> None:
    """By its file or its dotted name, one flow of it or as a script."""
    output = command("run", words)
    assert output.code == 0, output.err
    (run,) = deck.flow_runs.select()
    assert (run.flow_name, run.state_name) == ("top", "Completed")
    assert run.source_file == str(package / "work.py")


def test_a_namespace_package_and_a_package_itself(command: Command, deck: Deck, package: Path) -> None:
    """Relative imports from a folder without `__init__.py`, and flows that stand in an `__init__.py`."""
    space = package.parent / "space"
    space.mkdir()
    (space / "helper.py").write_text("VALUE = 5\n")
    (space / "flows.py").write_text(
        "from flowdeck import flow\nfrom .helper import VALUE\n@flow\ndef spaced(): assert VALUE == 5\n"
    )
    (package / "deeper" / "__init__.py").write_text(
        "from flowdeck import flow\nfrom .place import HERE\n@flow\ndef inner(): assert HERE == __name__\n"
    )
    for words in ("space.flows:spaced", "pkg.deeper:inner", "pkg/deeper/__init__.py:inner"):
        output = command("run", words)
        assert output.code == 0, output.err
    assert {run.state_name for run in deck.flow_runs.select()} == {"Completed"}


def test_an_error_in_the_package_is_told_with_its_place(command: Command, package: Path) -> None:
    """Of the file that raised it, without frames of ours or of importlib."""
    (package / "__init__.py").write_text("\nraise ValueError('no license')\n")
    output = command("run", "pkg.work:top")
    assert output.code == 1
    assert "ValueError: no license" in output.err
    assert f"{package / '__init__.py'}, line 2" in output.err
    assert "importlib" not in output.err


def test_a_package_that_has_the_name_of_a_module_of_python(command: Command, deck: Deck, package: Path) -> None:
    """Its files are imported as they always were: nothing of Python's own is replaced."""
    other = package.parent / "json"
    other.mkdir()
    (other / "__init__.py").write_text("")
    (other / "flows.py").write_text("import json\nfrom flowdeck import flow\n@flow\ndef alone(): json.dumps(1)\n")
    output = command("run", "json/flows.py:alone")
    assert output.code == 0, output.err
    assert [run.flow_name for run in deck.flow_runs.select()] == ["alone"]


def test_an_engine_starts_and_retries_flows_of_a_package(
    command: Command, deck: Deck, package: Path, engines: None, tmp_path: Path
) -> None:
    """It is described, started, and retried in processes of its own."""
    failed = command("flow-run", "create", "pkg.work:top", "-p", f"mark={tmp_path / 'mark'}", "--watch")
    assert failed.code == 1, failed.err
    (run,) = deck.flow_runs.select()
    assert (run.state_name, run.state_message) == ("Failed", "RuntimeError: first")
    retried = command("flow-run", "retry", run.id, "--watch")
    assert retried.code == 0, retried.err
    listed = command("flow", "ls", "--json").json
    assert {(flow["name"], flow["status"]) for flow in listed} == {("top", "ok")}
