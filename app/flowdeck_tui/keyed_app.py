"""An app whose every action is in the table: footer, palette, help, copy menu, status line; and a least size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from textual import events

from flowdeck_tui.actions import actions, focus
from flowdeck_tui.actions.action import DIALOGS, Action, Context
from flowdeck_tui.menus.copy_menu import CopyMenu
from flowdeck_tui.menus.palette import Palette
from flowdeck_tui.terminal.cell_screen import CellScreen
from flowdeck_tui.terminal.clipboard import CopyChoice
from flowdeck_tui.terminal.quiet_app import QuietApp
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.widgets.footer import Footer
from flowdeck_tui.widgets.note import Note
from flowdeck_tui.widgets.status_area import StatusArea

READING, ENGINE = "reading", "engine"
"""What a sentence on the status line may speak of beside a run: trouble that lasts."""
LEAST_COLUMNS: Final = 60
LEAST_LINES: Final = 15
_SENTENCE_LINES: Final = 4
_WAYS_OUT: Final = ("q", "ctrl+q")


class _TooSmall(Note):
    """Covers a screen on which nothing else has room; what is below keeps its state and the keyboard."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(_SENTENCE_LINES, is_fixed=True, glyphs=glyphs)
        self.styles.height = "100%"


class KeyedApp(QuietApp):
    """Base of the app: all that keys and clicks have in common, whatever pane they act on."""

    def __init__(self, glyphs: Glyphs, environment: Mapping[str, str], now: Callable[[], datetime]) -> None:
        """Prepare.

        Args:
            glyphs: signs that the terminal can show.
            environment: tells which terminal this is.
            now: tells the time.
        """
        super().__init__()
        self._glyphs = glyphs
        self.footer = Footer(glyphs)
        self.status = StatusArea(glyphs)
        self.palette = Palette(self, self.status, glyphs, self.why_not, self.perform_on)
        self.copy_menu = CopyMenu(self, self.status, glyphs, environment, now)
        self._is_too_small = False

    # -- what the app says -------------------------------------------------------------------------------------------

    def why_not(self, action_id: str) -> str | None:
        """Say why an action cannot be done to what is under the cursor; None when it can."""
        return None

    def perform_on(self, action: Action, reference: str) -> None:
        """Do an action to the run of a name or id."""

    # -- keys and clicks ---------------------------------------------------------------------------------------------

    def chain(self) -> tuple[Context, ...]:
        """Return the contexts of what has the focus, innermost first."""
        return focus.chain(focus.holders(self.screen))

    def on_descendant_focus(self) -> None:
        """The footer shows the keys of what has the focus; dialogs have footers of their own."""
        if len(self.screen_stack) == 1:
            self.footer.show_chain(self.chain())

    async def act_on_key(self, key: str) -> bool:
        """What was said of the last thing done goes with the next, unless that says something itself."""
        times_said = self.status.times_said
        has_acted = await super().act_on_key(key)
        if has_acted:
            self._leave_unsaid(times_said)
        return has_acted

    async def on_event(self, event: events.Event) -> None:
        """A click is the next thing done as well; a screen that is too small takes no key but the way out."""
        if self._is_too_small and isinstance(event, events.Key) and event.key not in _WAYS_OUT:
            return
        times_said = self.status.times_said
        await super().on_event(event)
        if isinstance(event, events.MouseDown) and event.screen_y != self.status.region.y:
            self._leave_unsaid(times_said)

    def _leave_unsaid(self, times_said: int) -> None:
        about = self.status.about
        is_trouble = about is not None and about[0] in (READING, ENGINE)  # stays until it is over
        if self.status.times_said == times_said and not is_trouble:
            self.status.say("")

    def on_unbound_key(self, key: str) -> None:
        """Say where a key acts that does not act here; a dialog takes the keyboard alone."""
        if not DIALOGS.isdisjoint(self.chain()):
            return
        action = actions.elsewhere(key)
        if action is not None:
            self.status.say(f"{action.shown_key} {action.label} acts in {' and '.join(action.contexts)}.")

    async def on_footer_pressed(self, message: Footer.Pressed) -> None:
        """A key that is clicked acts."""
        await self.palette.perform(message.action)

    def on_status_area_echo_pressed(self, message: StatusArea.EchoPressed) -> None:
        """Copy the command on the status line."""
        self.copy_menu.copy(CopyChoice("command", self.status.echo))

    # -- sizes -------------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Where there is no room for a list with its keys, a sentence says so."""
        for screen in self.screen_stack:
            if isinstance(screen, CellScreen):
                screen.forget()  # terminals lay out anew what they show
        self.draw_once()
        size = event.size
        self._is_too_small = size.width < LEAST_COLUMNS or size.height < LEAST_LINES
        sentence = (
            f"flowdeck needs {LEAST_COLUMNS} columns and {LEAST_LINES} lines; here are {size.width} and {size.height}. "
            "ctrl+q leaves; runs go on."
        )
        for screen in self.screen_stack:
            screen.query_children(_TooSmall).remove()
            if self._is_too_small:
                cover = _TooSmall(self._glyphs)
                screen.mount(cover)
                cover.show(sentence, Tone.WARN)

    # -- actions -----------------------------------------------------------------------------------------------------

    def action_screen_repaint(self) -> None:
        """Draw everything again, in case something else wrote to the terminal."""
        if isinstance(self.screen, CellScreen):
            self.screen.repaint()
        else:
            self.screen.refresh(layout=True)

    def action_app_stop(self) -> None:
        """Stop like any program of a shell, which `fg` continues."""
        if not self.stop_job():
            self.status.say("No shell has started this screen, so none could bring it back: ctrl+z does nothing here.")

    async def action_palette_open(self) -> None:
        """List every action by name."""
        await self.palette.open_commands(self.chain())

    async def action_help_open(self) -> None:
        """List all keys."""
        await self.palette.open_help(self.chain())

    def action_help_quit(self) -> None:
        """Ctrl+c leaves nothing behind by mistake: say how to leave."""
        self.status.say("q quits; runs go on without the screen.")
