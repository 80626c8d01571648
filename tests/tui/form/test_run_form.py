"""The run form at the keyboard: fields, mistakes, rerun, at 80×24, 160×48 and 60×15."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowdeck.deck import FlowRun
from flowdeck.rules.runs.ids import short_id
from flowdeck_tui.form.form_controls import ChoiceField, LinesField
from flowdeck_tui.form.run_form import RunForm
from flowdeck_tui.widgets.field import Field
from tests.tui.harness import LARGE, SMALL, AppPilot, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import SeededHome

pytestmark = pytest.mark.asyncio
TINY = (60, 15)
BOTH_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
ALL_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE, TINY], ids=["80x24", "160x48", "60x15"])
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "default": "Oslo", "description": "Whose orders to load."},
        "days": {"type": "integer", "default": 3},
        "path": {"type": "string"},
    },
    "required": ["path"],
    "additionalProperties": False,
}
RICH: dict[str, Any] = {
    "type": "object",
    "properties": {
        "deep": {"type": "boolean", "default": False},
        "mode": {"enum": ["fast", "slow", "safe"], "default": "fast"},
        "tags": {"type": "array", "items": {"type": "string"}, "default": ["a", "b"]},
        "settings": {
            "type": "object",
            "title": "Settings",
            "properties": {"host": {"type": "string"}, "retries": {"type": "integer", "default": 3}},
            "required": ["host"],
        },
        "extra": {"type": "object", "additionalProperties": True, "default": {}},
        "since": {"type": "string", "format": "date", "default": "2026-01-31"},
    },
    "required": ["settings"],
}


def created(home: SeededHome) -> FlowRun:
    """Return the run that was made last."""
    return home.deck.flow_runs.select()[0]


def kind_of_focus(pilot: AppPilot) -> type:
    return type(pilot.app.focused)


async def until_closed(pilot: AppPilot) -> None:
    await until(pilot, lambda: len(pilot.app.screen_stack) == 1)


@BOTH_SIZES
async def test_values_are_typed_and_given(home: SeededHome, size: tuple[int, int]) -> None:
    """Typing replaces the default; tab moves; enter submits; the command line that does the same is shown."""
    home.flow("etl", SCHEMA)
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "t")
        await until_shown(pilot, "city  text", "Whose orders to load.", "Oslo", "days  whole number", "required")
        await press(pilot, "tab", "7", "tab", *"in.csv", "enter")
        await until_closed(pilot)
        assert dict(created(home).parameters) == {"days": 7, "path": "in.csv"}
        await until_shown(pilot, "-p days=7 -p path=in.csv")


async def test_typing_into_a_field_that_one_comes_to_replaces_what_stands_there(home: SeededHome) -> None:
    """An arrow keeps it, to be changed in part."""
    home.flow("etl", SCHEMA)
    async with running_app(home) as (_, pilot):
        await press(pilot, "t", *"Rome")
        assert line_with(pilot, "Rome").split() == ["Rome"]
        await press(pilot, "tab", "shift+tab", "right", *"!")
        await until_shown(pilot, "Rome!")


@ALL_SIZES
async def test_what_does_not_fit_is_told_at_its_field(home: SeededHome, size: tuple[int, int]) -> None:
    """Nothing starts; the focus goes to the first mistake; the sentence goes as soon as it is mended."""
    home.flow("etl", SCHEMA)
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "t", "tab", *"soon", "enter")
        await until_shown(pilot, "Not started: 2 values do not fit.", "days must be a whole number, not 'soon'")
        lines = screen_text(pilot).splitlines()
        assert "days must be" in lines[next(i for i, line in enumerate(lines) if line.split() == ["soon"]) + 1]
        assert not home.deck.flow_runs.select()
        await press(pilot, *["backspace"] * 4, "5")
        await until(pilot, lambda: "days must be" not in screen_text(pilot))
        await press(pilot, "tab")
        await until_shown(pilot, "path is missing")
        await press(pilot, *"x", "enter")
        await until_closed(pilot)
        assert dict(created(home).parameters) == {"days": 5, "path": "x"}


async def test_a_mistake_is_told_when_the_field_is_left(home: SeededHome) -> None:
    """Not while one still types, and not of fields that nobody has touched."""
    home.flow("etl", SCHEMA)
    async with running_app(home) as (_, pilot):
        await press(pilot, "t", "tab", *"soon")
        assert "must be" not in screen_text(pilot)
        await press(pilot, "tab")
        await until_shown(pilot, "days must be a whole number, not 'soon'")
        assert "path is missing" not in screen_text(pilot)


async def test_true_is_no_number(home: SeededHome) -> None:
    """The rule is the command line's."""
    home.flow("etl", SCHEMA)
    async with running_app(home) as (_, pilot):
        await press(pilot, "t", "tab", *"true", "tab")
        await until_shown(pilot, "days must be a whole number, not True")


