"""A parameter schema as fields, and typed text as parameters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowdeck_tui.form.form_fields import Entry, FormField, fields_of, parsed, read, schema_of_values, strangers

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "default": "Oslo"},
        "days": {"type": "integer", "default": 3},
        "ratio": {"type": "number"},
        "deep": {"type": "boolean", "default": False},
        "tags": {"type": "array", "items": {"type": "string"}, "default": ["a"]},
        "path": {"type": "string"},
        "any": {},
        "mode": {"enum": ["fast", "slow"], "default": "fast"},
        "at": {"type": "string", "format": "date-time"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
    },
    "required": ["path"],
}
MODEL: dict[str, Any] = {
    "type": "object",
    "title": "Settings",
    "properties": {
        "host": {"type": "string"},
        "retries": {"type": "integer", "default": 3},
        "inner": {"$ref": "#/properties/it/$defs/Inner", "default": {"depth": 2}},
    },
    "required": ["host"],
    "$defs": {"Inner": {"type": "object", "properties": {"depth": {"type": "integer", "default": 1}}}},
}


def by_name(schema: dict[str, Any], given: dict[str, Any] | None = None) -> dict[str, FormField]:
    return {".".join(field.path): field for field in fields_of(schema, given)}


def filled(schema: dict[str, Any], given: dict[str, Any] | None = None, **texts: str) -> Any:
    """Read a form in which these fields were changed, `a__b` for the field b of a."""
    fields = fields_of(schema, given)
    changed = {tuple(name.split("__")): text for name, text in texts.items()}
    return read(schema, fields, {field.path: changed.get(field.path, field.initial) for field in fields})


def with_it(described: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"type": "object", "properties": {"it": described}, "required": ["it"] if required else []}


def test_fields_show_type_and_default() -> None:
    """In the order of the schema; each entered in the way that suits it."""
    shown = {name: (field.kind, field.entry, field.initial) for name, field in by_name(SCHEMA).items()}
    assert list(shown) == list(SCHEMA["properties"])
    assert shown["city"] == ("text", Entry.LINE, "Oslo")
    assert shown["days"] == ("whole number", Entry.LINE, "3")
    assert shown["deep"] == ("true or false", Entry.CHOICE, "false")
    assert shown["tags"] == ("list of text", Entry.ITEMS, "a")
    assert shown["any"] == ("anything", Entry.LINE, "")
    assert shown["mode"] == ("one of fast, slow", Entry.CHOICE, "fast")
    assert shown["at"] == ("date and time such as 2026-01-31T09:30", Entry.LINE, "")
    assert shown["either"] == ("whole number or null", Entry.LINE, "null")
    assert [name for name, field in by_name(SCHEMA).items() if field.is_required] == ["path"]


def test_what_keeps_its_default_is_left_to_the_flow() -> None:
    """Only what was changed is given."""
    form = filled(SCHEMA, path="in.csv", days="7")
    assert form.values == {"days": 7, "path": "in.csv"}
    assert form.texts == {"days": "7", "path": "in.csv"}
    assert not form.problems


def test_a_required_field_left_empty_is_named() -> None:
    """Nothing is not the empty text."""
    assert filled(SCHEMA).problems == {("path",): "path is missing"}


def test_a_default_text_that_is_emptied_means_the_empty_text() -> None:
    """The default was taken away on purpose."""
    assert filled(SCHEMA, path="x", city="").values == {"city": "", "path": "x"}


@pytest.mark.parametrize(("name", "text"), [("days", "soon"), ("days", "true"), ("ratio", "much"), ("at", "soon")])
def test_a_value_that_does_not_fit_is_named_at_its_field(name: str, text: str) -> None:
    """The sentence stands where the mistake is."""
    assert list(filled(SCHEMA, path="x", **{name: text}).problems) == [(name,)]


def test_texts_that_look_like_numbers_stay_texts() -> None:
    """The schema says string: 007 is a name."""
    assert filled(SCHEMA, path="007").values == {"path": "007"}


def test_a_schema_without_parameters_has_no_fields() -> None:
    """The form then only asks to run."""
    assert fields_of({"type": "object"}) == ()
    assert not read({"type": "object"}, (), {}).problems


# -- lists, tables, choices --------------------------------------------------------------------------------------------

NUMBERS = {"type": "array", "items": {"type": "integer"}, "default": [1, 2]}
TEXTS = {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("described", "text", "value"),
    [
        (NUMBERS, "3\n4\n", [3, 4]),
        (NUMBERS, "[3, 4]", [3, 4]),
        (NUMBERS, " 5 \n\n 6", [5, 6]),
        (TEXTS, "a b\n007\ntrue", ["a b", "007", "true"]),
        (TEXTS, '["a\\nb"]', ["a\nb"]),
        ({"type": "array"}, "1\nx", [1, "x"]),
        ({"anyOf": [TEXTS, {"type": "null"}], "default": ["a"]}, "null", None),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, '{"a": 1}', {"a": 1}),
    ],
)
def test_several_lines_are_items_or_json(described: dict[str, Any], text: str, value: Any) -> None:
    """One item a line is what people type; JSON says everything."""
    form = filled(with_it(described), it=text)
    assert form.values == {"it": value}
    assert not form.problems
    assert json.loads(form.texts["it"]) == value


@pytest.mark.parametrize(
    ("described", "value"),
    [
        (NUMBERS, [3, 4]),
        (TEXTS, ["a", "007"]),
        (TEXTS, ["two\nlines", "b"]),
        (TEXTS, ["", "x"]),
        (TEXTS, [" led by a blank"]),
        (TEXTS, ["[looks like JSON"]),
        ({"type": "array"}, ["1", 1, None, {"a": [1]}]),
        ({"type": "object", "additionalProperties": True}, {"a": {"b": 1}}),
        ({"type": "string"}, "two\nlines"),
        ({}, "text"),
        ({}, "5"),
        ({}, None),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "5"),
        ({"enum": ["1", 1, None]}, "1"),
    ],
)
def test_what_a_field_shows_is_read_as_what_it_shows(described: dict[str, Any], value: Any) -> None:
    """The text that stands for a value means that value, should anybody touch it and put it back."""
    (field,) = fields_of(with_it(described), {"it": value})
    assert parsed(field, field.initial) == value
    assert type(parsed(field, field.initial)) is type(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2", "it is no JSON: Expecting ',' delimiter (line 1, column 6)"),
        ("1\nx", "it[1] must be a whole number, not 'x'"),
        ("[1, true]", "it[1] must be a whole number, not True"),
    ],
)
def test_lines_that_are_no_list_are_said_so(text: str, said: str) -> None:
    """One sentence, with the place."""
    assert filled(with_it(NUMBERS, required=True), it=text).problems == {("it",): said}


@pytest.mark.parametrize(
    ("described", "choices"),
    [
        ({"type": "boolean"}, [("true", True), ("false", False)]),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, [("true", True), ("false", False), ("null", None)]),
        ({"enum": ["a", "b"], "type": "string"}, [("a", "a"), ("b", "b")]),
        ({"enum": [1, "a", None]}, [("1", 1), ("a", "a"), ("null", None)]),
        ({"enum": [1, "1"]}, [("1", 1), ('"1"', "1")]),
        ({"anyOf": [{"enum": ["a"]}, {"const": "b"}]}, [("a", "a"), ("b", "b")]),
        ({"anyOf": [{"type": "boolean"}, {"type": "integer"}]}, []),
    ],
)
def test_a_few_values_are_chosen_among(described: dict[str, Any], choices: list[Any]) -> None:
    """Booleans, enums, literals, and any of them or nothing."""
    (field,) = fields_of(with_it(described))
    assert list(field.choices) == choices
    for text, value in choices:
        assert filled(with_it(described), it=text).values == {"it": value}


def test_a_default_that_is_no_choice_stays_one() -> None:
    """A flow's default is taken as it is, also where it does not fit its own annotation."""
    (field,) = fields_of(with_it({"enum": ["a", "b"], "default": "odd"}))
    assert [text for text, _ in field.choices] == ["odd", "a", "b"] or field.initial in dict(field.choices)
    assert not filled(with_it({"enum": ["a", "b"], "default": "odd"})).problems


