"""The one table of actions; key bindings, footer, palette, help, the docs table and the command echo come from it.

An action `run.retry` is handled by the method `action_run_retry` of the widget that stands for its context.
Its id is also the id of its key bindings, so a key map file can name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from textual.binding import Binding, BindingType


class Context(StrEnum):
    """What has to hold the focus for an action to act; the value is what people read."""

    EVERYWHERE = "everywhere"
    LIST = "a list"
    RUNS = "Runs"
    FLOWS = "Flows"
    LOG = "the log"
    TEXT = "a text"
    PROMPT = "a search line"
    CONFIRM = "a question"
    FORM = "the run form"
    MENU = "help and commands"


DIALOGS: Final = frozenset({Context.PROMPT, Context.CONFIRM, Context.FORM, Context.MENU})
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
    def shown_key(self) -> str:
        """The first key, as a keyboard labels it."""
        return shown_key(self.keys[0])


_C = Context
_SCROLLABLE: Final = (_C.LIST, _C.LOG, _C.TEXT)

ACTIONS: Final[tuple[Action, ...]] = (
    # On a flow or a run. The order here is the order of footer, palette and help.
    Action(
        "flow.run",
        ("t",),
        "Run",
        "Start the flow: its parameters in a form, enter runs it.",
        (_C.RUNS, _C.FLOWS),
        cli="flowdeck flow-run create {flow}{parameters}",
    ),
    Action(
        "run.retry",
        ("r",),
        "Retry",
        "Run the whole flow again under the same id; tasks that had completed run again too.",
        (_C.RUNS,),
        cli="flowdeck flow-run retry {run}",
    ),
    Action(
        "run.cancel",
        ("x",),
        "Cancel",
        "Stop the run, after y: it is asked to end, and made to after 10 s.",
        (_C.RUNS,),
        cli="flowdeck flow-run cancel {run}",
    ),
    Action(
        "log.full",
        ("l",),
        "Log",
        "The log of the run over the whole screen; esc comes back.",
        (_C.RUNS, _C.FLOWS),
        cli="flowdeck flow-run logs {run}",
    ),
    Action("row.filter", ("/",), "Filter", "Keep the rows that hold a text.", (_C.RUNS, _C.FLOWS)),
    Action(
        "row.open",
        ("enter",),
        "Open",
        "Expand a run, open the log of a call, show a flow's runs.",
        (_C.RUNS, _C.FLOWS),
    ),
    Action("log.search", ("/",), "Search", "Find text in the log.", (_C.LOG,)),
    Action("log.next", ("n",), "Next", "Next match of the search.", (_C.LOG,)),
    Action("log.previous", ("N",), "Previous", "Previous match of the search.", (_C.LOG,)),
    Action("log.follow", ("f",), "Follow", "Stay at the end of the log, or stop doing so.", (_C.LOG, _C.RUNS)),
    Action("log.time", ("t",), "Time", "Change how the log shows times.", (_C.LOG,)),
    Action("log.right", ("right",), "Right", "Show what long lines go on with.", (_C.LOG,)),
    Action("log.left", ("left",), "Left", "Back towards the start of long lines.", (_C.LOG,)),
    Action(
        "run.delete",
        ("D",),
        "Delete",
        "Remove the run with its log and results, after y.",
        (_C.RUNS,),
        cli="flowdeck flow-run delete {run}",
    ),
    Action(
        "view.zoom",
        ("z",),
        "Zoom",
        "Give the whole screen to what has the focus, or share it again.",
        (_C.RUNS,),
    ),
    Action(
        "view.back",
        ("escape", "h"),
        "Back",
        "One step back: the search, the log, the filter, the open run.",
        (_C.RUNS, _C.FLOWS),
    ),
    Action("tree.expand", ("right",), "Expand", "Show the task calls of the run.", (_C.RUNS,)),
    Action("tree.collapse", ("left",), "Collapse", "Hide the task calls of the run.", (_C.RUNS,)),
    # Moving.
    Action("move.down", ("j", "down"), "Down", "One row down.", _SCROLLABLE),
    Action("move.up", ("k", "up"), "Up", "One row up.", _SCROLLABLE),
    Action("move.half-down", ("ctrl+d",), "Half down", "Half a page down.", _SCROLLABLE),
    Action("move.half-up", ("ctrl+u",), "Half up", "Half a page up.", _SCROLLABLE),
    Action("move.page-down", ("pagedown",), "Page down", "One page down.", _SCROLLABLE),
    Action("move.page-up", ("pageup",), "Page up", "One page up.", _SCROLLABLE),
    Action("move.top", ("g", "home"), "Top", "To the first row.", _SCROLLABLE),
    Action("move.bottom", ("G", "end"), "Bottom", "To the last row; in a log, follow it again.", _SCROLLABLE),
    # Dialogs.
    Action("form.submit", ("enter",), "Run", "Start the flow with these values.", (_C.FORM,)),
    Action("form.next", ("tab", "down"), "Next field", "To the next field.", (_C.FORM,)),
    Action("form.previous", ("shift+tab", "up"), "Field before", "To the field before.", (_C.FORM,)),
    Action("form.leave", ("escape",), "Leave", "Close the form, start nothing.", (_C.FORM,), pinned=True),
    Action("menu.choose", ("enter",), "Do it", "Do what the row says.", (_C.MENU,)),
    Action("menu.down", ("down",), "Down", "One row down.", (_C.MENU,)),
    Action("menu.up", ("up",), "Up", "One row up.", (_C.MENU,)),
    Action("menu.page-down", ("pagedown",), "Page down", "One page down.", (_C.MENU,)),
    Action("menu.page-up", ("pageup",), "Page up", "One page up.", (_C.MENU,)),
    Action("menu.leave", ("escape",), "Leave", "Close the list.", (_C.MENU,), pinned=True),
    Action("prompt.accept", ("enter",), "Keep", "Keep the text and go back.", (_C.PROMPT,)),
    Action("prompt.leave", ("escape",), "Leave", "Drop the text and go back.", (_C.PROMPT,)),
    Action("confirm.yes", ("y",), "Yes", "Do it.", (_C.CONFIRM,)),
    Action("confirm.no", ("n", "escape", "enter"), "No", "Leave everything as it is.", (_C.CONFIRM,)),
    # Everywhere.
    Action("pane.runs", ("1",), "Runs", "All runs of all flows, newest first.", (_C.EVERYWHERE,)),
    Action("pane.flows", ("3",), "Flows", "The flows of the folder.", (_C.EVERYWHERE,), cli="flowdeck flow ls"),
    Action("focus.next", ("tab",), "Next part", "Move the focus: list, log.", (_C.EVERYWHERE,)),
    Action("focus.previous", ("shift+tab",), "Part before", "Move the focus the other way.", (_C.EVERYWHERE,)),
    Action("screen.repaint", ("ctrl+r",), "Repaint", "Draw the screen again.", (_C.EVERYWHERE,)),
    Action(
        "palette.open",
        (":", "ctrl+p"),
        "Commands",
        "Everything that acts here, by name.",
        (_C.EVERYWHERE,),
        pinned=True,
    ),
    Action("help.open", ("?",), "Help", "All keys; enter does what the row says.", (_C.EVERYWHERE,), pinned=True),
    Action(
        "app.leave",
        ("q",),
        "Quit",
        "Leave; runs and the engine go on without the screen.",
        (_C.EVERYWHERE,),
        pinned=True,
    ),
    Action("app.quit", ("ctrl+q",), "Quit", "Leave from anywhere, a text field too.", (_C.EVERYWHERE,), priority=True),
)

FORBIDDEN_KEYS: Final = frozenset({f"ctrl+{letter}" for letter in "abhijmsz"} | {f"f{n}" for n in range(1, 13)})
"""Keys that terminals, multiplexers and flow control keep for themselves."""

_MOVING: Final = ("move.", "focus.", "tree.", "log.right", "log.left")

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


class KeyClashError(Exception):
    """The table of actions contradicts itself; raised when the app is imported."""


def shown_key(key: str) -> str:
    """Write a key as a keyboard labels it."""
    return _KEY_LABELS.get(key, key)


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
        rivals |= {Context.RUNS, Context.FLOWS}
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


check(ACTIONS)

BY_ID: Final = {action.id: action for action in ACTIONS}


def in_contexts(contexts: Iterable[Context]) -> Iterator[Action]:
    """Yield what acts in any of these contexts, in the order of the table."""
    wanted = set(contexts)
    return (action for action in ACTIONS if wanted.intersection(action.contexts))


def bindings(*contexts: Context) -> list[BindingType]:
    """Make the key bindings of the widget that stands for these contexts."""
    return [
        Binding(
            ",".join(action.keys),
            action.method,
            action.label,
            show=False,
            priority=action.priority,
            tooltip=action.help,
            id=action.id,
        )
        for action in in_contexts(contexts)
    ]


def reachable(chain: Sequence[Context]) -> list[Action]:
    """List what acts when the focus lies in `chain`, innermost context first; an inner key hides the same outer one."""
    taken: set[str] = set()
    found: list[Action] = []
    for context in chain:
        here = [action for action in in_contexts([context]) if action not in found]
        found.extend(action for action in here if action.keys[0] not in taken)
        for action in here:
            taken.update(action.keys)
    return found


def is_moving(action: Action) -> bool:
    """Tell whether an action only moves about: it is shown after those that do something."""
    return action.id.startswith(_MOVING)


def listed(chain: Sequence[Context]) -> list[Action]:
    """List what acts in `chain` for people: what does something first, what moves about last."""
    return sorted(reachable(chain), key=is_moving)


def footer(chain: Sequence[Context], most: int) -> list[Action]:
    """Choose at most `most` actions for the footer: those nearest to the focus, then the pinned ones, then moves."""
    actions = reachable(chain)
    pinned = [action for action in actions if action.pinned]
    moving = [action for action in actions if is_moving(action)]
    rest = [action for action in actions if action not in pinned and action not in moving]
    return [*rest[: max(0, most - len(pinned))], *pinned, *moving][:most]


def elsewhere(key: str) -> Action | None:
    """Return the action that a key, as Textual names it, has in some pane; None when it has none in any."""
    panes = [context for context in Context if context not in DIALOGS]
    for binding in Binding.make_bindings(bindings(*panes)):
        if binding.key == key and binding.id is not None:
            return BY_ID[binding.id]
    return None


def echo(action_id: str, **fields: str) -> str:
    """Write the command that does what the action does; empty when no command does."""
    template = BY_ID[action_id].cli
    return template.format(**fields) if template else ""


def docs_table() -> str:
    """Write the table of keys for the documentation, as Markdown."""
    lines = ["| Keys | Action | Where | What it does | Command |", "| :- | :- | :- | :- | :- |"]
    for action in ACTIONS:
        keys = " ".join(f"`{shown_key(key)}`" for key in action.keys)
        where = ", ".join(action.contexts)
        command = f"`{action.cli}`" if action.cli else ""
        lines.append(f"| {keys} | {action.label} | {where} | {action.help} | {command} |")
    return "\n".join(lines)
