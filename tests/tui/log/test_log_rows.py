"""Lines of a log that take several rows: wrapped ones, and JSON that is spread."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowdeck_tui.log.log_json import spread
from tests.tui.log_app import LogApp, numbered


@pytest.fixture
def app(tmp_path: Path) -> LogApp:
    return LogApp(tmp_path / "run.log")


@pytest.mark.asyncio
async def test_wrapped_text_is_all_there(app: LogApp) -> None:
    """Below its start, wide characters whole."""
    text = "0123456789" * 15 + "漢字" * 20
    app.say("first", text, "last")
    async with app.run_test(size=(80, 24)):
        app.view.toggle_wrap()
        rows = app.view.whole()
        indent = rows[1].index("0")
        body = "".join(row[indent:].rstrip() for row in rows[1:6])
        assert body.startswith(text)
        assert "first" in rows[0]
        assert all(row[:indent].strip() == "" for row in rows[2:5])
        app.view.toggle_wrap()
        assert "last" in app.view.whole()[2]


@pytest.mark.asyncio
async def test_wrapped_log_follows_and_scrolls_by_rows(app: LogApp) -> None:
    """The end of the last line stands in the last row; a line longer than the screen can be read to its end."""
    app.say(*numbered(40), "x" * 100 + " end")
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.toggle_wrap()
        assert view.whole()[-1].rstrip().endswith("end")
        app.say(" ".join(f"word{number}" for number in range(500)))
        app.feed()
        assert view.whole()[-1].rstrip().endswith("word499")
        assert "word0 " not in "".join(view.whole())
        seen = "".join(row[25:].rstrip() for row in view.whole())
        view.scroll_pages(-1)
        view.scroll_pages(-1)
        view.scroll_pages(-1)
        assert "word0 " in "".join(view.whole())
        view.scroll_pages(1)
        assert not view.status.follows or view.whole()[-1].rstrip().endswith("word499")
        view.go_bottom()
        assert "".join(row[25:].rstrip() for row in view.whole()) == seen
        view.move_cursor(-1)
        assert "x end" in "".join(row[25:].rstrip() for row in view.whole()) or "end" in "".join(view.whole())


@pytest.mark.asyncio
async def test_json_in_the_current_line_is_spread_and_put_together(app: LogApp) -> None:
    """With the text around it; a line without says so."""
    app.say('got {"id": 7, "tags": ["a", "b"]} from page 2', "plain")
    async with app.run_test(size=(80, 24)):
        view = app.view
        assert not view.toggle_json()
        view.move_cursor(-1)
        before = view.whole()
        assert view.toggle_json()
        rows = [row[25:].strip() for row in view.whole() if row.strip()]
        assert rows[:4] == ["got", "{", '"id": 7,', '"tags": [']
        assert rows[-2:] == ["from page 2", "plain"]
        assert view.toggle_json()
        assert view.whole() == before


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "[3/7] done",
        "[1, 2, 3]",
        "{}",
        "{broken",
        '{"a": 1',
        "",
        "[" * 5000,
        "{" * 100,
        '"a string"',
        "{'a': 1}",
    ],
)
def test_what_holds_no_object_is_left_as_it_is(text: str) -> None:
    """However much it looks like one."""
    assert spread(text) is None


@pytest.mark.parametrize(
    ("text", "before", "value", "after"),
    [
        ('{"a": 1}', [], {"a": 1}, []),
        ('x [1] {"a": "\\u001b[2Jß"} y', ["x [1]"], {"a": "\x1b[2Jß"}, ["y"]),
        ('[{"a": 1}, {"b": null}]', [], [{"a": 1}, {"b": None}], []),
    ],
)
def test_objects_are_spread(text: str, before: list[str], value: object, after: list[str]) -> None:
    """Each value comes back exactly, what stands around it too, and no control character with it."""
    lines = spread(text)
    assert lines is not None
    stop = len(lines) - len(after)
    assert (lines[: len(before)], lines[stop:]) == (before, after)
    assert json.loads("\n".join(lines[len(before) : stop])) == value
    assert all("\x1b" not in line for line in lines)
