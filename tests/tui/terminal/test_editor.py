"""Which command opens a line of source, and in whose editor."""

from __future__ import annotations

import dataclasses
import os

import pytest

from flowdeck.deck import RunError
from flowdeck_tui.terminal.editor import NoEditorError, Place, editor_command, place_of_flow, place_of_run
from tests.tui.seeded_home import SeededHome

PLACE = Place("/x/my flow.py", 7)


@pytest.mark.parametrize(
    ("editor", "command"),
    [
        ("vi", ["vi", "+7", "/x/my flow.py"]),
        ("vim", ["vim", "+7", "/x/my flow.py"]),
        ("/usr/bin/nvim", ["/usr/bin/nvim", "+7", "/x/my flow.py"]),
        ("vim.basic", ["vim.basic", "+7", "/x/my flow.py"]),
        ("nano", ["nano", "+7", "/x/my flow.py"]),
        ("emacs -nw", ["emacs", "-nw", "+7", "/x/my flow.py"]),
        ("emacsclient -t", ["emacsclient", "-t", "+7", "/x/my flow.py"]),
        ("hx", ["hx", "/x/my flow.py:7"]),
        ("helix", ["helix", "/x/my flow.py:7"]),
        ("code --wait", ["code", "--wait", "--goto", "/x/my flow.py:7"]),
        ("subl -w", ["subl", "-w", "/x/my flow.py:7"]),
        ("kate", ["kate", "--line", "7", "/x/my flow.py"]),
        ("my-editor", ["my-editor", "/x/my flow.py"]),
    ],
)
def test_known_editors_go_to_the_line(editor: str, command: list[str]) -> None:
    """One that is not known by name gets the file only."""
    assert editor_command({"EDITOR": editor}, PLACE) == command


def test_a_place_without_a_line_is_a_file() -> None:
    """Of a run whose flow is in no folder, only the file is known."""
    assert editor_command({"EDITOR": "vim"}, Place("/x/a.py")) == ["vim", "/x/a.py"]


def test_visual_comes_before_editor() -> None:
    """As everywhere; one that is set to nothing is none."""
    assert editor_command({"VISUAL": "nano", "EDITOR": "ed"}, PLACE)[0] == "nano"
    assert editor_command({"VISUAL": " ", "EDITOR": "ed"}, PLACE)[0] == "ed"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "No editor is set: put its name into VISUAL or EDITOR, such as `export EDITOR=nano`."),
        ({"EDITOR": "vi 'x"}, "EDITOR=vi 'x is no command: No closing quotation."),
    ],
)
def test_what_is_missing_is_said(environment: dict[str, str], said: str) -> None:
    """Which variable, and what to do."""
    with pytest.raises(NoEditorError) as caught:
        editor_command(environment, PLACE)
    assert str(caught.value) == said


def test_a_failed_run_is_opened_where_it_broke_else_at_its_flow(home: SeededHome) -> None:
    """The line of the error, the line of the flow, the file."""
    entry = home.flow("etl")
    file = os.path.join(home.folder, "flows.py")
    failed = home.run("a", state="Failed", error=RunError("E", "m", "", "/x/y.py", 9))
    well = home.run("b")
    assert place_of_run(failed, entry) == Place("/x/y.py", 9)
    assert place_of_run(well, entry) == Place(file, 10)
    assert place_of_run(well, None) == Place(file)
    assert place_of_run(dataclasses.replace(well, source_file=None), None) is None


def test_a_broken_file_is_opened_where_it_is_broken(home: SeededHome) -> None:
    """A flow of it that is known from before does not matter then."""
    entry = home.flow("etl")
    assert place_of_flow(entry) == Place(os.path.join(home.folder, "flows.py"), 10)
    home.broken_file("bad.py", RunError("SyntaxError", "m", "", str(home.folder / "bad.py"), 3))
    broken = next(one for one in home.deck.flows.entries() if one.status != "ok")
    assert place_of_flow(broken) == Place(str(home.folder / "bad.py"), 3)
