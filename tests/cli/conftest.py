"""What the tests of the command line share: a home of their own, and commands run in this process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flowdeck.cli import main
from flowdeck.deck import Deck
from tests.cli.seeds import Seeds


@dataclass(frozen=True)
class Output:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        """The documents on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Output]
Script = Callable[[str, str], Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home that commands and scripts of this test use; no other setting reaches them."""
    path = tmp_path / "home"
    monkeypatch.setenv("FLOWDECK_HOME", str(path))
    for name in ("NO_COLOR", "FLOWDECK_DEBUG", "FLOWDECK_LOGGING_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture
def deck(home: Path) -> Iterator[Deck]:
    """The home as a front end sees it."""
    opened = Deck(home)
    yield opened
    opened.close()


@pytest.fixture
def command(home: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Run `flowdeck WORDS` in this process."""
    del home

    def run(*words: str) -> Output:
        capsysbinary.readouterr()
        try:
            code = main(words)
        except SystemExit as end:  # --help
            code = int(end.code or 0)
        out, err = capsysbinary.readouterr()
        return Output(code, out.decode(), err.decode())

    return run


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Write a flow file into a folder of its own; what running it does to this process is undone."""
    folder = tmp_path / "flows"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    before = dict(sys.modules)

    def write(name: str, source: str) -> Path:
        path = folder / name
        path.write_text(source, encoding="utf-8")
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
        return path

    monkeypatch.setitem(sys.modules, "__main__", before["__main__"])
    return write


@pytest.fixture
def seeds(home: Path, deck: Deck) -> Iterator[Seeds]:
    """Writes runs and flows into the home."""
    del deck
    made = Seeds(home)
    yield made
    made.close()
