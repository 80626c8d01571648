"""One Deck for several threads: whichever is the last to need it closes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.message import Message

    from flowdeck.deck import Deck


class SharedDeck:
    """A reference-counted Deck: a thread that is slow to stop neither loses it nor leaves it open."""

    def __init__(self, deck: Deck) -> None:
        """Take it over; whoever makes this object is its first user."""
        self.deck = deck
        self._users = 1
        self._lock = threading.Lock()

    def use(self) -> bool:
        """Count one more user, who calls `let_go` at the end; False when it is closed already."""
        with self._lock:
            if self._users == 0:
                return False
            self._users += 1
            return True

    def used_until(self, post: Callable[[Message], Any]) -> Callable[[Message], Any]:
        """Count one more user, until it calls what this returns, which hands its message on."""
        self.use()

        def tell(message: Message) -> None:
            self.let_go()
            post(message)

        return tell

    def let_go(self) -> None:
        """Count one user less; the last one closes it."""
        with self._lock:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            self.deck.close()
