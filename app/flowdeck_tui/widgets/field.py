"""A one-line text field: no border, no blinking cursor."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from flowdeck_tui.actions import FORBIDDEN_KEYS


def _own_bindings() -> list[BindingType]:
    """Take Input's editing keys without enter, which belongs to the dialog around, and without keys that stay free."""
    bindings = Binding.make_bindings(Input.BINDINGS)
    return [binding for binding in bindings if binding.key != "enter" and binding.key not in FORBIDDEN_KEYS]


class Field(Input, inherit_bindings=False):
    """A text field of one line that sends nothing while nobody types."""

    BINDINGS: ClassVar = _own_bindings()

    def __init__(self, value: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        """Make a field.

        Args:
            value: text at first; the cursor stands behind it.
            placeholder: what stands there while it is empty.
            id: of the widget.
        """
        super().__init__(value, placeholder=placeholder, compact=True, select_on_focus=False, id=id)
        self.cursor_blink = False
