"""The one table of actions; key bindings, footer, palette, help, the docs table and the command echo come from it.

An action `run.retry` is handled by the method `action_run_retry` of the widget that stands for its context.
Its id is also the id of its key bindings, so a key map file can name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from textual.binding import Binding, BindingType

from flowdeck_tui.actions.action import DIALOGS, Action, Context, check

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
        "Run the whole flow again under the same id; what is recorded does not run again.",
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
    Action(
        "row.filter",
        ("/",),
        "Filter",
        "Keep rows: text, or for runs also state:failed flow:etl since:24h and more; tab completes.",
        (_C.RUNS, _C.FLOWS),
        cli="flowdeck flow-run ls{options}",
    ),
    Action(
        "run.rerun",
        ("R",),
        "Rerun",
        "A new run with this run's parameters, after a form in which they can be changed.",
        (_C.RUNS,),
        cli="flowdeck flow-run rerun {run}{parameters}",
    ),
    Action(
        "row.open",
        ("enter",),
        "Open",
        "A run with its tasks, log, parameters, states and error; a call; a flow's runs.",
        (_C.RUNS, _C.FLOWS),
    ),
    Action(
        "source.edit",
        ("e",),
        "Editor",
        "The line of the error, else of the flow, in $VISUAL or $EDITOR.",
        (_C.RUNS, _C.FLOWS),
    ),
    Action("mark.toggle", ("space",), "Mark", "Mark the run, or not; r, x and D then act on all marked.", (_C.RUNS,)),
    Action(
        "row.sort",
        ("s",),
        "Sort",
        "Newest, oldest or longest first, by name, by state: the next of these.",
        (_C.RUNS,),
        cli="flowdeck flow-run ls{options}",
    ),
    Action(
        "detail.open",
        ("enter",),
        "Open",
        "The items of a map; a call with its times, result and error; a parameter's value in full.",
        (_C.DETAIL,),
    ),
    Action("detail.log", ("l",), "Log", "The log of the call under the cursor, or of the run.", (_C.DETAIL,)),
    Action("detail.sort", ("s",), "Sort", "Calls with failures first, in order, or the slowest first.", (_C.DETAIL,)),
    Action("detail.filter", ("/",), "Filter", "Keep the calls whose name holds a text.", (_C.DETAIL,)),
    Action("detail.pager", ("o",), "Pager", "Read a value, a call or an error whole, with $PAGER.", (_C.DETAIL,)),
    Action("log.search", ("/",), "Search", "Find text in the log; /between slashes/ a pattern.", (_C.LOG,)),
    Action("log.follow", ("f",), "Follow", "Stay at the end of the log, or stop doing so.", (_C.LOG, _C.RUNS)),
    Action("log.error", ("e",), "Error", "Next error of the log.", (_C.LOG,)),
    Action("log.filter", ("&",), "Filter", "Show only lines that match a regular expression.", (_C.LOG,)),
    Action(
        "copy.open",
        ("y",),
        "Copy",
        "Choose what to copy of this row, and to where the terminal is, over SSH too.",
        (_C.RUNS, _C.FLOWS, _C.LOG),
    ),
    Action("log.next", ("n",), "Next", "Next match of the search.", (_C.LOG,)),
    Action("log.previous", ("N",), "Previous", "Previous match of the search.", (_C.LOG,)),
    Action("log.error-before", ("E",), "Error before", "Error before the current line.", (_C.LOG,)),
    Action("log.level-up", (">",), "Fewer", "Hide records of the lowest level that is shown.", (_C.LOG,)),
    Action("log.level-down", ("<",), "More", "Show records of the level below too.", (_C.LOG,)),
    Action("log.time", ("t",), "Time", "Local time, time since the start, or none.", (_C.LOG,)),
    Action("log.wrap", ("w",), "Wrap", "Let long lines go on in the next row, or cut them.", (_C.LOG,)),
    Action("log.json", ("J",), "JSON", "Spread the JSON in the current line over rows of its own.", (_C.LOG,)),
    Action("log.mark", ("m",), "Mark", "Mark the current line, or take its mark away.", (_C.LOG,)),
    Action("log.select", ("V",), "Select", "Select from the current line on; y copies, esc ends it.", (_C.LOG,)),
    Action("log.subflows", ("s",), "Subflows", "Show the lines of subflow runs by time, or not.", (_C.LOG,)),
    Action("log.save", ("W",), "Save", "Write the lines that are shown into a file.", (_C.LOG,)),
    Action(
        "log.pager",
        ("o",),
        "Pager",
        "Read the log's file with $PAGER, where the screen runs: over SSH, over there.",
        (_C.LOG,),
    ),
    Action(
        "log.stream",
        ("S",),
        "Stream",
        "Leave the screen and let the lines run over the terminal, for slow lines; any key comes back.",
        (_C.LOG,),
        cli="flowdeck flow-run logs -f {run}",
    ),
    Action("log.right", ("right",), "Right", "Show what long lines go on with.", (_C.LOG,)),
    Action("log.left", ("left",), "Left", "Back towards the start of long lines.", (_C.LOG,)),
    Action(
        "run.delete",
        ("D",),
        "Delete",
        "Remove the run with its log and results; u takes it back for 10 s.",
        (_C.RUNS,),
        cli="flowdeck flow-run delete {run}",
    ),
    Action("run.undo", ("u",), "Undo", "Take the last delete back, within 10 s.", (_C.RUNS,)),
    Action(
        "view.zoom",
        ("z",),
        "Zoom",
        "Give the whole screen to what has the focus, or share it again.",
        (_C.RUNS, _C.FLOWS),
    ),
    Action("detail.next", ("]",), "Next tab", "The run's log, tasks, parameters, states, error.", (_C.RUNS,)),
    Action("detail.previous", ("[",), "Tab before", "The tab of the run before this one.", (_C.RUNS,)),
    Action("mark.range", ("V",), "Mark range", "From where it is pressed first to where it is then.", (_C.RUNS,)),
    Action("mark.invert", ("*",), "Invert marks", "Mark what is not marked, of all runs in the list.", (_C.RUNS,)),
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
    Action("choice.next", ("space", "right"), "Next choice", "Choose what stands to the right.", (_C.CHOICE,)),
    Action("choice.previous", ("left",), "Choice before", "Choose what stands to the left.", (_C.CHOICE,)),
    Action("form.leave", ("escape",), "Leave", "Close the form, start nothing.", (_C.FORM,), pinned=True),
    Action("menu.choose", ("enter",), "Do it", "Do what the row says.", (_C.MENU,)),
    Action("menu.down", ("down",), "Down", "One row down.", (_C.MENU,)),
    Action("menu.up", ("up",), "Up", "One row up.", (_C.MENU,)),
    Action("menu.page-down", ("pagedown",), "Page down", "One page down.", (_C.MENU,)),
    Action("menu.page-up", ("pageup",), "Page up", "One page up.", (_C.MENU,)),
    Action("menu.leave", ("escape",), "Leave", "Close the list.", (_C.MENU,), pinned=True),
    Action("copy.choose", ("enter",), "Copy", "Put it into the clipboard of the terminal.", (_C.COPY,)),
    Action("copy.save", ("w",), "Write file", "Save it as a file in the working directory.", (_C.COPY,)),
    Action("copy.leave", ("escape", "q"), "Leave", "Copy nothing.", (_C.COPY,), pinned=True),
    Action("prompt.accept", ("enter",), "Keep", "Keep the text and go back.", (_C.PROMPT,)),
    Action("prompt.complete", ("tab",), "Complete", "The next word that fits.", (_C.PROMPT,)),
    Action("prompt.leave", ("escape",), "Leave", "Drop the text and go back.", (_C.PROMPT,)),
    Action("confirm.yes", ("y",), "Yes", "Do it.", (_C.CONFIRM,)),
    Action("confirm.no", ("n", "escape", "enter"), "No", "Leave everything as it is.", (_C.CONFIRM,)),
    # Everywhere.
    Action("pane.runs", ("1",), "Runs", "All runs of all flows, newest first.", (_C.EVERYWHERE,)),
    Action("pane.flows", ("3",), "Flows", "The flows of the folder.", (_C.EVERYWHERE,), cli="flowdeck flow ls"),
    Action("jump.open", ("'",), "Jump", "Go to a run by name or id, to a flow, to a pane.", (_C.EVERYWHERE,)),
    Action("flows.broken", ("!",), "Broken", "To the next flow file that cannot be imported.", (_C.EVERYWHERE,)),
    Action("focus.next", ("tab",), "Next part", "Move the focus: list, log.", (_C.EVERYWHERE,)),
    Action("focus.previous", ("shift+tab",), "Part before", "Move the focus the other way.", (_C.EVERYWHERE,)),
    Action("screen.repaint", ("ctrl+r",), "Repaint", "Draw the screen again.", (_C.EVERYWHERE,)),
    Action(
        "app.stop",
        ("ctrl+z",),
        "Suspend",
        "To the shell, from anywhere; fg comes back. Runs go on.",
        (_C.EVERYWHERE,),
        priority=True,
    ),
    Action(
        "palette.open",
        (":", "ctrl+p"),
        "Commands",
        "Every action, by its name or by the words of its command.",
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

_MOVING: Final = ("move.", "focus.", "tree.", "log.right", "log.left")

check(ACTIONS)

BY_ID: Final = {action.id: action for action in ACTIONS}
_ADDED: Final[list[Action]] = []


def register(table: Iterable[Action]) -> None:
    """Add the actions of a pane behind those that there are; those that are there already are left out.

    Raises:
        KeyClashError: an id or a key is taken.
    """
    added = [action for action in table if BY_ID.get(action.id) is not action]
    check((*all_actions(), *added))
    _ADDED.extend(added)
    BY_ID.update((action.id, action) for action in added)


def all_actions() -> tuple[Action, ...]:
    """Return every action, in the order of footer, palette and help."""
    return (*ACTIONS, *_ADDED)


def in_contexts(contexts: Iterable[Context]) -> Iterator[Action]:
    """Yield what acts in any of these contexts, in the order of the table."""
    wanted = set(contexts)
    return (action for action in all_actions() if wanted.intersection(action.contexts))


def bindings(*contexts: Context) -> list[BindingType]:
    """Make the key bindings of the widget that stands for these contexts."""
    return bindings_of(in_contexts(contexts))


def bindings_of(table: Iterable[Action]) -> list[BindingType]:
    """Make the key bindings of actions."""
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
        for action in table
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
    outside = (action for action in all_actions() if not DIALOGS.issuperset(action.contexts))
    for binding in Binding.make_bindings(bindings_of(outside)):
        if binding.key == key and binding.id is not None:
            return BY_ID[binding.id]
    return None


def echo(action_id: str, **fields: str) -> str:
    """Write the command that does what the action does; empty when no command does."""
    template = BY_ID[action_id].cli
    return template.format(**fields) if template else ""
