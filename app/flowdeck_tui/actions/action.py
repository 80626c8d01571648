"""What an action is, where it can act, and the rules by which keys may be given to actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_KEY_LABELS: Final = {
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "right": "→",
    "left": "←",
    "up": "↑",
    "down": "↓",
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
}

FORBIDDEN_KEYS: Final = frozenset({f"ctrl+{letter}" for letter in "abhijms"} | {f"f{n}" for n in range(1, 13)})
"""Keys that terminals, multiplexers and flow control keep for themselves."""


def shown_key(key: str) -> str:
    """Write a key as a keyboard labels it."""
    return _KEY_LABELS.get(key, key)


class Context(StrEnum):
    """What has to hold the focus for an action to act; the value is what people read."""

    EVERYWHERE = "everywhere"
    LIST = "a list"
    RUNS = "Runs"
    FLOWS = "Flows"
    DETAIL = "a run's detail"
    LOG = "the log"
    TEXT = "a text"
    PROMPT = "a search line"
    CONFIRM = "a question"
    FORM = "the run form"
    CHOICE = "a choice of the run form"
    MENU = "a list to choose from"
    COPY = "the copy menu"


DIALOGS: Final = frozenset({Context.PROMPT, Context.CONFIRM, Context.FORM, Context.CHOICE, Context.MENU, Context.COPY})
"""Contexts that take the keyboard alone: a key there never meets the keys of a pane."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a user can do.

    Attributes:
        id: dotted name; `run.retry` is handled by `action_run_retry`.
        keys: keys as Textual names them, the first is the one shown.
        label: one or two words for footer and palette.
        help: one sentence.
        contexts: where it acts.
        cli: the command that does the same, with `{fields}`; None when there is none.
        pinned: keeps its place in a footer that is too short for all, after the others.
        priority: acts even while a text field has the focus.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    contexts: tuple[Context, ...]
    cli: str | None = None
    pinned: bool = False
    priority: bool = False

    @property
    def method(self) -> str:
        """Name that Textual resolves: the handler is `action_` and this."""
        return self.id.replace(".", "_").replace("-", "_")

    @property
    def command(self) -> str:
        """The command that does the same, for reading: `flowdeck flow-run retry RUN`; empty when none does."""
        return (self.cli or "").format(run="RUN", flow="FLOW", parameters=" -p NAME=VALUE", options=" [OPTIONS]")

    @property
    def shown_key(self) -> str:
        """The first key, as a keyboard labels it."""
        return shown_key(self.keys[0])


class KeyClashError(Exception):
    """The table of actions contradicts itself; raised when the app is imported."""


def _rivals(context: Context) -> frozenset[Context]:
    """Return the contexts whose keys must not repeat one of `context`.

    A log, a text and a list each lie inside a pane and may take a key over from it ("a letter acts on what has
    focus"), but a list's moving keys never hide what its pane can do, and nothing hides what works everywhere.
    """
    if context in DIALOGS:
        return frozenset({context})
    rivals = {context, Context.EVERYWHERE}
    if context is Context.EVERYWHERE:
        rivals |= set(Context) - DIALOGS
    if context is Context.LIST:
        rivals |= {Context.RUNS, Context.FLOWS, Context.DETAIL}
    return frozenset(rivals)


def check(actions: Sequence[Action]) -> None:
    """Refuse a table with two actions on one key, a repeated id or a key that must stay free."""
    seen: dict[str, Action] = {}
    for action in actions:
        if action.id in seen:
            raise KeyClashError(f"two actions have the id {action.id}")
        seen[action.id] = action
        if forbidden := FORBIDDEN_KEYS.intersection(action.keys):
            raise KeyClashError(f"{action.id} is bound to {', '.join(sorted(forbidden))}, which must stay free")
    for position, action in enumerate(actions):
        rivals = frozenset[Context]().union(*(_rivals(context) for context in action.contexts))
        for other in actions[position + 1 :]:
            shared = set(action.keys) & set(other.keys)
            if shared and rivals.intersection(other.contexts):
                raise KeyClashError(f"{action.id} and {other.id} both want {', '.join(sorted(shared))}")