# -- models ------------------------------------------------------------------------------------------------------------


def test_a_model_stands_as_its_fields() -> None:
    """Below a heading, to any reasonable depth, each with the default that holds there."""
    shown = {name: (field.entry, field.initial) for name, field in by_name(with_it(MODEL)).items()}
    assert shown == {
        "it": (Entry.HEADING, ""),
        "it.host": (Entry.LINE, ""),
        "it.retries": (Entry.LINE, "3"),
        "it.inner": (Entry.HEADING, ""),
        "it.inner.depth": (Entry.LINE, "2"),
    }


def test_a_model_is_put_together_from_what_was_typed() -> None:
    """What nobody touched is left to the model's own defaults."""
    assert filled(with_it(MODEL), it__host="x").values == {"it": {"host": "x"}}
    form = filled(with_it(MODEL), it__host="x", it__inner__depth="5")
    assert form.values == {"it": {"host": "x", "inner": {"depth": 5}}}
    assert json.loads(form.texts["it"]) == form.values["it"]


def test_a_model_that_nobody_touched_is_left_to_the_flow() -> None:
    """Unless it is required: then its own defaults must do."""
    described = {**MODEL, "default": {"host": "h", "retries": 9, "inner": {"depth": 7}}}
    assert filled(with_it(described)).values == {}
    assert by_name(with_it(described))["it.retries"].initial == "9"
    assert filled(with_it(described), it__host="x").values == {"it": {"host": "x", "retries": 9, "inner": {"depth": 7}}}
    easy = {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}}
    assert filled(with_it(easy, required=True)).values == {"it": {}}


