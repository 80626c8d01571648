"""A Textual app as this screen wants it: nothing moves by itself, cells are sent exactly, keys act in their order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import traceback
from collections.abc import Generator
from typing import Final

import psutil
from textual import events, on
from textual.app import App
from textual.driver import Driver
from textual.filter import Monochrome
from textual.message import Message
from textual.widget import Widget

from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.terminal.cell_screen import CellScreen
from flowdeck_tui.terminal.colourless import Colourless
from flowdeck_tui.terminal.screen_driver import ScreenDriver
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
        self.last_words = ""
        """What is to be said on the terminal after leaving; empty for nothing."""
        self._held = contextlib.ExitStack()
        if self.no_color:
            self._filters[:] = [one for one in self._filters if not isinstance(one, Monochrome)] + [Colourless()]
        self.register_theme(THEME)
        self.theme = THEME.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give the tones that our widgets need to themes that do not know them."""
        return THEME.variables

    def get_driver_class(self) -> type[Driver]:
        """Talk to the terminal in a way of our own."""
        return ScreenDriver

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

    # -- standing aside and ending -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def suspend(self) -> Generator[None]:
        """Lend the terminal; it comes back whatever happens meanwhile, which stock Textual does not promise."""
        raised: BaseException | None = None
        with super().suspend():
            try:
                yield
            except BaseException as error:  # noqa: BLE001 - raised again as soon as the terminal is back
                raised = error
            if isinstance(self._driver, ScreenDriver):
                self._driver.restore_attributes()
        self.draw_anew()
        if raised is not None:
            raise raised

    def stop_job(self) -> bool:
        """Stop as ctrl+z stops any program of a shell; False when no shell waits that could continue us."""
        if not isinstance(self._driver, ScreenDriver) or not has_shell():
            return False
        os.killpg(0, signal.SIGTSTP)  # also a program that has started us, such as sudo: the shell waits for that
        return True

    @on(Driver.SignalResume)
    def draw_anew(self) -> None:
        """Draw everything: something else has used the terminal."""
        for screen in self.screen_stack:
            if isinstance(screen, CellScreen):
                screen.forget()
        self.screen.refresh(layout=True)

    def _fatal_error(self) -> None:
        """End with one sentence that names the place; stock Textual prints pages of frames with their variables."""
        if os.environ.get("FLOWDECK_DEBUG"):
            super()._fatal_error()
            return
        if self._exception is not None:
            self.last_words = crash_sentence(self._exception)
        self._close_messages_no_wait()

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


def crash_sentence(error: BaseException) -> str:
    """Say that the screen broke, where and by what."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    ours = next((f for f in reversed(frames) if "flowdeck" in f.filename), None)
    through = f", called from {os.path.basename(ours.filename)}:{ours.lineno}" if ours and ours != frames[-1] else ""
    said = inert_line(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    return f"The screen broke and has ended: {said}{place}{through}. Runs go on; start it again with: flowdeck"


def has_shell() -> bool:
    """Tell whether a shell has started us that can continue us when we stop; not so in a window of its own."""
    session, group, pid = os.getsid(0), os.getpgrp(), os.getppid()
    try:
        while pid > 0 and os.getsid(pid) == session:
            if os.getpgid(pid) != group:
                return True
            pid = psutil.Process(pid).ppid()
    except (OSError, psutil.Error):
        return False
    return False
