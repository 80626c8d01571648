"""`flowdeck.testing`: a home of their own for the tests of authors."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck
from flowdeck.testing import flowdeck_test_harness


@pytest.fixture(autouse=True)
def _environment(clear_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of whoever runs the tests, a home is named that nothing here may touch."""
    monkeypatch.setenv("FLOWDECK_HOME", str(tmp_path / "own"))


@flow
def main(count: int) -> int:
    """Count."""
    return count


def names_in(home: Path) -> list[str]:
    """Return the names of the flows that were run in a home."""
    deck = Deck(home)
    try:
        return [run.flow_name for run in deck.flow_runs.select()]
    finally:
        deck.close()


def test_runs_are_recorded_there_and_gone_afterwards(tmp_path: Path) -> None:
    """The environment is as before; the folder and its descriptors are gone."""
    with flowdeck_test_harness() as home:
        assert os.environ["FLOWDECK_HOME"] == str(home)
        assert main(3) == 3
        assert names_in(home) == ["main"]
    assert os.environ["FLOWDECK_HOME"] == str(tmp_path / "own")
    assert not home.exists()
    assert not home.parent.exists()
    assert not (tmp_path / "own").exists()
    gc.collect()
    open_files = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_open(name)]
    assert not [name for name in open_files if str(home) in name]


def _is_open(name: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{name}")


def test_nothing_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is set afterwards."""
    monkeypatch.delenv("FLOWDECK_HOME")
    with flowdeck_test_harness():
        pass
    assert "FLOWDECK_HOME" not in os.environ


def test_nested() -> None:
    """Each is empty; the outer one goes on."""
    with flowdeck_test_harness() as outer:
        main(1)
        with flowdeck_test_harness() as inner:
            assert names_in(inner) == []
            main(2)
            main(3)
            assert names_in(inner) == ["main", "main"]
        main(4)
        assert names_in(outer) == ["main", "main"]


def test_failure_inside_restores_all_the_same(tmp_path: Path) -> None:
    """The exception is the test's own."""
    with pytest.raises(ZeroDivisionError), flowdeck_test_harness() as home:
        raise ZeroDivisionError
    assert os.environ["FLOWDECK_HOME"] == str(tmp_path / "own")
    assert not home.exists()


def test_tasks_alone_and_threads() -> None:
    """What runs beside the test records there, too."""

    @task
    def load(page: int) -> int:
        return page

    with flowdeck_test_harness() as home:
        assert load.submit(4).result() == 4
        thread = threading.Thread(target=main, args=(1,))
        thread.start()
        thread.join()
        assert sorted(names_in(home)) == ["load", "main"]


def test_as_a_fixture(tmp_path: Path) -> None:
    """As the docstring has it: each test has an empty home."""
    file = tmp_path / "test_flows.py"
    file.write_text(
        """
import pytest
from flowdeck import flow
from flowdeck.deck import Deck
from flowdeck.testing import flowdeck_test_harness

@pytest.fixture(autouse=True)
def flowdeck_home():
    with flowdeck_test_harness() as home:
        yield home

@flow
def main(): return 1

@pytest.mark.parametrize("number", [1, 2])
def test_it(number, flowdeck_home):
    assert main() == 1
    deck = Deck(flowdeck_home)
    assert len(deck.flow_runs.select()) == 1
    deck.close()
"""
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", str(file)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout
