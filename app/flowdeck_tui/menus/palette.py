"""Help and command palette: every action with why it cannot be done here, and doing what was chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual.app import App

from flowdeck_tui.actions import actions, focus
from flowdeck_tui.actions.action import DIALOGS, Action, Context
from flowdeck_tui.text.present import Glyphs
from flowdeck_tui.widgets.status_area import StatusArea

if TYPE_CHECKING:
    from flowdeck_tui.menus.action_rows import Offer
    from flowdeck_tui.menus.legend import Hint


class Palette:
    """Lists actions over an app and does what was chosen."""

    def __init__(
        self,
        app: App[Any],
        status: StatusArea,
        glyphs: Glyphs,
        why_not: Callable[[str], str | None],
        on_reference: Callable[[Action, str], None],
    ) -> None:
        """Prepare.

        Args:
            app: over which the lists open.
            status: where is said why something cannot be done.
            glyphs: signs that the terminal can show.
            why_not: says why an action, by its id, cannot be done to what is under the cursor; None when it can.
            on_reference: called with an action and the run that was named for it.
        """
        self._app = app
        self._status = status
        self._glyphs = glyphs
        self._why_not = why_not
        self._on_reference = on_reference
        self._recent: list[Action] = []

    async def open_commands(self, chain: Sequence[Context]) -> None:
        """List every action: those chosen last, what acts here, then the others."""
        from flowdeck_tui.menus.action_rows import Offer  # noqa: PLC0415

        recent = [action for action in self._recent if self.why_not(action) is None]
        rest = [action for action in self._in_order(chain) if action not in recent]
        offers = [Offer(action, self.why_not(action)) for action in (*recent, *rest)]
        await self._open("commands", sorted(offers, key=lambda offer: offer.why_not is not None))

    async def open_help(self, chain: Sequence[Context]) -> None:
        """Say what the signs mean, then list all keys, those that act here first."""
        from flowdeck_tui.menus.action_rows import Offer  # noqa: PLC0415
        from flowdeck_tui.menus.legend import legend  # noqa: PLC0415

        await self._open("help", [Offer(action) for action in self._in_order(chain)], legend(self._glyphs))

    def _in_order(self, chain: Sequence[Context]) -> list[Action]:
        here = actions.listed(chain)
        return [*here, *(action for action in actions.all_actions() if action not in here)]

    async def _open(self, title: str, offers: Sequence[Offer], hints: Sequence[Hint] = ()) -> None:
        # Imported here, as other dialogs: the first paint need not wait for them.
        from flowdeck_tui.menus.action_rows import ActionRows  # noqa: PLC0415
        from flowdeck_tui.menus.menu import MenuScreen  # noqa: PLC0415

        def chosen(offer: Offer | None) -> None:
            if offer is not None:
                self._app.call_later(self._take, offer)

        rows = ActionRows(offers, hints)
        await self._app.push_screen(MenuScreen(title, rows, self._glyphs, "type an action or a command"), chosen)

    async def _take(self, offer: Offer) -> None:
        self._recent = [offer.action, *(action for action in self._recent if action is not offer.action)]
        if offer.reference:
            self._on_reference(offer.action, offer.reference)
        else:
            await self.perform(offer.action)

    def why_not(self, action: Action) -> str | None:
        """Say why an action cannot be done here and now; None when it can."""
        if focus.holder_of(self._app.screen, action.contexts) is None and Context.EVERYWHERE not in action.contexts:
            return f"Acts in {' and '.join(action.contexts)}."
        return None if DIALOGS.intersection(action.contexts) else self._why_not(action.id)

    async def perform(self, action: Action) -> None:
        """Do what an action says where the focus is, else where it can be on this screen, or say why not."""
        holder = focus.holder_of(self._app.screen, action.contexts)
        if holder is not None or Context.EVERYWHERE in action.contexts:
            await self._app.run_action(action.method, default_namespace=holder or self._app)
        else:
            self._status.say(f"{action.label} acts in {' and '.join(action.contexts)}: {action.help}")
