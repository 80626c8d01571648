"""A one-line text field: no border, no blinking cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from flowdeck_tui.actions.action import FORBIDDEN_KEYS


def without(keys: frozenset[str], declared: Sequence[BindingType]) -> list[BindingType]:
    """Take a widget's own editing keys, but not these."""
    return [binding for binding in Binding.make_bindings(declared) if binding.key not in keys]


class Field(Input, inherit_bindings=False):
    """A text field of one line that sends nothing while nobody types."""

    # Enter belongs to the dialog around.
    BINDINGS: ClassVar = without(FORBIDDEN_KEYS | {"enter"}, Input.BINDINGS)

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        replaces: bool = False,
        is_secret: bool = False,
        id: str | None = None,
    ) -> None:
        """Make a field.

        Args:
            value: text at first; the cursor stands behind it.
            placeholder: what stands there while it is empty.
            replaces: whoever comes with the keyboard and types replaces what stands there.
            is_secret: show dots for what is typed.
            id: of the widget.
        """
        super().__init__(
            value, placeholder=placeholder, password=is_secret, compact=True, select_on_focus=replaces, id=id
        )
        self.cursor_blink = False
