"""What opens over the panes: the run form, help and commands; and doing what was chosen there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.app import App

from flowdeck_tui import actions, commands, focus
from flowdeck_tui.actions import Action, Context
from flowdeck_tui.commands import Command
from flowdeck_tui.present import Glyphs
from flowdeck_tui.widgets.status_area import StatusArea

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdeck.deck import FlowEntry
    from flowdeck_tui.form_fields import Filled
    from flowdeck_tui.screens.legend import Hint
    from flowdeck_tui.screens.run_form import RunForm


class Dialogs:
    """Opens dialogs over an app and carries out what they answer."""

    def __init__(self, app: App[Any], status: StatusArea, glyphs: Glyphs, submit: Callable[[Command], None]) -> None:
        """Prepare.

        Args:
            app: over which they open.
            status: where is said why something cannot be done.
            glyphs: signs that the terminal can show.
            submit: gives a command to Deck.
        """
        self._app = app
        self._status = status
        self._glyphs = glyphs
        self._submit = submit
        self._form: RunForm | None = None

    async def open_form(self, entry: FlowEntry) -> None:
        """Show the form that runs a flow; it stays until the run exists or the user leaves it."""
        # Imported here, as the menu below: together 8 ms, which the first paint need not wait for.
        from flowdeck_tui.screens.run_form import RunForm  # noqa: PLC0415

        def submit(filled: Filled) -> None:
            self._submit(commands.create(entry, filled))

        def forget(_: None) -> None:
            self._form = None

        self._form = RunForm(entry, self._glyphs, submit)
        await self._app.push_screen(self._form, forget)

    def tell_form(self, problem: str) -> None:
        """Show in the form, if it is still open, why the flow was not started."""
        if self._form is not None:
            self._form.tell(problem)

    def close_form(self) -> None:
        """The run exists: take the form away."""
        if self._form is not None:
            self._form.dismiss(None)

    async def open_commands(self, chain: Sequence[Context]) -> None:
        """List what acts here."""
        await self._open_menu("commands", actions.listed(chain))

    async def open_help(self, chain: Sequence[Context]) -> None:
        """Say what the signs mean, then list all keys, those that act here first."""
        from flowdeck_tui.screens.legend import legend  # noqa: PLC0415

        here = actions.listed(chain)
        others = [action for action in actions.ACTIONS if action not in here]
        await self._open_menu("help", [*here, *others], legend(self._glyphs))

    async def _open_menu(self, title: str, choices: Sequence[Action], hints: Sequence[Hint] = ()) -> None:
        from flowdeck_tui.screens.menu import MenuScreen  # noqa: PLC0415

        def chosen(action: Action | None) -> None:
            if action is not None:
                self._app.call_later(self.perform, action)

        await self._app.push_screen(MenuScreen(title, choices, self._glyphs, hints), chosen)

    async def perform(self, action: Action) -> None:
        """Do what an action says where the focus is, or say why not."""
        for node, context in focus.holders(self._app.screen):
            if context in action.contexts:
                await self._app.run_action(action.method, default_namespace=node)
                return
        if Context.EVERYWHERE in action.contexts:
            await self._app.run_action(action.method, default_namespace=self._app)
        else:
            where = " and ".join(action.contexts)
            self._status.say(f"{action.label} acts in {where}: {action.help}")