@pytest.mark.parametrize(
    ("texts", "place", "said"),
    [
        ({}, ("it", "host"), "it['host'] is missing"),
        (
            {"it__host": "x", "it__retries": "many"},
            ("it", "retries"),
            "it['retries'] must be a whole number, not 'many'",
        ),
        (
            {"it__host": "x", "it__inner__depth": "deep"},
            ("it", "inner", "depth"),
            "it['inner']['depth'] must be a whole number, not 'deep'",
        ),
    ],
)
def test_a_mistake_in_a_model_is_told_at_its_field(texts: dict[str, str], place: tuple[str, ...], said: str) -> None:
    """However deep."""
    assert filled(with_it(MODEL, required=True), **texts).problems == {place: said}


def test_a_list_of_models_is_json_with_the_fields_named() -> None:
    """So that one knows what to write."""
    definitions = {"P": {"type": "object", "title": "P", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}
    described = {"type": "array", "items": {"$ref": "#/properties/it/$defs/P"}, "$defs": definitions}
    (field,) = fields_of(with_it(described))
    assert field.kind == "list of P {x: whole number}"
    assert filled(with_it(described), it='[{"x": 1}]').values == {"it": [{"x": 1}]}
    assert filled(with_it(described), it='[{"y": 1}]').problems == {}
    assert list(filled(with_it(described), it='[{"x": "a"}]').problems) == [("it",)]


def test_a_model_that_holds_itself_ends_somewhere() -> None:
    """The innermost stands as JSON."""
    definitions = {"N": {"type": "object", "properties": {"next": {"$ref": "#/properties/it/$defs/N"}}}}
    fields = fields_of(with_it({"$ref": "#/properties/it/$defs/N", "$defs": definitions}))
    assert fields[-1].entry is Entry.JSON
    assert len(fields) < 10


# -- an earlier run ----------------------------------------------------------------------------------------------------


def test_the_values_of_a_run_stand_in_the_fields_and_are_given_again() -> None:
    """Those that are the flow's defaults are left to it."""
    given = {"city": "Rome", "days": 3, "path": "a", "tags": ["x", "y"], "deep": True}
    fields = by_name(SCHEMA, given)
    assert {name: fields[name].initial for name in given} == {
        "city": "Rome", "days": "3", "path": "a", "tags": "x\ny", "deep": "true",
    }  # fmt: skip
    form = filled(SCHEMA, given)
    assert form.values == {"city": "Rome", "path": "a", "tags": ["x", "y"], "deep": True}
    assert form.texts == {}
    assert filled(SCHEMA, given, days="5").texts == {"days": "5"}


def test_null_of_a_run_is_given_again_though_no_text_says_so() -> None:
    """An empty field would mean the default."""
    described = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": "x"}
    (field,) = fields_of(with_it(described), {"it": None})
    assert (field.initial, field.note) == ("", "null")
    assert filled(with_it(described), {"it": None}).values == {"it": None}


def test_a_value_that_was_not_kept_is_named() -> None:
    """And has to be given anew where the flow has no default."""
    (field,) = fields_of(with_it({}, required=True), {"it": "<DataFrame>"})
    assert field.note == "the run had a DataFrame, which is not kept"
    assert filled(with_it({}, required=True), {"it": "<DataFrame>"}).problems == {("it",): "it is missing"}


def test_a_default_that_cannot_be_written_is_named() -> None:
    """The field is neither required nor empty by mistake."""
    (field,) = fields_of(with_it({}))
    assert field.note == "the flow's own default, which cannot be shown"


def test_parameters_that_the_flow_no_longer_takes_are_named() -> None:
    """They are left out, not handed over to be refused."""
    schema = {**SCHEMA, "additionalProperties": False}
    assert strangers(schema, {"days": 1, "gone": 2}) == ["gone"]
    assert strangers({"type": "object"}, {"gone": 2}) == []


def test_a_run_whose_flow_is_unknown_has_fields_of_its_values() -> None:
    """Text stays text, all else is JSON."""
    values = {"path": "007", "days": 3, "deep": {"a": 1}}
    schema = schema_of_values(values)
    assert filled(schema, values).values == values
    assert filled(schema, values, path="008", days="4").values == {**values, "path": "008", "days": 4}


def test_signs_that_no_terminal_can_show_stay_out_of_the_field() -> None:
    """And in the value, unless somebody types another."""
    value = "red\x1b[31m\x07"
    (field,) = fields_of(with_it({"type": "string"}), {"it": value})
    assert "\x1b" not in field.initial
    assert "kept unless you type" in field.note
    assert filled(with_it({"type": "string"}), {"it": value}).values == {"it": value}
    assert filled(with_it({"type": "string"}), {"it": value}, it="blue").values == {"it": "blue"}


def test_a_secret_is_not_echoed() -> None:
    """The command line that teaches stays on the screen."""
    described = {"type": "string", "format": "password"}
    form = filled(with_it(described), it="hunter2")
    assert by_name(with_it(described))["it"].entry is Entry.SECRET
    assert form.values == {"it": "hunter2"}
    assert "hunter2" not in str(form.texts)
