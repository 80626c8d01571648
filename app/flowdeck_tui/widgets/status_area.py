"""The line above the footer: what the last action did and which command does the same, a question, or a text field."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from flowdeck_tui.actions.action import Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.widgets.bar import Bar, width_of
from flowdeck_tui.widgets.field import Field

Complete = Callable[[str, int], tuple[str, int]]
"""From a text and the place of the cursor to both with a word completed."""


class _Question(Bar, can_focus=True):
    """A question that y answers with yes and everything else with no."""

    BINDINGS: ClassVar = bindings(Context.CONFIRM)
    action_context: ClassVar[Context] = Context.CONFIRM

    def __init__(self, text: str, glyphs: Glyphs, answer: Callable[[bool], None]) -> None:
        super().__init__(glyphs=glyphs)
        self._answer: Callable[[bool], None] | None = answer
        keys = (("  y", Tone.STRONG), (" yes  ", Tone.MUTED), ("n", Tone.STRONG), (" no ", Tone.MUTED))
        self.show(((f" {text}", Tone.WARN),), keys)

    @property
    def is_modal(self) -> bool:
        """Keys of panes do not act while the question stands."""
        return True

    def on_key(self, event: events.Key) -> None:
        """Any other key is a no."""
        event.stop()
        self._give(False)

    def action_confirm_yes(self) -> None:
        """Do it."""
        self._give(True)

    def action_confirm_no(self) -> None:
        """Leave it."""
        self._give(False)

    def on_blur(self) -> None:
        """Whoever goes elsewhere has not said yes; who looks into another window may still."""
        if self.app.app_focus:
            self._give(False)

    def _give(self, is_yes: bool) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(is_yes)


class _Prompt(Horizontal):
    """A label and a text field in one line."""

    BINDINGS: ClassVar = bindings(Context.PROMPT)
    action_context: ClassVar[Context] = Context.PROMPT

    def __init__(
        self,
        label: str,
        text: str,
        glyphs: Glyphs,
        on_change: Callable[[str], None],
        on_end: Callable[[str | None], None],
        complete: Complete | None = None,
        *,
        needs_enter: bool = False,
    ) -> None:
        super().__init__()
        self._complete = complete
        self._needs_enter = needs_enter
        self._label = Bar(glyphs=glyphs)
        self._label.styles.width = len(label) + 2
        self._label.show(((f" {label} ", Tone.STRONG),))
        self._field = Field(text)
        self._on_change = on_change
        self._on_end: Callable[[str | None], None] | None = on_end

    @property
    def is_modal(self) -> bool:
        """Keys of panes do not act while one types."""
        return True

    def compose(self) -> ComposeResult:
        """Label, field."""
        yield self._label
        yield self._field

    def on_mount(self) -> None:
        """Type here."""
        self.screen.set_focus(self._field)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass each change on."""
        event.stop()
        if self._on_end is not None:
            self._on_change(event.value)

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Whoever clicks elsewhere keeps the text too, unless it takes an enter; another window changes nothing."""
        event.stop()
        if self.app.app_focus:
            self._finish(None if self._needs_enter else self._field.value)

    def action_prompt_accept(self) -> None:
        """Keep the text."""
        self._finish(self._field.value)

    def action_prompt_complete(self) -> None:
        """Put the next word that fits before the cursor."""
        if self._complete is not None:
            self._field.value, self._field.cursor_position = self._complete(
                self._field.value, self._field.cursor_position
            )

    def action_prompt_leave(self) -> None:
        """Drop the text."""
        self._finish(None)

    def _finish(self, text: str | None) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(text)


class StatusArea(Container):
    """Shows one of status, question or prompt; gives the focus back when a question or prompt is over."""

    class EchoPressed(Message):
        """The command on the line was clicked."""

    def __init__(self, glyphs: Glyphs) -> None:
        """Make an empty status line."""
        super().__init__(id="status-area")
        self._glyphs = glyphs
        self._status = Bar(glyphs=glyphs, id="status")
        self._said: tuple[str, Tone, str] = ("", Tone.PLAIN, "")
        self._about: tuple[str, object] | None = None
        self.times_said = 0
        """Grows with each thing that is said."""
        self._guest: Widget | None = None
        self._came_from: Widget | None = None

    def compose(self) -> ComposeResult:
        """Only the status line; the others come when needed."""
        yield self._status

    @property
    def text(self) -> str:
        """What the status line says."""
        return self._status.text

    @property
    def echo(self) -> str:
        """The command that does what was done last; empty when there is none."""
        return self._said[2]

    @property
    def about(self) -> tuple[str, object] | None:
        """What the sentence speaks of, and how it was then; None when it speaks of nothing that changes."""
        return self._about

    def say(
        self, text: str, *, tone: Tone = Tone.PLAIN, echo: str = "", about: tuple[str, object] | None = None
    ) -> None:
        """Show one sentence, and the command that does the same.

        Args:
            text: the sentence; empty to say nothing.
            tone: what it means.
            echo: the command.
            about: what the sentence speaks of, for `about` to tell; None for nothing that changes.
        """
        self.times_said += 1
        self._about = about
        self._said = (text, tone, echo)
        self._draw()

    def drop_sentence(self) -> None:
        """Take the sentence back, which is not true any more, and leave the command."""
        self.say("", echo=self._said[2])

    def _draw(self) -> None:
        text, tone, echo = self._said
        right = ((f"  $ {echo} ", Tone.MUTED),) if echo else ()
        # What went wrong is read to its end; what went well teaches its command.
        if tone is not Tone.PLAIN and width_of(right) + cell_len(text) + 1 > self.size.width:
            right = ()
        self._status.show(((f" {text}", tone),) if text else (), right)

    def on_click(self, event: events.Click) -> None:
        """A command that is clicked is copied."""
        if self.echo and self._guest is None and self.echo in self._status.span_at(event.x):
            self.post_message(self.EchoPressed())

    def on_resize(self) -> None:
        """Fit the text to the new width."""
        self._draw()

    async def ask(self, question: str, on_yes: Callable[[], None]) -> None:
        """Ask a question; `on_yes` is called if the answer is y."""

        def answer(is_yes: bool) -> None:
            self._dismiss()
            if is_yes:
                on_yes()
            else:
                self.say("Nothing was changed.")

        await self._admit(_Question(question, self._glyphs, answer))

    async def prompt(
        self,
        label: str,
        text: str,
        on_change: Callable[[str], None],
        on_end: Callable[[str | None], None],
        *,
        complete: Complete | None = None,
        needs_enter: bool = False,
    ) -> None:
        """Ask for a text.

        Args:
            label: what stands before the field.
            text: what stands in it.
            on_change: called with the text at every change.
            on_end: called with the text, or None when the user left it with esc.
            complete: returns text and cursor with another word before the cursor; None where nothing is completed.
            needs_enter: the text does something, so that only enter gives it; going elsewhere is leaving.
        """

        def end(value: str | None) -> None:
            self._dismiss()
            on_end(value)

        prompt = _Prompt(label, text, self._glyphs, on_change, end, complete, needs_enter=needs_enter)
        await self._admit(prompt)

    async def _admit(self, guest: Widget) -> None:
        if self._guest is not None:
            return
        self._came_from = self.screen.focused
        self._guest = guest
        self._status.display = False
        await self.mount(guest)
        if guest.can_focus:
            self.screen.set_focus(guest)

    def _dismiss(self) -> None:
        guest, self._guest = self._guest, None
        if guest is None:
            return
        self._status.display = True
        came_from, self._came_from = self._came_from, None
        if came_from is not None and self.screen.focused in (guest, None, *guest.children):
            self.screen.set_focus(came_from)
        guest.remove()
