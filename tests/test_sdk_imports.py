"""What authors import, and what runs beside their code, needs the standard library and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowdeck.deck import Deck
from flowdeck.store.home import Home

ENGINE = Path(__file__).parent.parent / "engine"
HELLO = Path(__file__).parent.parent / "sample_flows" / "hello.py"

THIRD_PARTY = (
    "textual", "rich", "watchfiles", "croniter", "sqlite_utils", "yaml", "pydantic", "psutil", "cloudpickle", "pytest",
)  # fmt: skip
SLOW = ("asyncio", "uuid", "importlib.metadata", "concurrent.futures", "email", "http", "subprocess", "multiprocessing")


def python(*words: str, home: Path, options: tuple[str, ...] = ("-S",)) -> subprocess.CompletedProcess[str]:
    """Run an interpreter that sees our source and the standard library."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWDECK_", "PYTHON"))}
    environment = {**inherited, "PYTHONPATH": str(ENGINE), "FLOWDECK_HOME": str(home)}
    return subprocess.run(
        [sys.executable, *options, *words], capture_output=True, text=True, env=environment, check=False, timeout=60
    )


def loaded_by(code: str, home: Path, options: tuple[str, ...] = ()) -> set[str]:
    """Return the modules that a piece of code loads."""
    ended = python("-c", f"{code}\nimport sys\nprint(*sys.modules)", home=home, options=options)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.split())


def test_flow_runs_with_the_standard_library_alone(home: Home, deck: Deck) -> None:
    """`python -S hello.py`, with no site-packages, in a home that is there."""
    ended = python(str(HELLO), home=home.path)
    assert ended.returncode == 0, ended.stderr
    (run,) = deck.flow_runs.select()
    assert (run.flow_name, run.state_name, run.task_counts.completed) == ("hello", "Completed", 1)


def test_new_home_without_site_packages_is_a_sentence(tmp_path: Path) -> None:
    """Making one needs sqlite-utils: the sentence says so, and what to do."""
    ended = python(str(HELLO), home=tmp_path / "new")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"flowdeck: {tmp_path / 'new'} is new or of an older flowdeck, and this Python has ")
    assert ended.stderr.count("\n") == 1


ALL_NAMES = "from flowdeck import *"
HELLO_CODE = f"import runpy; runpy.run_path({str(HELLO)!r}, run_name='__main__')"


@pytest.mark.parametrize("code", ["import flowdeck", ALL_NAMES, HELLO_CODE], ids=["import", "names", "run"])
def test_no_third_party_module_is_loaded(home: Home, code: str) -> None:
    """With all of them installed: neither by importing nor by running a flow."""
    loaded = {name.partition(".")[0] for name in loaded_by(code, home.path)}
    assert loaded.isdisjoint(THIRD_PARTY)


@pytest.mark.parametrize("code", ["import flowdeck", ALL_NAMES, HELLO_CODE], ids=["import", "names", "run"])
def test_no_slow_module_is_loaded(home: Home, code: str) -> None:
    """A script starts at once: what costs many milliseconds comes when it is needed."""
    assert loaded_by(code, home.path).isdisjoint(SLOW)


def test_import_alone_loads_nothing_of_ours(home: Home) -> None:
    """Engine, host and terminal are of this package too, and need none of what authors import."""
    ours = {name for name in loaded_by("import flowdeck", home.path) if name.startswith("flowdeck")}
    assert ours == {"flowdeck"}


def test_front_ends_are_not_loaded_by_flows(home: Home) -> None:
    """A flow knows neither Deck nor the engine."""
    ours = {name for name in loaded_by(HELLO_CODE, home.path) if name.startswith("flowdeck")}
    rooms = (
        "flowdeck.deck",
        "flowdeck.cli",
        "flowdeck.service",
        "flowdeck.host",
        "flowdeck_tui",
        "flowdeck.store.records",
    )
    assert not [name for name in ours if name.startswith(rooms)]


def test_every_module_of_the_sdk_needs_only_the_standard_library(home: Home) -> None:
    """Each by itself, without site-packages: also those that are loaded when they are needed."""
    rooms = [ENGINE / "flowdeck" / room for room in ("rules", "execution", "host")]
    modules = [
        ".".join(path.relative_to(ENGINE).with_suffix("").parts)
        for room in rooms
        for path in sorted(room.rglob("*.py"))
        if path.stem not in ("__init__", "__main__")
    ]
    modules += ["flowdeck.flows", "flowdeck.tasks", "flowdeck.deck"]
    assert len(modules) > 30
    loaded_by("\n".join(f"import {name}" for name in modules), home.path, options=("-S",))
