"""Copying: what is sent, what is said, and where a text goes that no terminal takes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowdeck_tui.menus.copy_choices import copies_of_flow, copies_of_run
from flowdeck_tui.menus.copy_screen import TAKEN, letters_for
from flowdeck_tui.terminal import clipboard
from flowdeck_tui.terminal.clipboard import MOST_BYTES, CopyChoice
from tests.tui.busy_home import ERROR
from tests.tui.seeded_home import SeededHome

NOW = datetime(2026, 5, 4, 12, 6, 10, tzinfo=UTC)


def test_a_text_is_sent_to_the_terminal() -> None:
    """With its size, and what to do if nothing arrives."""
    sent: list[str] = []
    said = clipboard.copy("zwölf", "line", {}, sent.append)
    assert sent == ["zwölf"]
    assert said.startswith("Copied the line, 6 bytes.")
    assert "OSC 52" in said


def test_inside_tmux_the_text_is_given_to_tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It passes it on; the setting that the terminal outside needs is named."""
    fake = tmp_path / "tmux"
    fake.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/args\ncat > {tmp_path}/text\n', encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    sent: list[str] = []
    said = clipboard.copy("a\nb", "line", {"TMUX": "/tmp/tmux-0/default,1,0"}, sent.append)
    assert (tmp_path / "args").read_text().split() == ["load-buffer", "-w", "-"]
    assert (tmp_path / "text").read_text() == "a\nb"
    assert not sent
    assert "tmux set -g set-clipboard on" in said


def test_without_a_tmux_that_answers_the_escape_sequence_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old tmux, or one that is not on the path."""
    monkeypatch.setenv("PATH", "/nowhere")
    sent: list[str] = []
    clipboard.copy("text", "line", {"TMUX": "x"}, sent.append)
    assert sent == ["text"]


def test_what_terminals_drop_does_not_fit() -> None:
    """Bytes count, not characters."""
    assert clipboard.fits("a" * MOST_BYTES)
    assert not clipboard.fits("a" * (MOST_BYTES + 1))
    assert not clipboard.fits("ä" * (MOST_BYTES // 2 + 1))


def test_files_never_replace_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two within one second have two names."""
    monkeypatch.chdir(tmp_path)
    first, second = clipboard.save("one", NOW), clipboard.save("two", NOW)
    assert (first.read_text(), second.read_text()) == ("one", "two")
    assert first.parent == second.parent == tmp_path


def test_letters_are_of_the_label_and_never_twice() -> None:
    """And never one that moves in the list."""
    labels = ["line", "line", "id", "name", "parameters", "error", "traceback", "quick", "jump", "kind"]
    letters = letters_for([CopyChoice(label, "x") for label in labels])
    assert letters[:4] == ["l", "i", "d", "n"]
    assert len(set(letters)) == len(letters)
    assert not TAKEN.intersection(letters)


def test_a_run_offers_what_one_asks_others_about(home: SeededHome) -> None:
    """Its id, its error with place and traceback, its parameters as JSON, and commands that can be pasted."""
    run = home.run("calm-heron", "sync", "Failed", error=ERROR, parameters={"days": 7, "city": "Ny Ålesund"})
    found = {choice.label: choice.text for choice in copies_of_run(run)}
    assert found["id"] == run.id
    assert found["error"] == "ReadTimeout: page 2"
    assert found["file and line"] == "/flows/sync.py:88"
    assert found["parameters"] == '{\n  "days": 7,\n  "city": "Ny Ålesund"\n}'
    assert found["retry command"].startswith("flowdeck flow-run retry ")
    assert found["create command"] == "flowdeck flow-run create sync -p days=7 -p 'city=Ny Ålesund'"


def test_the_command_that_starts_a_flow_of_any_name_can_be_pasted(home: SeededHome) -> None:
    """A shell must read the name as one word, and run nothing that it holds."""
    run = home.run("calm-heron", "nightly $(load) report", "Completed")
    home.flow("nightly $(load) report")
    (entry,) = home.deck.flows.entries(str(home.folder))
    for choices in (copies_of_run(run), copies_of_flow(entry)):
        found = {choice.label: choice.text for choice in choices}
        assert found["create command"] == "flowdeck flow-run create 'nightly $(load) report'"


def test_a_broken_file_offers_its_error(home: SeededHome) -> None:
    """And where it lies."""
    home.broken_file("bad.py", ERROR)
    (entry,) = home.deck.flows.entries(str(home.folder))
    found = {choice.label: choice.text for choice in copies_of_flow(entry)}
    assert found["traceback"].startswith("Traceback")
    assert found["path"] == f"{home.folder}/bad.py"
    assert "name" not in found


def test_what_is_pasted_commands_nothing() -> None:
    """Escape sequences are taken out, controls and those that turn the direction of reading are shown."""
    sent: list[str] = []
    clipboard.copy("a\x1b[31mb\x1b]52;c;cm0=\x07c\x07\u202ed\u200fe\n\tf", "line", {}, sent.append)
    assert sent == ["abc\u2407\\u202ed\\u200fe\n\tf"]
    assert clipboard.pasteable("\x1b") == "\u241b"
