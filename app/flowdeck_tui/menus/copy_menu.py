"""The copy menu over an app: asks what has the focus what it has to copy, and copies it or writes it to a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.app import App

from flowdeck_tui.actions import focus
from flowdeck_tui.terminal import clipboard
from flowdeck_tui.terminal.clipboard import CopyChoice
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.widgets.status_area import StatusArea

if TYPE_CHECKING:
    from flowdeck_tui.menus.copy_screen import Copying


class CopyMenu:
    """Copies for an app."""

    def __init__(
        self,
        app: App[Any],
        status: StatusArea,
        glyphs: Glyphs,
        environment: Mapping[str, str],
        now: Callable[[], datetime],
    ) -> None:
        """Prepare.

        Args:
            app: over which the menu opens.
            status: says what was copied; its command can be copied.
            glyphs: signs that the terminal can show.
            environment: tells whether this is tmux.
            now: tells the time, for the names of files.
        """
        self._app = app
        self._status = status
        self._glyphs = glyphs
        self._environment = environment
        self._now = now

    def choices(self) -> list[CopyChoice]:
        """List what can be copied: of what has the focus, of what lies around it, the command on the status line."""
        found: list[CopyChoice] = []
        for node, _ in focus.holders(self._app.screen):
            provider: Callable[[], list[CopyChoice]] | None = getattr(node, "copy_choices", None)
            if provider is not None:
                found.extend(provider())
        if self._status.echo:
            found.append(CopyChoice("last command", self._status.echo))
        return [choice for place, choice in enumerate(found) if choice.text and choice not in found[:place]]

    async def open(self) -> None:
        """Ask what to copy."""
        from flowdeck_tui.menus.copy_screen import CopyScreen  # noqa: PLC0415 - the first paint need not wait for it

        choices = self.choices()
        if not choices:
            self._status.say("There is nothing to copy here.")
            return
        await self._app.push_screen(CopyScreen(choices, self._glyphs), self._take)

    def _take(self, copying: Copying | None) -> None:
        if copying is None:
            return
        if copying.to_file:
            self.save(copying.choice)
        else:
            self.copy(copying.choice)

    def copy(self, choice: CopyChoice) -> None:
        """Copy a text, or write it to a file when terminals would drop it."""
        if not clipboard.fits(choice.text):
            limit = f"Terminals take at most {clipboard.MOST_BYTES:,} bytes; "
            self.save(choice, limit)
            return
        self._status.say(clipboard.copy(choice.text, choice.label, self._environment, self._app.copy_to_clipboard))

    def save(self, choice: CopyChoice, why: str = "") -> None:
        """Write a text to a file."""
        try:
            path = clipboard.save(choice.text, self._now())
        except OSError as error:
            self._status.say(f"{why}no file was written: {error}.", tone=Tone.BAD)
        else:
            self._status.say(f"{why}the {choice.label} is in {path}" if why else f"The {choice.label} is in {path}")
