"""Help and command palette: one filterable list of actions that does what its row says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from flowdeck_tui.actions import Action, Context, bindings, shown_key
from flowdeck_tui.present import Glyphs, Tone
from flowdeck_tui.row_source import Cell, Row, RowKey
from flowdeck_tui.screens.legend import Hint, searched
from flowdeck_tui.widgets.bar import Bar
from flowdeck_tui.widgets.columns import Column
from flowdeck_tui.widgets.field import Field
from flowdeck_tui.widgets.footer import Footer
from flowdeck_tui.widgets.note import Note
from flowdeck_tui.widgets.tree_table import TreeTable

COLUMNS: Final = (
    Column("label", "ACTION", 16, minimum=13),
    Column("keys", "KEYS", 13, minimum=9),
    Column("where", "WHERE", 17, drop_order=2),
    Column("help", "WHAT IT DOES", 40, minimum=40, grows=3),
    Column("cli", "COMMAND", 40, drop_order=3),
)


DESCRIPTION_LINES: Final = 2


class ActionRows:
    """Actions as rows of a table, with a text filter; hints stand before them, and behind them when one searches."""

    def __init__(self, choices: Sequence[Action], hints: Sequence[Hint] = ()) -> None:
        self._all = tuple(choices)
        self._hints = tuple(hints)
        self._shown: list[Action | Hint] = [*hints, *choices]

    def set_filter(self, text: str) -> None:
        """Keep actions that hold every word; those that are called so come before those that only tell of it."""
        words = text.lower().split()
        found = [action for action in self._all if all(word in _searched(action) for word in words)]
        chosen = sorted(found, key=lambda action: _distance(action, words))
        self._shown = [*chosen, *searched(self._hints, words)] if words else [*self._hints, *chosen]

    def action(self, index: int) -> Action | None:
        """Return the action of a row; None when it only explains something."""
        shown = self._shown[index]
        return shown if isinstance(shown, Action) else None

    def description(self, index: int) -> str:
        """Write all that is known of a row."""
        shown = self._shown[index]
        if isinstance(shown, Hint):
            return f"{shown.label}: {shown.help}"
        return f"{shown.help} ({', '.join(shown.contexts)})" + (f"  $ {shown.cli}" if shown.cli else "")

    def __len__(self) -> int:
        return len(self._shown)

    def key(self, index: int) -> RowKey:
        """Return the key of a row: the id of its action, or what is explained."""
        return _key(self._shown[index])

    def index(self, key: RowKey) -> int | None:
        """Return where an action stands."""
        return next((index for index, shown in enumerate(self._shown) if _key(shown) == key), None)

    def row(self, index: int) -> Row:
        """Return a row."""
        action = self._shown[index]
        if isinstance(action, Hint):
            return Row(self.key(index), {"label": Cell(action.label, Tone.MUTED), "help": Cell(action.help)})
        cells = {
            "label": Cell(action.label),
            "keys": Cell(" ".join(shown_key(key) for key in action.keys), Tone.STRONG),
            "where": Cell(", ".join(action.contexts), Tone.MUTED),
            "help": Cell(action.help, Tone.MUTED),
            "cli": Cell(action.cli or "", Tone.MUTED),
        }
        return Row(self.key(index), cells)


def _key(shown: Action | Hint) -> RowKey:
    return ("action", shown.id) if isinstance(shown, Action) else ("hint", shown.label)


def _searched(action: Action) -> str:
    return " ".join((action.label, action.help, action.id, *action.keys)).lower()


def _distance(action: Action, words: Sequence[str]) -> int:
    label = action.label.lower()
    if all(word in action.keys or label.startswith(word) for word in words):
        return 0
    return 1 if all(word in label for word in words) else 2


class MenuScreen(ModalScreen[Action | None]):
    """A list of actions; the answer is the one that was chosen."""

    AUTO_FOCUS: ClassVar[str | None] = ""
    BINDINGS: ClassVar = bindings(Context.MENU)
    action_context: ClassVar[Context] = Context.MENU

    def __init__(self, title: str, choices: Sequence[Action], glyphs: Glyphs, hints: Sequence[Hint] = ()) -> None:
        """Make the list.

        Args:
            title: what stands above it.
            choices: its actions, in order.
            glyphs: signs that the terminal can show.
            hints: what is explained before them.
        """
        super().__init__()
        self._rows = ActionRows(choices, hints)
        self._glyphs = glyphs
        self._title = title
        self.table = TreeTable(self._rows, COLUMNS, glyphs=glyphs, id="menu-table")
        self.table.can_focus = False
        self._description = Note(DESCRIPTION_LINES, is_fixed=True, glyphs=glyphs, id="menu-description")

    def compose(self) -> ComposeResult:
        """Title, text field, list, the row under the cursor in full, keys."""
        title = Bar(glyphs=self._glyphs, fill=self._glyphs.rule, id="menu-title")
        title.show(((f" {self._title} ", Tone.STRONG),))
        with Vertical(id="menu"):
            yield title
            yield Field(placeholder="type to find an action", id="menu-text")
            yield self.table
            yield self._description
            yield Footer(self._glyphs)

    def on_mount(self) -> None:
        """Show all."""
        self.set_focus(self.query_one(Field))
        self.query_one(Footer).show_chain((Context.MENU,))
        self.table.set_empty_text("No action is called that.")
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
        self._description.show(self._rows.description(self.table.cursor_index) if len(self._rows) else "")

    def on_tree_table_opened(self, event: TreeTable.Opened) -> None:
        """Choose what was clicked."""
        event.stop()
        self.action_menu_choose()

    def action_menu_choose(self) -> None:
        """Answer with the row under the cursor; one that only explains something is no answer."""
        action = self._rows.action(self.table.cursor_index) if len(self._rows) else None
        if action is not None:
            self.dismiss(action)

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
