"""A pid may be given to another process; what is recorded with it tells them apart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowdeck.store import processes


def test_process_that_lives() -> None:
    """Its token is the same whenever it is asked for."""
    token = processes.token(os.getpid())
    assert token is not None
    assert processes.token(os.getpid()) == token
    assert processes.is_alive(os.getpid(), token)


def test_process_that_is_gone() -> None:
    """Neither a zombie nor a reaped one runs any code."""
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    token = processes.token(child.pid)
    assert processes.is_alive(child.pid, token)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.token(child.pid) is None
    assert not processes.is_alive(child.pid, token)
    child.communicate()
    assert not processes.is_alive(child.pid, token)


def test_another_process_of_the_same_pid() -> None:
    """A pid alone proves nothing."""
    assert not processes.is_alive(os.getpid(), "boot/1/1")
    assert not processes.is_alive(os.getpid(), None)
    assert not processes.is_alive(None, processes.token(os.getpid()))


def test_token_says_which_boot_and_namespace() -> None:
    """A pid means something only within both: all processes here share that part."""
    mine, parents = processes.token(os.getpid()), processes.token(os.getppid())
    assert mine is not None
    assert parents is not None
    assert mine.rpartition("/")[0] == parents.rpartition("/")[0]


def test_name_with_parentheses(tmp_path: Path) -> None:
    """A process may be called `) Z 1 (`; its fields are still found."""
    name = tmp_path / ") Z 1 ("
    name.symlink_to(sys.executable)
    child = subprocess.Popen([str(name), "-S", "-c", "input()"], stdin=subprocess.PIPE)
    assert processes.is_alive(child.pid, processes.token(child.pid))
    child.communicate(b"\n")


def test_sandbox_that_hides_the_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of start is enough to go on with."""
    read_text = Path.read_text

    def hidden(path: Path, *arguments: str, **options: str) -> str:
        if path.name == "boot_id":
            raise PermissionError
        return read_text(path, *arguments, **options)

    processes._machine.cache_clear()
    monkeypatch.setattr(Path, "read_text", hidden)
    token = processes.token(os.getpid())
    processes._machine.cache_clear()
    assert token is not None
    assert token.startswith("/")


def test_process_of_an_earlier_boot() -> None:
    """It is gone, whoever has its pid now; where nothing tells of boots, none is said to be another."""
    mine = processes.token(os.getpid())
    assert mine is not None
    boot, rest = mine.split("/", 1)
    earlier = f"{boot[::-1]}/{rest}"
    assert not processes.is_alive(os.getpid(), earlier)
    assert processes.is_of_another_boot(earlier)
    assert not processes.is_of_another_boot(mine)
    assert not processes.is_of_another_boot(f"/{rest}")
    assert not processes.is_of_another_boot(None)
