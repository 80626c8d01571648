"""The Python that runs a folder's flows."""

from __future__ import annotations

import sys
from pathlib import Path

from flowdeck.host.interpreters import interpreter_for


def virtual_environment(folder: Path) -> Path:
    """Make what counts of a virtual environment."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (folder / ".venv" / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    return python


def test_folder_without_an_environment_has_ours(tmp_path: Path) -> None:
    """There is nothing to remark on that."""
    chosen = interpreter_for(str(tmp_path))
    assert (chosen.path, chosen.remark) == (sys.executable, None)


def test_environment_of_the_folder_is_used(tmp_path: Path) -> None:
    """The link itself is what is started: resolved, it would not be in its environment."""
    python = virtual_environment(tmp_path)
    next(tmp_path.glob(".venv/lib/*/site-packages")).joinpath("flowdeck-0.1.0.dist-info").mkdir()
    chosen = interpreter_for(str(tmp_path))
    assert (chosen.path, chosen.remark) == (str(python), None)


def test_environment_without_flowdeck_is_remarked(tmp_path: Path) -> None:
    """The flow runs all the same, and one sentence says with what, and what would change it."""
    python = virtual_environment(tmp_path)
    chosen = interpreter_for(str(tmp_path))
    assert chosen.path == sys.executable
    assert chosen.remark is not None
    assert f"{python} -m pip install flowdeck" in chosen.remark
