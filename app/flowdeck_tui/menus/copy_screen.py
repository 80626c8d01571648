"""What can be copied, one line each: a letter copies at once, enter the row under the cursor, w writes it to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.actions.action import Context
from flowdeck_tui.actions.actions import bindings, in_contexts
from flowdeck_tui.terminal.clipboard import CopyChoice, fits
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.text.row_source import Cell, Row, RowKey
from flowdeck_tui.widgets.bar import Bar
from flowdeck_tui.widgets.columns import Column
from flowdeck_tui.widgets.dialog import Dialog
from flowdeck_tui.widgets.footer import Footer
from flowdeck_tui.widgets.tree_table import TreeTable

COLUMNS: Final = (
    Column("key", "KEY", 5),
    Column("label", "WHAT", 14),
    Column("text", "TEXT", 40, minimum=20, grows=5),
    Column("size", "BYTES", 9, align="right", drop_order=1),
)
_LONGEST_SHOWN: Final = 300
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
TAKEN: Final = frozenset(key for action in in_contexts([Context.LIST, Context.COPY]) for key in action.keys)
"""Keys that move in the list or leave it."""


@dataclass(frozen=True, slots=True)
class Copying:
    """The answer: what to copy, and whether into a file."""

    choice: CopyChoice
    to_file: bool = False


def letters_for(choices: Sequence[CopyChoice]) -> list[str]:
    """Give each choice a letter of its label that no other has; empty when no letter is left."""
    taken = set(TAKEN)
    letters: list[str] = []
    for choice in choices:
        wanted = [*(char for char in choice.label.lower() if char in _LETTERS), *_LETTERS]
        letter = next((char for char in wanted if char not in taken), "")
        letters.append(letter)
        taken.add(letter)
    return letters


class _CopyRows:
    """Choices as rows."""

    def __init__(self, choices: Sequence[CopyChoice]) -> None:
        self.choices = tuple(choices)
        self.letters = letters_for(choices)

    def __len__(self) -> int:
        return len(self.choices)

    def key(self, index: int) -> RowKey:
        return ("copy", index)

    def index(self, key: RowKey) -> int | None:
        return int(key[1])

    def row(self, index: int) -> Row:
        choice = self.choices[index]
        size = len(choice.text.encode("utf-8", "surrogateescape"))
        cells = {
            "key": Cell(self.letters[index], Tone.STRONG),
            "label": Cell(choice.label),
            "text": Cell(inert_line(choice.text[:_LONGEST_SHOWN]), Tone.MUTED),
            "size": Cell(f"{size:,}", Tone.MUTED if fits(choice.text) else Tone.WARN),
        }
        return Row(self.key(index), cells)


class CopyScreen(Dialog[Copying]):
    """Asks what to copy."""

    AUTO_FOCUS: ClassVar[str | None] = ""
    BINDINGS: ClassVar = bindings(Context.COPY)
    action_context: ClassVar[Context] = Context.COPY

    def __init__(self, choices: Sequence[CopyChoice], glyphs: Glyphs) -> None:
        """Make the list.

        Args:
            choices: at least one, the likeliest first.
            glyphs: signs that the terminal can show.
        """
        super().__init__()
        self._rows = _CopyRows(choices)
        self._glyphs = glyphs
        self.table = TreeTable(self._rows, COLUMNS, glyphs=glyphs, id="copy-table")

    def compose(self) -> ComposeResult:
        """Title, list, keys."""
        title = Bar(glyphs=self._glyphs, fill=self._glyphs.rule, id="copy-title")
        title.show(((" copy ", Tone.STRONG), ("the letter of a row copies it ", Tone.MUTED)))
        with Vertical(id="copy"):
            yield title
            yield self.table
            yield Footer(self._glyphs)

    def on_mount(self) -> None:
        """Show all."""
        self.set_focus(self.table)
        self.query_one(Footer).show_chain((Context.COPY,))
        self.table.sync()

    def on_tree_table_cursor_moved(self, event: TreeTable.CursorMoved) -> None:
        """A row tells all of itself."""
        event.stop()

    def on_tree_table_opened(self, event: TreeTable.Opened) -> None:
        """Copy what was clicked."""
        event.stop()
        self.action_copy_choose()

    def on_key(self, event: events.Key) -> None:
        """A letter copies at once."""
        if event.character and event.character in self._rows.letters:
            event.stop()
            self.dismiss(Copying(self._rows.choices[self._rows.letters.index(event.character)]))

    def action_copy_choose(self) -> None:
        """Copy the row under the cursor."""
        self.dismiss(Copying(self._rows.choices[self.table.cursor_index]))

    def action_copy_save(self) -> None:
        """Write the row under the cursor to a file."""
        self.dismiss(Copying(self._rows.choices[self.table.cursor_index], to_file=True))

    def action_copy_leave(self) -> None:
        """Copy nothing."""
        self.dismiss(None)
