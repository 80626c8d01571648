"""Who stands for which context: from what has the focus outwards, then what else is on the screen."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from textual.screen import Screen
from textual.widget import Widget

from flowdeck_tui.actions.action import DIALOGS, Context

Holder = tuple[Widget, Context]


def holders(screen: Screen[Any]) -> list[Holder]:
    """List the focused widget and those around it that stand for a context, innermost first."""
    return _holders(screen.focused or screen)


def _holders(widget: Widget) -> list[Holder]:
    found: list[Holder] = []
    for node in widget.ancestors_with_self:
        context = getattr(node, "action_context", None)
        if isinstance(node, Widget) and context is not None:
            found.append((node, context))
    return found


def chain(found: Iterable[Holder]) -> tuple[Context, ...]:
    """Return the contexts in which keys act now; a dialog takes the keyboard alone."""
    contexts = [context for _, context in found]
    dialogs = tuple(context for context in contexts if context in DIALOGS)
    return dialogs or (*contexts, Context.EVERYWHERE)


def holder_of(screen: Screen[Any], contexts: Collection[Context]) -> Widget | None:
    """Return who an action of these contexts is for: what has the focus before what only is on the screen."""
    for node, context in holders(screen):
        if context in contexts:
            return node
    for node in screen.walk_children(Widget):
        if getattr(node, "action_context", None) in contexts and is_shown(node):
            return node
    return None


def is_shown(widget: Widget) -> bool:
    """Tell whether a widget and all around it are displayed."""
    return all(node.display for node in widget.ancestors_with_self if isinstance(node, Widget))
