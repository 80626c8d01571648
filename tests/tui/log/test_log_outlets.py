"""What leaves the screen of a log: copies, a file, the pager's command."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from flowdeck.deck import LineQuery
from flowdeck_tui.log import log_outlets
from flowdeck_tui.log.log_lines import Layout
from flowdeck_tui.log.log_outlets import copy_choices, record_lines, save
from flowdeck_tui.terminal.pager import NoPagerError, pager_command
from tests.tui.log_app import LogApp, numbered

LAYOUT = Layout(160, zone=UTC)


@pytest.fixture
def app(tmp_path: Path) -> LogApp:
    return LogApp(tmp_path / "run.log")


def copied(app: LogApp) -> dict[str, str]:
    return {choice.label: choice.text for choice in copy_choices(app.view.page)}


@pytest.mark.asyncio
async def test_line_and_record_can_be_copied(app: LogApp) -> None:
    """The text alone, as it stands on the screen, with all that belongs to it; harmless wherever it is pasted."""
    app.say("fine", "bad\n  at x\x1b[31m\n  at y", "last")
    async with app.run_test(size=(160, 48)):
        assert copied(app)["line"] == "last"
        assert "record" not in copied(app)
        app.view.move_cursor(-2)
        found = copied(app)
        assert found["line"] == "  at x"
        assert found["record"] == "bad\n  at x\n  at y"
        app.view.move_cursor(-1)
        assert copied(app)["line with time"].endswith("I load-3               bad")


@pytest.mark.asyncio
async def test_selection_and_marks_can_be_copied(app: LogApp) -> None:
    """Marked lines alone, and all between the first and the last of them."""
    app.say(*numbered(100))
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.move_cursor(-10)
        view.toggle_flag()
        view.toggle_selection()
        view.move_cursor(3)
        view.toggle_flag()
        found = copied(app)
        assert list(found)[:2] == ["selection, 4 lines", "line"]
        assert [line.split()[-1] for line in found["selection, 4 lines"].splitlines()] == ["89", "90", "91", "92"]
        assert [line.split()[-1] for line in found["2 marked"].splitlines()] == ["89", "92"]
        assert len(found["marked range, 4 lines"].splitlines()) == 4


@pytest.mark.asyncio
async def test_an_empty_log_offers_nothing(app: LogApp) -> None:
    """Instead of an empty text."""
    async with app.run_test(size=(80, 24)):
        assert copied(app) == {}


def test_the_record_around_any_of_its_lines(app: LogApp) -> None:
    """From its head to the next one, at the start and the end of the log too."""
    app.say("a\n  b", "c", "d\n  e\n  f")
    app.reader.refresh()
    texts = [[line.text for line in record_lines(app.reader, number)] for number in range(6)]
    assert texts == [["a", "  b"], ["a", "  b"], ["c"], *[["d", "  e", "  f"]] * 3]


def test_a_log_is_saved_as_it_is_shown(app: LogApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole or filtered, over many slices; lines are whole and harmless."""
    monkeypatch.setattr(log_outlets, "SLICE_LINES", 7)
    app.say(*numbered(40), "long " + "x" * 500 + "\x1b[2J", level=30)
    app.reader.refresh()
    assert save(app.reader, None, LAYOUT, tmp_path / "all.txt") == 41
    lines = (tmp_path / "all.txt").read_text().splitlines()
    assert [line.rpartition("  ")[2] for line in lines[:40]] == numbered(40)
    assert lines[0].startswith("15:25:54.123 W load-3 ")
    assert lines[40].endswith("x" * 500)
    assert save(app.reader, LineQuery("line 1"), LAYOUT, tmp_path / "some.txt") == 11


def test_a_file_that_is_there_is_not_overwritten(app: LogApp, tmp_path: Path) -> None:
    """Somebody may need it."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        save(app.reader, None, LAYOUT, tmp_path / "mine.txt")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_pager_is_the_users_else_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its options; less begins at the end, where a log is read."""
    assert pager_command({"PAGER": "less -S"}, ["/a.log", "/b.log"]) == ["less", "-S", "+G", "/a.log", "/b.log"]
    assert pager_command({"PAGER": "most"}, ["/a.log"]) == ["most", "/a.log"]
    monkeypatch.setattr("shutil.which", lambda name: "/bin/more" if name == "more" else None)
    assert pager_command({"PAGER": " "}, ["/a.log"]) == ["more", "/a.log"]
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(NoPagerError, match=r"There is no pager: set PAGER\. The log is /a\.log\."):
        pager_command({}, ["/a.log"])
    with pytest.raises(NoPagerError, match="is no command"):
        pager_command({"PAGER": "less '"}, ["/a.log"])