async def test_escape_leaves_the_form(home: SeededHome) -> None:
    """Nothing was started; the footer shows the keys of the list again."""
    home.flow("etl", SCHEMA)
    async with running_app(home) as (app, pilot):
        footer = screen_text(pilot).splitlines()[-1]
        await press(pilot, "t")
        assert isinstance(app.screen, RunForm)
        await press(pilot, "escape")
        assert screen_text(pilot).splitlines()[-1] == footer
        assert not home.deck.flow_runs.select()


async def test_letters_are_text_inside_a_field(home: SeededHome) -> None:
    """q does not quit while one types."""
    home.flow("etl", SCHEMA)
    async with running_app(home) as (app, pilot):
        await press(pilot, "t", *"q1?:x")
        assert isinstance(app.screen, RunForm)
        await until_shown(pilot, "q1?:x")


async def test_a_run_may_be_named_and_tagged(home: SeededHome) -> None:
    """Below Run, for those who want it."""
    home.flow("hello")
    async with running_app(home) as (app, pilot):
        await press(pilot, "t")
        await until_shown(pilot, "run name", "run tags", "This flow takes no parameters.")
        await press(pilot, "tab", *"my run", "tab", *"a, b", "enter")
        await until_closed(pilot)
        run = created(home)
        assert (run.name, run.tags) == ("my run", ("a", "b"))
        assert "--name 'my run' --tag a --tag b" in app.status.text


# -- kinds of fields ---------------------------------------------------------------------------------------------------


@BOTH_SIZES
async def test_space_toggles_and_chooses(home: SeededHome, size: tuple[int, int]) -> None:
    """A boolean, an enum; a letter goes to the choice that begins with it; the footer says which keys act."""
    home.flow("etl", {**RICH, "required": []})
    async with running_app(home, size) as (_, pilot):
        await press(pilot, "t")
        assert kind_of_focus(pilot) is ChoiceField
        await until_shown(pilot, " true  [false]", "[fast]  slow   safe", "space Next choice")
        await press(pilot, "space", "tab", "left", "left")
        await until_shown(pilot, "[true]  false", "[slow]")
        await press(pilot, "s")
        await until_shown(pilot, "[safe]")
        await press(pilot, "enter")
        await until_closed(pilot)
        assert dict(created(home).parameters) == {"deep": True, "mode": "safe"}


async def test_a_list_takes_one_item_a_line(home: SeededHome) -> None:
    """Enter begins a new line there; on Run it submits."""
    home.flow("etl", {**RICH, "required": []})
    async with running_app(home) as (_, pilot):
        await press(pilot, "t", "tab", "tab")
        assert kind_of_focus(pilot) is LinesField
        await press(pilot, *"one", "enter", *"two words", "tab")
        while kind_of_focus(pilot) in (Field, LinesField):
            await press(pilot, "tab")
        await press(pilot, "enter")
        await until_closed(pilot)
        assert dict(created(home).parameters) == {"tags": ["one", "two words"]}


async def test_a_model_is_filled_field_by_field(home: SeededHome) -> None:
    """Indented below its name; a mistake stands at its field."""
    home.flow("etl", RICH)
    async with running_app(home, LARGE) as (_, pilot):
        await press(pilot, "t", "enter")
        await until_shown(pilot, "settings  Settings", "  host  text  required", "settings['host'] is missing")
        assert kind_of_focus(pilot) is Field
        await press(pilot, *"db1", "tab", *"many", "enter")
        await until_shown(pilot, "settings['retries'] must be a whole number, not 'many'")
        await press(pilot, *["backspace"] * 4, "9", "enter")
        await until_closed(pilot)
        assert dict(created(home).parameters) == {"settings": {"host": "db1", "retries": 9}}


async def test_a_form_longer_than_the_screen_scrolls_to_its_field(home: SeededHome) -> None:
    """At 60×15 too; Run is reached by tab."""
    properties = {f"number_{number:02}": {"type": "integer", "default": number} for number in range(40)}
    home.flow("etl", {"type": "object", "properties": properties})
    async with running_app(home, TINY) as (_, pilot):
        await press(pilot, "t", *["tab"] * 39, "7")
        await until_shown(pilot, "number_39  whole number")
        await press(pilot, "tab")
        await until_shown(pilot, " Run  enter")
        await press(pilot, "enter")
        await until_closed(pilot)
        assert dict(created(home).parameters) == {"number_39": 7}


