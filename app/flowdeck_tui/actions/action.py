"""What an action is, where it can act, and the rules by which keys may be given to actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, Final

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


class Context(str):
    """What has to hold the focus for an action to act; the text is what people read. A pane may bring its own."""

    __slots__ = ()
    EVERYWHERE: ClassVar[Context]
    LIST: ClassVar[Context]
    RUNS: ClassVar[Context]
    FLOWS: ClassVar[Context]
    DETAIL: ClassVar[Context]
    LOG: ClassVar[Context]
    TEXT: ClassVar[Context]
    PROMPT: ClassVar[Context]
    CONFIRM: ClassVar[Context]
    FORM: ClassVar[Context]
    CHOICE: ClassVar[Context]
    MENU: ClassVar[Context]
    COPY: ClassVar[Context]


Context.EVERYWHERE = Context("everywhere")
Context.LIST = Context("a list")
Context.RUNS = Context("Runs")
Context.FLOWS = Context("Flows")
Context.DETAIL = Context("a run's detail")
Context.LOG = Context("the log")
Context.TEXT = Context("a text")
Context.PROMPT = Context("a search line")
Context.CONFIRM = Context("a question")
Context.FORM = Context("the run form")
Context.CHOICE = Context("a choice of the run form")
Context.MENU = Context("a list to choose from")
Context.COPY = Context("the copy menu")

DIALOGS: Final = frozenset({Context.PROMPT, Context.CONFIRM, Context.FORM, Context.CHOICE, Context.MENU, Context.COPY})
"""Contexts that take the keyboard alone: a key there never meets the keys of a pane."""
_INSIDE_PANES: Final = frozenset({Context.LIST, Context.LOG, Context.TEXT})


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
        handler: name of the handler, with its arguments, without `action_`; empty for the one named after the id.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    contexts: tuple[Context, ...]
    cli: str | None = None
    pinned: bool = False
    priority: bool = False
    handler: str = ""

    @property
    def method(self) -> str:
        """Name that Textual resolves: the handler is `action_` and this."""
        return self.handler or self.id.replace(".", "_").replace("-", "_")

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


def _are_rivals(one: Context, other: Context) -> bool:
    """Tell whether a key of one context must not repeat a key of the other.

    A log, a text and a list each lie inside a pane and may take a key over from it ("a letter acts on what has
    focus"), but a list's moving keys never hide what its pane can do, and nothing hides what works everywhere.
    """
    if one == other:
        return True
    if one in DIALOGS or other in DIALOGS:
        return False
    both = {one, other}
    return Context.EVERYWHERE in both or (Context.LIST in both and not both <= _INSIDE_PANES)


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
        for other in actions[position + 1 :]:
            shared = set(action.keys) & set(other.keys)
            if shared and any(_are_rivals(*pair) for pair in product(action.contexts, other.contexts)):
                raise KeyClashError(f"{action.id} and {other.id} both want {', '.join(sorted(shared))}")
