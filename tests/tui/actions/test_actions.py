"""The table of actions: no clash, every action reachable, and everything that is shown comes from it."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
from textual.binding import Binding

from flowdeck_tui.actions import actions
from flowdeck_tui.actions.action import FORBIDDEN_KEYS, Action, Context, KeyClashError
from flowdeck_tui.actions.actions import ACTIONS, BY_ID
from flowdeck_tui.app import FlowdeckApp
from flowdeck_tui.flows.flows import FlowsPane
from flowdeck_tui.form.form_controls import ChoiceField
from flowdeck_tui.form.run_form import RunForm
from flowdeck_tui.log.log_panel import LogPanel
from flowdeck_tui.menus.copy_screen import CopyScreen
from flowdeck_tui.menus.menu import MenuScreen
from flowdeck_tui.runs.run_detail import RunDetail
from flowdeck_tui.runs.runs import RunsPane
from flowdeck_tui.widgets import status_area
from flowdeck_tui.widgets.footer import footer_spans
from flowdeck_tui.widgets.text_panel import TextPanel
from flowdeck_tui.widgets.tree_table import TreeTable

HOLDERS = {
    Context.EVERYWHERE: FlowdeckApp,
    Context.LIST: TreeTable,
    Context.RUNS: RunsPane,
    Context.FLOWS: FlowsPane,
    Context.LOG: LogPanel,
    Context.TEXT: TextPanel,
    Context.FORM: RunForm,
    Context.CHOICE: ChoiceField,
    Context.DETAIL: RunDetail,
    Context.COPY: CopyScreen,
    Context.MENU: MenuScreen,
    Context.PROMPT: status_area._Prompt,
    Context.CONFIRM: status_area._Question,
}
CHAINS = {
    "runs": (Context.LIST, Context.RUNS, Context.EVERYWHERE),
    "log": (Context.LOG, Context.DETAIL, Context.RUNS, Context.EVERYWHERE),
    "calls": (Context.LIST, Context.DETAIL, Context.RUNS, Context.EVERYWHERE),
    "flows": (Context.LIST, Context.FLOWS, Context.EVERYWHERE),
    "text": (Context.TEXT, Context.FLOWS, Context.EVERYWHERE),
    "prompt": (Context.PROMPT,),
    "confirm": (Context.CONFIRM,),
    "form": (Context.FORM,),
    "choice": (Context.CHOICE,),
    "menu": (Context.MENU,),
    "copy": (Context.COPY,),
}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_is_bound_and_handled_in_each_of_its_contexts(action: Action) -> None:
    """The widget that stands for a context has the binding, by the action's id, and the method."""
    for context in action.contexts:
        holder = HOLDERS[context]
        bound = [binding for binding in holder.BINDINGS if isinstance(binding, Binding) and binding.id == action.id]
        assert bound, f"{action.id} is not bound in {holder.__name__}"
        assert inspect.isfunction(getattr(holder, f"action_{action.method}", None)), f"{holder.__name__}.{action.id}"


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_is_reached_by_its_first_key_somewhere(action: Action) -> None:
    """No action lies hidden behind the same key of another everywhere."""
    assert any(action in actions.reachable(chain) for chain in CHAINS.values())


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_is_in_a_footer_that_is_wide_enough(action: Action) -> None:
    """What acts in a place can be read in its last line."""
    chains = [chain for chain in CHAINS.values() if action in actions.reachable(chain)]
    assert any(action in actions.footer(chain, len(ACTIONS)) for chain in chains)


def test_what_acts_where_the_focus_is_hides_what_an_outer_pane_has_on_the_same_key() -> None:
    """In the log, t changes the time column; the run form is not reached by that key."""
    listed = actions.listed(CHAINS["log"])
    assert BY_ID["log.time"] in listed
    assert BY_ID["flow.run"] not in listed
    assert BY_ID["run.retry"] in listed


@pytest.mark.parametrize(
    ("chain", "width", "keys"),
    [("runs", 80, ["t", "r", "x", "l", "/", ":", "?", "q"]), ("log", 80, ["/", "f", "e", "&", "y", ":", "?", "q"])],
)
def test_a_narrow_footer_shows_at_most_eight_keys(chain: str, width: int, keys: list[str]) -> None:
    """At 80 columns: what one does most, then commands, help and quit."""
    spans = footer_spans(CHAINS[chain], width)
    assert [text.strip() for text, _ in spans[::2]] == keys
    assert sum(len(text) for text, _ in spans) <= width


def test_moves_stand_behind_what_does_something() -> None:
    """At 160 columns too."""
    keys = [text.strip() for text, _ in footer_spans(CHAINS["flows"], 160)[::2]]
    assert keys[:4] == ["t", "l", "/", "enter"]
    assert all(keys.index("q") < keys.index(key) for key in ("j", "k") if key in keys)


@pytest.mark.parametrize(("chain", "key"), [("runs", "l"), ("form", "esc"), ("menu", "esc")])
def test_the_footer_of_a_small_screen_names_the_way_in_and_out(chain: str, key: str) -> None:
    """At 60 columns."""
    spans = footer_spans(CHAINS[chain], 60)
    assert key in [text.strip() for text, _ in spans[::2]]
    assert len("".join(text for text, _ in spans).rstrip()) <= 60


def test_a_wide_footer_shows_more() -> None:
    """At 160 columns there is room for running again, marking, copying and deleting."""
    labels = "".join(text for text, _ in footer_spans(CHAINS["runs"], 160))
    assert all(word in labels for word in ("Rerun", "Open", "Mark", "Copy", "Delete"))
    assert len(labels) <= 160


def test_a_repeated_key_in_one_context_is_refused() -> None:
    """Two actions on one key would leave the choice to chance."""
    with pytest.raises(KeyClashError, match=r"run\.retry and run\.again both want r"):
        actions.check([*ACTIONS, replace(BY_ID["run.retry"], id="run.again")])


def test_a_key_that_works_everywhere_may_not_be_taken_by_a_pane() -> None:
    """`q` quits wherever one is."""
    with pytest.raises(KeyClashError, match="both want q"):
        actions.check([*ACTIONS, Action("flow.quit", ("q",), "x", "x", (Context.FLOWS,))])


def test_a_list_key_may_not_hide_what_its_pane_does() -> None:
    """Moving keys of the table and keys of the pane around it share the focus."""
    with pytest.raises(KeyClashError, match="both want j"):
        actions.check([*ACTIONS, Action("run.jump", ("j",), "x", "x", (Context.RUNS,))])


def test_keys_of_terminals_and_multiplexers_are_refused() -> None:
    """Ctrl+b is tmux, ctrl+s stops the terminal, F1 opens the menu of another program."""
    for key in ("ctrl+b", "ctrl+s", "f1"):
        assert key in FORBIDDEN_KEYS
        with pytest.raises(KeyClashError, match="must stay free"):
            actions.check([Action("x.y", (key,), "x", "x", (Context.EVERYWHERE,))])


def test_a_repeated_id_is_refused() -> None:
    """A key map file names actions by id."""
    with pytest.raises(KeyClashError, match=r"id run\.retry"):
        actions.check([*ACTIONS, replace(BY_ID["run.retry"], keys=("R",))])


def test_the_echo_is_the_command_with_its_fields_filled() -> None:
    """What is echoed can be pasted into a shell."""
    assert actions.echo("run.retry", run="8f3c2e01") == "flowdeck flow-run retry 8f3c2e01"
    assert actions.echo("move.down") == ""