async def test_enter_runs_with_the_defaults_also_where_a_list_comes_first(home: SeededHome) -> None:
    """`t` then `enter` holds for every form."""
    properties = {"rows": {"type": "array", "items": {"type": "integer"}, "default": [1]}, "deep": {"type": "boolean"}}
    home.flow("etl", {"type": "object", "properties": properties})
    async with running_app(home) as (_, pilot):
        await press(pilot, "t", "enter")
        await until_closed(pilot)
        assert dict(created(home).parameters) == {}


async def test_markup_and_escapes_in_a_schema_are_text(home: SeededHome) -> None:
    """Names, descriptions and defaults come from users."""
    described = {"type": "string", "default": "[red]x[/red]", "description": "[b]bold[/b]\x1b[2J\nnext"}
    home.flow("etl", {"type": "object", "properties": {"a[b]\x1b]0;x\x07": described}})
    async with running_app(home) as (_, pilot):
        await press(pilot, "t")
        await until_shown(pilot, "a[b]", "[red]x[/red]", "[b]bold[/b] next")


# -- rerun -------------------------------------------------------------------------------------------------------------


@BOTH_SIZES
async def test_capital_r_runs_once_more_with_other_parameters(home: SeededHome, size: tuple[int, int]) -> None:
    """The form holds the run's values; the new run knows its origin, the old one stays as it is."""
    home.flow("etl", SCHEMA)
    (home.folder / "flows.py").write_text("")
    old = home.run("calm-heron", state="Failed", parameters={"city": "Rome", "days": 3, "path": "in.csv"})
    async with running_app(home, size) as (app, pilot):
        await press(pilot, "R")
        await until_shown(pilot, "rerun calm-heron", "Rome", "in.csv")
        await press(pilot, "tab", "9", "enter")
        await until_closed(pilot)
        new = created(home)
        assert new.id != old.id
        assert new.origin_run_id == old.id
        assert dict(new.parameters) == {"city": "Rome", "days": 9, "path": "in.csv"}
        assert home.deck.flow_runs.find(old.id) == old
        await until(pilot, lambda: f"$ flowdeck flow-run rerun {short_id(old.id)} -p days=9" in app.status.text)
        assert app.runs_pane.run is not None
        assert app.runs_pane.run.id == new.id


async def test_rerun_names_what_the_flow_no_longer_takes(home: SeededHome) -> None:
    """It is left out, so that the run can start."""
    home.flow("etl", SCHEMA)
    (home.folder / "flows.py").write_text("")
    home.run("calm-heron", parameters={"path": "x", "gone": 1})
    async with running_app(home) as (_, pilot):
        await press(pilot, "R")
        await until_shown(pilot, "The flow takes no gone any more; left out.")
        await press(pilot, "enter")
        await until_closed(pilot)
        assert dict(created(home).parameters) == {"path": "x"}


async def test_rerun_names_a_value_that_was_not_kept(home: SeededHome) -> None:
    """It has to be given anew."""
    home.flow("etl", SCHEMA)
    (home.folder / "flows.py").write_text("")
    home.run("calm-heron", parameters={"path": "<DataFrame>"})
    async with running_app(home) as (_, pilot):
        await press(pilot, "R")
        await until_shown(pilot, "the run had a DataFrame, which is not kept")
        await press(pilot, "enter")
        await until_shown(pilot, "path is missing")


async def test_rerun_of_a_flow_outside_the_folder_offers_the_values_as_they_were(home: SeededHome) -> None:
    """A script's run can be run again by the engine."""
    (home.folder / "flows.py").write_text("")
    home.run("calm-heron", parameters={"days": 3, "name": "x", "rows": [1, {"a": 2}]})
    async with running_app(home, LARGE) as (_, pilot):
        await press(pilot, "R")
        await until_shown(pilot, "The flow is not in this folder", json.dumps([1, {"a": 2}]))
        await press(pilot, "4", "enter")
        await until_closed(pilot)
        assert dict(created(home).parameters) == {"days": 4, "name": "x", "rows": [1, {"a": 2}]}


async def test_a_refused_rerun_is_told_in_the_form(home: SeededHome) -> None:
    """What was typed is not lost."""
    home.flow("etl", SCHEMA)
    home.run("calm-heron", parameters={"path": "x"})
    async with running_app(home) as (app, pilot):
        await press(pilot, "R", "enter")
        await until_shown(pilot, "cannot be rerun", "is gone.")
        assert isinstance(app.screen, RunForm)
