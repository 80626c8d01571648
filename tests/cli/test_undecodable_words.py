"""Words of a command line that are not UTF-8."""

from __future__ import annotations

import os

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
