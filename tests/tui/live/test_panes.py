"""A pane is a class and one line in the table of panes: it is shown, read and keyed by that."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual.widgets import Static

import flowdeck_tui
from flowdeck.store.catalogue import FlowDescription
from flowdeck_tui.actions import actions
from flowdeck_tui.actions.action import Action, Context, KeyClashError
from flowdeck_tui.actions.actions import bindings_of
from flowdeck_tui.app import FlowdeckApp
from flowdeck_tui.live.messages import News
from flowdeck_tui.live.pane import PaneKind
from flowdeck_tui.live.pane_reader import PaneReader
from flowdeck_tui.live.pane_services import PaneServices
from flowdeck_tui.panes import PANES
from tests.tui.harness import make_app, press, screen_text, until, until_shown
from tests.tui.seeded_home import SeededHome

NOTES = Context("Notes")
SHOUT = Action("note.shout", ("X",), "Shout", "Say it aloud.", (NOTES,))
SHOW = Action("pane.notes", ("9",), "Notes", "The notes.", (Context.EVERYWHERE,), handler="show_pane('9')")


class NotesPane(Static, can_focus=True):
    """A made-up pane: the names of flows in one line."""

    BINDINGS: ClassVar = bindings_of([SHOUT])
    action_context: ClassVar[Context] = NOTES

    def __init__(self, services: PaneServices, folder: str) -> None:
        super().__init__(id="notes", markup=False)
        self._services = services
        self._names: list[str] = []

    @property
    def widget(self) -> NotesPane:
        return self

    def take(self, news: News) -> None:
        if "9" in news.panes:
            self._names = news.panes["9"]
            self.refresh_rows()

    def refresh_rows(self) -> None:
        self.update(f"noted: {', '.join(self._names)}")

    def focus_default(self) -> None:
        self.screen.set_focus(self)

    def why_not(self, action_id: str) -> str | None:
        return "Nobody listens." if action_id == SHOUT.id and not self._names else None

    def action_note_shout(self) -> None:
        self._services.status.say(f"{', '.join(self._names).upper()} it is")


READER = PaneReader(lambda deck: [entry.name for entry in deck.flows.entries()], lambda changes: changes.flows)
KIND = PaneKind("9", "Notes", NotesPane, READER, (SHOW, SHOUT))


class _AppWithNotes(FlowdeckApp):
    CSS_PATH: ClassVar = Path(flowdeck_tui.__file__).parent / "app.tcss"
    PANE_KINDS: ClassVar = (*PANES, KIND)


@pytest.fixture(autouse=True)
def own_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the made-up pane adds to the actions goes with the test."""
    monkeypatch.setattr(actions, "_ADDED", [])
    monkeypatch.setattr(actions, "BY_ID", dict(actions.BY_ID))


@pytest.mark.asyncio
async def test_a_pane_of_one_line_is_shown_read_and_keyed(home: SeededHome) -> None:
    """Header, its key, its rows and later changes of them, its own action by key, footer and palette."""
    home.flow("hello")
    app: Any = make_app(home, _AppWithNotes)
    async with app.run_test(size=(160, 48)) as pilot:
        await until(pilot, lambda: app.active_pane)
        await until_shown(pilot, " 9 Notes ")
        await press(pilot, "9")
        await until_shown(pilot, "[9 Notes]", "noted: hello", "X Shout")
        assert "FLOW" not in screen_text(pilot)
        described = FlowDescription("later", "later", 1, None, {})
        home.catalogue.put_file(str(home.folder), "later.py", "0" * 64, "python", "ok", None, [described])
        await until_shown(pilot, "later")
        await press(pilot, "X")
        assert app.status.text.strip() == "HELLO, LATER it is"
        await press(pilot, "3", "X")
        assert app.status.text.strip() == "X Shout acts in Notes."
        await press(pilot, ":", *"notes", "enter")
        await until(pilot, lambda: app.active_pane == "9")


def test_a_pane_whose_key_is_taken_is_refused() -> None:
    """Its actions go through the same check as all others."""
    with pytest.raises(KeyClashError, match="both want q"):
        actions.register([Action("note.quit", ("q",), "x", "x", (NOTES,))])
    with pytest.raises(KeyClashError, match="both want j"):
        actions.register([Action("note.jump", ("j",), "x", "x", (NOTES,))])
    assert "note.jump" not in actions.BY_ID
