"""Words of a command line that are not UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowdeck import cli

WORD = os.fsdecode(b"\xff")
COMMANDS = [
    [WORD], ["run", WORD], ["run", "flow.py", "-p", f"a={WORD}"], ["server", "start", WORD],
    ["server", "unwatch", WORD],
    ["server", WORD], ["flow", "ls", WORD], ["flow", "inspect", WORD], ["flow-run", "ls", "--filter", WORD],
    ["flow-run", "create", WORD], ["flow-run", "inspect", WORD], ["flow-run", "logs", WORD],
    ["flow-run", "retry", WORD],
    ["task-run", "ls", WORD], ["doctor", WORD],
]  # fmt: skip


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("words", COMMANDS, ids=ascii)
def test_word_that_is_no_text(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence that shows it, and exit code 2; neither the database nor JSON could keep it."""
    assert cli.main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert "is not UTF-8 text" in line
    assert "udcff" in line.encode("ascii", "backslashreplace").decode()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("words", [["server", "start", ".", "--background"], ["server", "unwatch", "."]], ids=" ".join)
def test_folder_whose_path_is_no_text(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It need not be typed: the folder of the shell is one."""
    (tmp_path / WORD).mkdir()
    monkeypatch.chdir(tmp_path / WORD)
    assert cli.main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "its path is not UTF-8; rename it." in line
