"""Controls of a form beside the one-line field: several lines of text, one of a few choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.widgets import TextArea

from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.actions.action import FORBIDDEN_KEYS, Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.widgets.bar import Bar
from flowdeck_tui.widgets.field import without

MOST_LINES: Final = 8
"""Height of a field of several lines, at most."""
CHOICE_GAP: Final = 2


class LinesField(TextArea, inherit_bindings=False):
    """A text field of several lines, as high as its text up to a limit; enter begins a new line."""

    BINDINGS: ClassVar = without(FORBIDDEN_KEYS, TextArea.BINDINGS)

    def __init__(self, value: str = "", *, placeholder: str = "") -> None:
        """Make a field.

        Args:
            value: text at first.
            placeholder: what stands there while it is empty.
        """
        super().__init__(value, compact=True, placeholder=placeholder, highlight_cursor_line=False)
        self.cursor_blink = False
        self._initial = value
        self._fit()

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Enter is text here."""
        return key == "enter" or super().check_consume_key(key, character)

    def on_focus(self, event: events.Focus) -> None:
        """Whoever comes to what nobody has touched yet and types replaces it."""
        if self.text == self._initial and not event.from_app_focus:
            self.select_all()

    def on_text_area_changed(self) -> None:
        """Grow and shrink with the text."""
        self._fit()

    def _fit(self) -> None:
        self.styles.height = max(1, min(self.document.line_count, MOST_LINES))


class ChoiceField(Bar, can_focus=True):
    """One of a few texts: all of them on one line, the chosen one in brackets."""

    BINDINGS: ClassVar = bindings(Context.CHOICE)
    action_context: ClassVar[Context] = Context.CHOICE

    class Changed(Message):
        """Another text was chosen."""

    def __init__(self, choices: Sequence[str], chosen: str, *, note: str, glyphs: Glyphs) -> None:
        """Make a field.

        Args:
            choices: the texts.
            chosen: one of them, or empty for none yet.
            note: what stands behind them while none is chosen.
            glyphs: signs that the terminal can show.
        """
        super().__init__(glyphs=glyphs)
        self._choices = tuple(choices)
        self._note = note
        self.value = chosen

    def on_mount(self) -> None:
        """Show the choices."""
        self._show()

    def on_resize(self) -> None:
        """Show as many choices as there is room for."""
        self._show()

    def _show(self) -> None:
        spans: list[tuple[str, Tone]] = []
        for text in self._visible():
            is_chosen = text == self.value
            shown = inert_line(text) or "(empty)"
            spans.append((f"[{shown}]" if is_chosen else f" {shown} ", Tone.STRONG if is_chosen else Tone.MUTED))
            spans.append((" " * (CHOICE_GAP - 1), Tone.PLAIN))
        note = () if self.value in self._choices else ((f"{self._note} ", Tone.MUTED),)
        self.show(tuple(spans), note)

    def _visible(self) -> tuple[str, ...]:
        """Return the choices from the chosen one's page on: those that fit beside each other."""
        room = max(1, self.size.width)
        page: list[str] = []
        used = 0
        for text in self._choices:
            width = cell_len(text) + 2 + CHOICE_GAP
            if page and used + width > room:
                if self.value in page or self.value not in self._choices:
                    break
                page, used = [], 0
            page.append(text)
            used += width
        return tuple(page)

    def _choose(self, index: int) -> None:
        self.value = self._choices[index % len(self._choices)]
        self._show()
        self.post_message(self.Changed())

    def _step(self, by: int) -> None:
        if self.value in self._choices:
            self._choose(self._choices.index(self.value) + by)
        else:
            self._choose(0 if by > 0 else -1)

    def action_choice_next(self) -> None:
        """Choose what stands to the right."""
        self._step(1)

    def action_choice_previous(self) -> None:
        """Choose what stands to the left."""
        self._step(-1)

    def on_key(self, event: events.Key) -> None:
        """A letter or digit goes to the next choice that begins with it."""
        letter = (event.character or "").lower()
        if not letter.isalnum():
            return
        event.stop()
        start = self._choices.index(self.value) + 1 if self.value in self._choices else 0
        order = [*range(start, len(self._choices)), *range(start)]
        found = next((index for index in order if self._choices[index].lower().startswith(letter)), None)
        if found is not None:
            self._choose(found)

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked."""
        event.stop()
        x = 0
        for text in self._visible():
            x += cell_len(inert_line(text) or "(empty)") + 1 + CHOICE_GAP
            if event.x < x:
                self._choose(self._choices.index(text))
                return
