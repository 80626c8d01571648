"""Who stands for which context: from what has the focus outwards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual.screen import Screen
from textual.widget import Widget

from flowdeck_tui.actions import DIALOGS, Context

Holder = tuple[Widget, Context]


def holders(screen: Screen[Any]) -> list[Holder]:
    """List the focused widget and those around it that stand for a context, innermost first."""
    found: list[Holder] = []
    for node in (screen.focused or screen).ancestors_with_self:
        context = getattr(node, "action_context", None)
        if isinstance(node, Widget) and context is not None:
            found.append((node, context))
    return found


def chain(found: Iterable[Holder]) -> tuple[Context, ...]:
    """Return the contexts in which keys act now; a dialog takes the keyboard alone."""
    contexts = [context for _, context in found]
    dialogs = tuple(context for context in contexts if context in DIALOGS)
    return dialogs or (*contexts, Context.EVERYWHERE)
