"""The rows of the Flows pane and the description of a flow."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from flowdeck.deck import RunError
from flowdeck.store.catalogue import FlowDescription
from flowdeck_tui.flows.flow_list import NONE_HERE, OTHER_FOLDERS, FlowList, flow_detail
from flowdeck_tui.text.present import UNICODE, Tone
from flowdeck_tui.text.render_context import RenderContext
from flowdeck_tui.widgets.viewport import Viewport
from tests.tui.seeded_home import NOW, SeededHome

CONTEXT = RenderContext(lambda: NOW, UTC, UNICODE)
ERROR = RunError(
    "ModuleNotFoundError",
    "No module named 'httpx'",
    'Traceback (most recent call last):\n  File "sync.py", line 3, in <module>\n    import httpx',
    "/x/sync.py",
    3,
)


@pytest.fixture
def flows(home: SeededHome) -> FlowList:
    home.flow("hello", file="hello.py", description="Greets.")
    home.flow("etl", {"type": "object", "properties": {"days": {"type": "integer", "default": 3}}})
    home.broken_file("sync.py", ERROR)
    home.run("done", "etl", ago_seconds=100)
    rows = FlowList(CONTEXT)
    rows.replace(home.deck.flows.entries(str(home.folder)))
    return rows


def test_flows_stand_by_name_with_file_and_last_run(flows: FlowList) -> None:
    """Broken files stand among them by their file."""
    rows = [flows.row(index).cells for index in range(len(flows))]
    assert [row["name"].text for row in rows] == ["etl", "hello", "(no flow known)"]
    assert [row["file"].text for row in rows] == ["flows.py:10", "hello.py:10", "sync.py"]
    assert [row["last"].text for row in rows] == ["✓ Completed", "not run yet", "✗ import error"]
    assert flows.broken_files == 1


def test_a_broken_file_shows_error_line_and_traceback(flows: FlowList) -> None:
    """All that is needed to mend it."""
    entry = flows.entry(flows.key(2))
    assert entry is not None
    text = [line for line, _ in flow_detail(entry)]
    assert text[0] == "ModuleNotFoundError: No module named 'httpx'  (sync.py:3)"
    assert '  File "sync.py", line 3, in <module>' in text


def test_a_file_that_broke_keeps_the_flows_that_were_known(home: SeededHome, flows: FlowList) -> None:
    """And says that they are older than the file."""
    home.broken_file("hello.py", ERROR)
    flows.replace(home.deck.flows.entries(str(home.folder)))
    entry = next(entry for entry in flows.entries if entry.name == "hello")
    lines = flow_detail(entry)
    assert lines[0][1] is Tone.BAD
    assert any("older" in text for text, _ in lines)
    assert flows.broken_files == 2


def test_a_flow_is_described_with_its_parameters(flows: FlowList) -> None:
    """Entrypoint, folder, types and defaults."""
    entry = flows.entry(flows.key(0))
    assert entry is not None
    text = "\n".join(line for line, _ in flow_detail(entry))
    assert "flows.py:etl  line 10" in text
    assert "days  whole number  = 3" in text


def test_the_filter_looks_at_name_and_file(flows: FlowList) -> None:
    """Case does not matter; the cursor's keys stay valid."""
    flows.set_filter("SYNC")
    assert len(flows) == 1
    assert flows.index(flows.key(0)) == 0
    flows.set_filter("")
    assert len(flows) == 3


def test_escapes_in_a_description_lose_their_power(home: SeededHome) -> None:
    """Text of others is shown, never obeyed."""
    entry = home.flow("evil", description="a\x1b[2Jb\x1b]0;title\x07c")
    assert all("\x1b" not in line for line, _ in flow_detail(entry))


def test_flows_of_other_folders_stand_below_with_theirs(home: SeededHome, tmp_path: Path) -> None:
    """The folder is told only where there are several; a flow of two watched folders stands there once."""
    home.flow("hello")
    rows = FlowList(CONTEXT, str(home.folder))
    rows.replace(home.deck.flows.entries())
    assert not rows.has_folders
    other = str(tmp_path / "other")
    for folder, file, name in ((other, "a.py", "another"), (str(tmp_path), "flows/flows.py", "hello")):
        described = FlowDescription(name, name, 1, None, {})
        home.catalogue.put_file(folder, file, "0" * 64, "python", "ok", None, [described])
    rows.replace(home.deck.flows.entries())
    assert rows.has_folders
    assert [rows.row(index).cells["name"].text for index in range(len(rows))] == ["hello", "Other folders", "another"]
    assert rows.entry(OTHER_FOLDERS.key) is None
    assert rows.row(0).cells["folder"].text == str(home.folder)


def test_the_cursor_waits_in_ones_own_folder(home: SeededHome, tmp_path: Path) -> None:
    """Flows of another folder that are known first are not taken for those of one's own, and none slides under it."""
    rows = FlowList(CONTEXT, str(home.folder))
    view = Viewport(rows)
    view.resize(10)
    described = FlowDescription("another", "another", 1, None, {})
    home.catalogue.put_file(str(tmp_path / "other"), "a.py", "0" * 64, "python", "ok", None, [described])
    others = home.deck.flows.entries()
    rows.replace(others)
    view.sync()
    assert view.cursor == NONE_HERE.key
    home.flow("hello")
    rows.replace(home.deck.flows.entries())
    view.sync()
    own = rows.entry(view.cursor)
    assert own is not None
    assert own.name == "hello"
    rows.replace(others)
    view.sync()
    assert view.cursor == NONE_HERE.key


def test_a_filtered_list_has_no_headings(home: SeededHome, tmp_path: Path) -> None:
    """What matches is under the cursor at once."""
    home.flow("hello")
    rows = FlowList(CONTEXT, str(home.folder))
    described = FlowDescription("another", "another", 1, None, {})
    home.catalogue.put_file(str(tmp_path / "other"), "a.py", "0" * 64, "python", "ok", None, [described])
    rows.replace(home.deck.flows.entries())
    rows.set_filter("another")
    assert [rows.row(index).cells["name"].text for index in range(len(rows))] == ["another"]
