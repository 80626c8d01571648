"""A one-line text field: no border, no blinking cursor."""

from __future__ import annotations

from textual.widgets import Input


class Field(Input):
    """A text field of one line that sends nothing while nobody types."""

    def __init__(self, value: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        """Make a field.

        Args:
            value: text at first; the cursor stands behind it.
            placeholder: what stands there while it is empty.
            id: of the widget.
        """
        super().__init__(value, placeholder=placeholder, compact=True, select_on_focus=False, id=id)
        self.cursor_blink = False
