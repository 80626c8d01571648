"""What opens over the panes to start a flow: the run form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual.app import App

from flowdeck_tui.form import start_commands
from flowdeck_tui.live.messages import Command
from flowdeck_tui.text.present import Glyphs

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdeck.deck import FlowEntry, FlowRun
    from flowdeck_tui.form.form_fields import Filled
    from flowdeck_tui.form.run_form import Draft, RunForm


class Dialogs:
    """Opens the run form over an app."""

    def __init__(
        self,
        app: App[Any],
        glyphs: Glyphs,
        submit: Callable[[Command], None],
        go_to_run: Callable[[FlowRun], None],
    ) -> None:
        """Prepare.

        Args:
            app: over which it opens.
            glyphs: signs that the terminal can show.
            submit: gives a command to Deck.
            go_to_run: called with the run that the form has started.
        """
        self._app = app
        self._glyphs = glyphs
        self._submit = submit
        self._go_to_run = go_to_run
        self._form: RunForm | None = None

    async def open_form(self, entry: FlowEntry) -> None:
        """Show the form that runs a flow; it stays until the run exists or the user leaves it."""
        # Imported here, as other dialogs are: the first paint need not wait for them.
        from flowdeck_tui.form.run_form import draft_of_flow  # noqa: PLC0415

        await self._open_form(draft_of_flow(entry), lambda filled: start_commands.create(entry, filled))

    async def open_rerun(self, run: FlowRun, entry: FlowEntry | None) -> None:
        """Show the form that runs the flow of a run once more.

        Args:
            run: whose parameters stand in it.
            entry: its flow; None when the catalogue does not hold it.
        """
        from flowdeck_tui.form.run_form import draft_of_run  # noqa: PLC0415

        await self._open_form(draft_of_run(run, entry), lambda filled: start_commands.rerun(run, filled))

    async def _open_form(self, draft: Draft, command: Callable[[Filled], Command]) -> None:
        from flowdeck_tui.form.run_form import RunForm  # noqa: PLC0415

        def forget(_: None) -> None:
            self._form = None

        def submit(filled: Filled) -> None:
            self._submit(replace(command(filled), then=self._started, otherwise=self._tell_form))

        self._form = RunForm(draft, self._glyphs, submit)
        await self._app.push_screen(self._form, forget)

    def _tell_form(self, problem: str) -> None:
        """Show in the form, if it is still open, why the flow was not started."""
        if self._form is not None:
            self._form.tell(problem)

    def _started(self, run: FlowRun) -> None:
        """The run exists: take the form away and go there."""
        if self._form is not None:
            self._form.dismiss(None)
        self._go_to_run(run)
