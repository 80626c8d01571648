"""A Textual app as this screen wants it: nothing moves by itself, cells are sent exactly, keys act in their order."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from textual import events
from textual.app import App
from textual.message import Message
from textual.widget import Widget

from flowdeck_tui.terminal.cell_screen import CellScreen
from flowdeck_tui.text.theme import THEME

PATIENCE_SECONDS: Final = 0.5
"""How long a text field may take over one key before the next is looked at all the same."""


_ATTENTION: Final = (events.Key, events.MouseDown, events.MouseScrollDown, events.MouseScrollUp)


class QuietApp(App[None]):
    """Base of the app: how it differs from a stock one, with nothing of flows and runs in it."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        super().__init__()
        self.animation_level = "none"
        self._held = contextlib.ExitStack()
        self.register_theme(THEME)
        self.theme = THEME.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give the tones that our widgets need to themes that do not know them."""
        return THEME.variables

    def get_default_screen(self) -> CellScreen:
        """Changes are sent cell by cell."""
        return CellScreen()

    async def on_event(self, event: events.Event) -> None:
        """Act on keys one after the other: what was typed ahead of a dialog goes into that dialog."""
        # Textual hands a key to the widget that has the focus when the key arrives, before the key typed ahead of it
        # has moved the focus. Here each key is dealt with before the next is looked at.
        if not self.app_focus and isinstance(event, _ATTENTION):
            await super().on_event(events.AppFocus())  # whoever does something looks, whatever the terminal told
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        focused = self.focused
        if focused is not None and focused.check_consume_key(event.key, event.character):
            await super().on_event(event)
            await _caught_up(focused)
        elif not await self.act_on_key(event.key):
            self.on_unbound_key(event.key)
            await super().on_event(event)

    async def act_on_key(self, key: str) -> bool:
        """Do what a key is bound to where the focus is; False when it is bound to nothing."""
        return await self._check_bindings(key, priority=True) or await self._check_bindings(key)

    def on_unbound_key(self, key: str) -> None:
        """Take note of a key that does nothing where the focus is."""

    def hold(self) -> None:
        """Draw nothing from now on: nobody looks."""
        if not self.app_focus:
            self._held.close()
            self._held.enter_context(self.batch_update())

    def release(self) -> None:
        """Draw what has changed since `hold`, and go on."""
        self._held.close()

    def draw_once(self) -> None:
        """Draw what has changed since `hold`, which then goes on."""
        if not self.app_focus:
            self.release()
            self.call_after_refresh(self.hold)

    def post(self, message: Message) -> None:
        """Take a message from a thread; one that comes while the app ends is dropped."""
        with contextlib.suppress(RuntimeError):
            self.post_message(message)


async def _caught_up(widget: Widget) -> None:
    """Wait until a widget has dealt with the messages that it has."""
    done = asyncio.Event()
    widget.call_later(done.set)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)
