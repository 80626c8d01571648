"""What opens over the panes and is left with an answer, once."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None], Generic[Answer]):
    """Base of menus and forms: a second answer, of a key that was pressed twice, is no answer."""

    _is_answered = False
    _waiting: tuple[Answer | None] | None = None
    """An answer that came while another dialog lay above."""

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Leave with an answer, if none was given yet: at once, or when no other dialog lies above."""
        if self._is_answered:
            return AwaitComplete.nothing()
        if self.app.screen is not self:
            self._waiting = (result,)
            return AwaitComplete.nothing()
        self._is_answered = True
        return super().dismiss(result)

    def on_screen_resume(self) -> None:
        """The dialog above is gone."""
        if self._waiting is not None:
            self.dismiss(self._waiting[0])
