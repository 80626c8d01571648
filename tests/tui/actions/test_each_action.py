"""Every action of the table at the keyboard: its key does what its help says, in the place that is named for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from flowdeck_tui.actions.action import Action
from flowdeck_tui.actions.actions import ACTIONS, BY_ID
from flowdeck_tui.app import FlowdeckApp
from flowdeck_tui.form.form_controls import ChoiceField
from flowdeck_tui.form.run_form import RunForm
from flowdeck_tui.menus.copy_screen import CopyScreen
from flowdeck_tui.menus.menu import MenuScreen
from flowdeck_tui.widgets.tab_bar import Tab
from tests.tui.busy_home import OLD_RUNS, fill
from tests.tui.harness import LARGE, AppPilot, press, running_app, screen_text, until
from tests.tui.seeded_home import SeededHome


@dataclass
class Seen:
    """The app as a test looks at it."""

    app: FlowdeckApp
    pilot: AppPilot
    before: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return screen_text(self.pilot)

    @property
    def said(self) -> str:
        return self.app.status.text

    @property
    def runs(self) -> Any:
        return self.app.runs_pane

    @property
    def row(self) -> int:
        return self.runs.table.cursor_index

    @property
    def log(self) -> Any:
        return self.runs.log_panel.log_view

    @property
    def tab(self) -> Tab:
        return self.runs.detail.view.tab

    @property
    def typed(self) -> str:
        """Text of the field that has the keyboard."""
        return getattr(self.app.focused, "value", "")

    @property
    def menu_row(self) -> int:
        return self.app.screen.table.cursor_index if isinstance(self.app.screen, MenuScreen) else -1

    @property
    def is_log_alone(self) -> bool:
        return self.runs.has_class("-log-only")


@dataclass(frozen=True)
class Case:
    """Keys that lead to where the action acts, and what is so once its own key was pressed.

    Attributes:
        way: keys pressed before, blanks between them.
        done: what the action has brought about.
        key: pressed for it; empty for the action's first key.
        after: keys pressed then, such as the answer to a question.
    """

    way: str
    done: Callable[[Seen], Any]
    key: str = ""
    after: str = ""


def on(screen: type) -> Callable[[Seen], bool]:
    """A screen is open."""
    return lambda seen: isinstance(seen.app.screen, screen)


def says(text: str) -> Callable[[Seen], bool]:
    """The status line says something."""
    return lambda seen: text in seen.said


def shows(*texts: str) -> Callable[[Seen], bool]:
    """All this is on the screen."""
    return lambda seen: all(text in seen.text for text in texts)


LOG = "j tab"  # the log of brave-otter
OPEN = "j enter"  # brave-otter over the whole screen, at its tasks
CASES: dict[str, Case] = {
    "flow.run": Case("3 j", on(RunForm)),
    "run.retry": Case("j j", says("attempt 2")),
    "run.rerun": Case("j", shows("rerun brave-otter", "Bergen")),
    "run.cancel": Case("j", says("brave-otter: Cancelling"), after="y"),
    "run.delete": Case("j j j", lambda seen: "Completed  lazy-fox" not in seen.text),
    "run.undo": Case("j j D", shows("Failed     calm-heron")),
    "log.full": Case("j", lambda seen: seen.is_log_alone and "line 199" in seen.text),
    "row.filter": Case("", shows("lazy-fox", "1 run"), after="l a z y enter"),
    "row.sort": Case("", lambda seen: seen.runs.listing.order != "newest"),
    "mark.toggle": Case("", lambda seen: len(seen.runs.tree_rows.marks) == 1),
    "mark.range": Case("V j j", lambda seen: len(seen.runs.tree_rows.marks) == 3),
    "mark.invert": Case("", lambda seen: len(seen.runs.tree_rows.marks) == OLD_RUNS + 4),
    "row.open": Case("j", lambda seen: seen.is_log_alone and seen.tab is Tab.TASKS),
    "detail.open": Case(OPEN, lambda seen: seen.runs.detail.view.page or "load" in seen.text),
    "detail.log": Case(OPEN, lambda seen: seen.tab is Tab.LOG),
    "detail.sort": Case(OPEN, lambda seen: seen.said or seen.text),
    "detail.filter": Case(OPEN, lambda seen: "extract" in seen.text and "step-2" not in seen.text, after="e x t enter"),
    "detail.pager": Case(f"{OPEN} ]", lambda seen: seen.said),
    "detail.next": Case(OPEN, lambda seen: seen.tab is Tab.PARAMETERS),
    "detail.previous": Case(OPEN, lambda seen: seen.tab is Tab.LOG),
    "source.edit": Case("j j", says("sync.py")),
    "log.search": Case(LOG, lambda seen: seen.log.status.search.matches == 11, after="/ e space 1 9 / enter"),
    "log.next": Case(f"{LOG} / b r o k e enter", lambda seen: seen.log.status.search.match == 2),
    "log.previous": Case(f"{LOG} / b r o k e enter n", lambda seen: seen.log.status.search.match == 1),
    "log.filter": Case(
        LOG, lambda seen: "it broke" in seen.text and "line 199" not in seen.text, after="b r o k e enter"
    ),
    "log.follow": Case(LOG, says("The log stands still.")),
    "log.error": Case(f"{LOG} g", shows("it broke")),
    "log.error-before": Case(f"{LOG} G", shows("it broke again")),
    "log.level-up": Case(f"{LOG} >", says("and above")),
    "log.level-down": Case(f"{LOG} > >", says("above")),
    "log.time": Case(LOG, says("Time column")),
    "log.wrap": Case(LOG, says("Long lines go on below")),
    "log.json": Case(f"{LOG} G", shows('"answer"')),
    "log.mark": Case(f"{LOG} G", says("1 marked")),
    "log.select": Case(f"{LOG} G", says("j and k select")),
    "log.subflows": Case(LOG, lambda seen: seen.said),
    "log.save": Case(LOG, says("brave-otter.log"), after="enter"),
    "log.pager": Case(LOG, lambda seen: seen.said),
    "log.stream": Case(LOG, lambda seen: seen.said),
    "log.right": Case(f"{LOG} g", lambda seen: "line 10 " not in seen.text),
    "log.left": Case(f"{LOG} g right", shows("line 10 ")),
    "view.zoom": Case("", lambda seen: seen.runs.has_class("-list-only")),
    "view.back": Case("j l", lambda seen: not seen.is_log_alone),
    "tree.expand": Case("j", shows("extract", "load")),
    "tree.collapse": Case("j right", lambda seen: "extract" not in seen.text),
    "move.down": Case("", lambda seen: seen.row == 1),
    "move.up": Case("j j", lambda seen: seen.row == 1),
    "move.half-down": Case("", lambda seen: seen.row > 3),
    "move.half-up": Case("G", lambda seen: 0 < seen.row < OLD_RUNS),
    "move.page-down": Case("", lambda seen: seen.row > 6),
    "move.page-up": Case("G", lambda seen: 0 < seen.row < OLD_RUNS),
    "move.top": Case("j j j", lambda seen: seen.row == 0),
    "move.bottom": Case("", lambda seen: seen.row == OLD_RUNS + 3),
    "form.submit": Case("3 G t", shows("is a new run of report")),
    "form.next": Case("t", lambda seen: isinstance(seen.app.focused, ChoiceField)),
    "form.previous": Case("t tab", lambda seen: seen.typed == "3"),
    "choice.next": Case("t tab", lambda seen: getattr(seen.app.focused, "value", "") == "slow"),
    "choice.previous": Case("t tab space", lambda seen: getattr(seen.app.focused, "value", "") == "fast"),
    "form.leave": Case("t", lambda seen: not isinstance(seen.app.screen, RunForm)),
    "menu.choose": Case(": z o o m", lambda seen: seen.runs.has_class("-list-only")),
    "menu.down": Case(":", lambda seen: seen.menu_row == 1),
    "menu.up": Case(": down down", lambda seen: seen.menu_row == 1),
    "menu.page-down": Case(":", lambda seen: seen.menu_row > 5),
    "menu.page-up": Case(": pagedown pagedown", lambda seen: 0 < seen.menu_row < 60),
    "menu.leave": Case(":", lambda seen: len(seen.app.screen_stack) == 1),
    "copy.choose": Case("j y", lambda seen: len(seen.app.clipboard) == 36 and "Copied the id, 36 bytes" in seen.said),
    "copy.save": Case("j y", says("The id is in ")),
    "copy.leave": Case("j y", lambda seen: len(seen.app.screen_stack) == 1 and not seen.app.clipboard),
    "prompt.accept": Case("/ l a z y", shows("lazy-fox", "1 run")),
    "prompt.complete": Case("/ s t a t", lambda seen: seen.typed.startswith("state:")),
    "prompt.leave": Case("/ l a z y", shows("quiet-lynx")),
    "confirm.yes": Case("j x", says("Cancelling")),
    "confirm.no": Case("j x", says("Nothing was changed")),
    "pane.runs": Case("3", lambda seen: seen.app.active_pane == "1"),
    "pane.flows": Case("", lambda seen: seen.app.active_pane == "3"),
    "copy.open": Case("", on(CopyScreen)),
    "jump.open": Case("", lambda seen: "lazy-fox" in seen.text and seen.row == 3, after="f o x enter"),
    "flows.broken": Case("", shows("[3 Flows]", "SyntaxError: invalid syntax")),
    "focus.next": Case("j", lambda seen: seen.log.has_focus),
    "focus.previous": Case("j tab", lambda seen: seen.runs.table.has_focus),
    "screen.repaint": Case("", shows("brave-otter")),
    "app.stop": Case("", says("No shell has started this screen")),
    "palette.open": Case("", shows("commands", "Rerun")),
    "help.open": Case("", shows("help", "◷ Scheduled")),
    "app.leave": Case("", lambda seen: seen.app._exit),
    "app.quit": Case("t", lambda seen: seen.app._exit),
}


def test_no_case_is_of_an_action_that_is_gone() -> None:
    """Cases and table say the same."""
    assert not set(CASES) - set(BY_ID)


@pytest.mark.asyncio
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
async def test_the_key_of_an_action_does_what_it_says(
    home: SeededHome, action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An action without a case here is not finished."""
    assert action.id in CASES, f"{action.id} has no case: say where its key is pressed and what it does"
    case = CASES[action.id]
    monkeypatch.chdir(home.folder)
    fill(home)
    async with running_app(home, LARGE) as (app, pilot):
        seen = Seen(app, pilot)
        await until(pilot, lambda: "60 of" in seen.text or "old-" in seen.text)
        for key in case.way.split():
            await press(pilot, key)
            await _settled(seen)
        await press(pilot, case.key or action.keys[0], *case.after.split())
        await until(pilot, lambda: case.done(seen))


async def _settled(seen: Seen) -> None:
    """Let what a key began be read: the log of another run opens after a moment, with those of its subflows."""
    name = "" if seen.runs.run is None else seen.runs.run.name
    least = {"brave-otter": 204, "calm-heron": 3, "lazy-fox": 1}.get(name, 0)
    await until(seen.pilot, lambda: seen.runs.log_panel._opening is None and seen.log.status.count >= least)
