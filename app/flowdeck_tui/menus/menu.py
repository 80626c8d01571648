"""A list to choose from by typing: help, commands and where to jump to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Protocol

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from flowdeck_tui.actions.action import Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.text.row_source import RowSource
from flowdeck_tui.widgets.bar import Bar
from flowdeck_tui.widgets.columns import Column
from flowdeck_tui.widgets.dialog import Dialog
from flowdeck_tui.widgets.field import Field
from flowdeck_tui.widgets.footer import Footer
from flowdeck_tui.widgets.note import Note
from flowdeck_tui.widgets.tree_table import TreeTable

DESCRIPTION_LINES: Final = 2


class MenuRows(RowSource, Protocol):
    """What can be chosen."""

    columns: Sequence[Column]

    def set_filter(self, text: str) -> None:
        """Keep what fits a text, the nearest first."""
        ...

    def answer(self, index: int) -> Any | None:
        """Return what choosing a row means; None when it only explains something."""
        ...

    def description(self, index: int) -> tuple[str, Tone]:
        """Write all that is known of a row."""
        ...


class MenuScreen(Dialog[Any]):
    """A list with a text field above it; the answer is that of the row that was chosen, None when none was."""

    AUTO_FOCUS: ClassVar[str | None] = ""
    BINDINGS: ClassVar = bindings(Context.MENU)
    action_context: ClassVar[Context] = Context.MENU

    def __init__(self, title: str, rows: MenuRows, glyphs: Glyphs, placeholder: str) -> None:
        """Make the list.

        Args:
            title: what stands above it.
            rows: what can be chosen.
            glyphs: signs that the terminal can show.
            placeholder: stands in the empty text field.
        """
        super().__init__()
        self._rows = rows
        self._glyphs = glyphs
        self._title = title
        self._placeholder = placeholder
        self.table = TreeTable(rows, rows.columns, glyphs=glyphs, id="menu-table")
        self.table.can_focus = False
        self._description = Note(DESCRIPTION_LINES, is_fixed=True, glyphs=glyphs, id="menu-description")

    def compose(self) -> ComposeResult:
        """Title, text field, list, the row under the cursor in full, keys."""
        title = Bar(glyphs=self._glyphs, fill=self._glyphs.rule, id="menu-title")
        title.show(((f" {self._title} ", Tone.STRONG),))
        with Vertical(id="menu"):
            yield title
            yield Field(placeholder=self._placeholder, id="menu-text")
            yield self.table
            yield self._description
            yield Footer(self._glyphs)

    def on_mount(self) -> None:
        """Show all."""
        self.set_focus(self.query_one(Field))
        self.query_one(Footer).show_chain((Context.MENU,))
        self.table.set_empty_text("Nothing here is called that.")
        self.table.sync()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what fits the text."""
        event.stop()
        self._rows.set_filter(event.value)
        self.table.sync()
        self.table.action_move_top()
        self._describe()

    def on_tree_table_cursor_moved(self, event: TreeTable.CursorMoved) -> None:
        """Describe the row under the cursor."""
        event.stop()
        self._describe()

    def _describe(self) -> None:
        text, tone = self._rows.description(self.table.cursor_index) if len(self._rows) else ("", Tone.PLAIN)
        self._description.show(text, tone)

    def on_tree_table_opened(self, event: TreeTable.Opened) -> None:
        """Choose what was clicked."""
        event.stop()
        self.action_menu_choose()

    def action_menu_choose(self) -> None:
        """Answer with the row under the cursor; one that only explains something is no answer."""
        answer = self._rows.answer(self.table.cursor_index) if len(self._rows) else None
        if answer is not None:
            self.dismiss(answer)

    def action_menu_leave(self) -> None:
        """Answer with nothing."""
        self.dismiss(None)

    def action_menu_down(self) -> None:
        """One row down."""
        self.table.action_move_down()

    def action_menu_up(self) -> None:
        """One row up."""
        self.table.action_move_up()

    def action_menu_page_down(self) -> None:
        """One page down."""
        self.table.action_move_page_down()

    def action_menu_page_up(self) -> None:
        """One page up."""
        self.table.action_move_page_up()
